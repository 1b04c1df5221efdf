//! The API's JSON, read straight into the model.
//!
//! Members that must never leave this program are not named here, so they are
//! skipped without being looked at. Unknown members are ignored; missing and
//! `null` are alike. A page is decoded in one pass; only a page with a row that
//! cannot be read is gone through again, row by row.

mod member;
pub(super) mod org;
pub(super) mod project;
mod row;
pub(super) mod timeline;
mod unknown;

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserializer;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::row::{Row, readable};
pub(crate) use self::unknown::Unknowns;
use crate::model::{
    Connection, LabelBlock, MAX_LABEL_BYTES, ProfileNameMode, Scope, Selection, short_hash,
};

/// A page has a hundred rows; one with more than this is not read.
const MAX_ROWS: usize = 10_000;

/// Why a body cannot be read.
pub(crate) type DecodeError = serde_json::Error;

/// Turns bodies into connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a> {
    /// Where the connections are found; goes into their labels.
    pub scope: &'a Scope,
    /// What becomes of their profile names.
    pub profile_names: ProfileNameMode,
    /// Which of them are wanted.
    pub selection: &'a Selection,
    /// Whether to note in [`Listing::marks`] which rows a body holds.
    pub marks: bool,
}

/// What one body held.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Rows of the body, wanted or not.
    pub rows: usize,
    /// The wanted connections, in the order of the body.
    pub connections: Vec<Connection>,
    /// Where in the body rows are whose id cannot be read.
    pub malformed: Vec<usize>,
    /// Values that this build does not know.
    pub unknown: Unknowns,
    /// A hash of the first row's id, wanted or not.
    pub first: Option<u64>,
    /// A hash of each row's id, wanted or not, where that was asked for; `None`
    /// for an id that cannot be read.
    pub marks: Vec<Option<u64>>,
}

impl Decoder<'_> {
    /// Reads the array of `GET /auth/connections`. One object that cannot be
    /// read does not lose the others.
    pub(crate) fn list(&self, body: &[u8]) -> Result<Listing, serde_json::Error> {
        self.list_in_one_pass(body)
            .map_or_else(|| self.list_row_by_row(body), Ok)
    }

    fn list_in_one_pass(&self, body: &[u8]) -> Option<Listing> {
        // Text is checked faster as a whole than string by string.
        let text = std::str::from_utf8(body).ok()?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let listing = (&mut reader).deserialize_seq(self).ok()?;
        reader.end().ok()?;
        Some(listing)
    }

    /// Reads the object of `GET /auth/connections/{id}`.
    pub(crate) fn one(&self, body: &[u8]) -> Result<Listing, serde_json::Error> {
        let text = String::from_utf8_lossy(body);
        let row: &RawValue = serde_json::from_str(&text)?;
        let mut listing = Listing::default();
        self.row_text(row.get(), &mut listing, &mut String::new());
        Ok(listing)
    }

    /// For a page with something that cannot be read: each row by itself.
    fn list_row_by_row(&self, body: &[u8]) -> Result<Listing, serde_json::Error> {
        // Bytes that are not UTF-8 spoil the string that they are in.
        let text = String::from_utf8_lossy(body);
        let rows: Vec<&RawValue> = serde_json::from_str(&text)?;
        if rows.len() > MAX_ROWS {
            return Err(DecodeError::custom("too many rows"));
        }
        let mut listing = Listing::default();
        let mut scratch = String::new();
        for row in rows {
            self.row_text(row.get(), &mut listing, &mut scratch);
        }
        Ok(listing)
    }

    /// Whatever is wrong in here is wrong with this row alone: where it begins
    /// and ends was found without looking into its strings and numbers.
    fn row_text(&self, text: &str, listing: &mut Listing, scratch: &mut String) {
        if let Ok(row) = serde_json::from_str::<Row<'_>>(text) {
            return self.take(&row, listing, scratch);
        }
        let readable = readable(text);
        if let Some(row) = readable
            .as_deref()
            .and_then(|text| serde_json::from_str::<Row<'_>>(text).ok())
        {
            return self.take(&row, listing, scratch);
        }
        listing.rows += 1;
        if self.marks {
            listing.marks.push(None);
        }
        listing.malformed.push(listing.rows - 1);
    }

    fn take(&self, row: &Row<'_>, listing: &mut Listing, scratch: &mut String) {
        listing.rows += 1;
        let id = row.id.or_empty();
        if self.marks || listing.rows == 1 {
            let mark = is_id(id).then(|| mark(id));
            listing.first = listing.first.or(mark);
            if self.marks {
                listing.marks.push(mark);
            }
        }
        if !is_id(id) {
            listing.malformed.push(listing.rows - 1);
            return;
        }
        let (domain, profile) = (row.domain.or_empty(), row.profile_name.or_empty());
        if !self.selection.wants(id, domain, profile) {
            return;
        }
        let profile: Option<Cow<'_, str>> = match self.profile_names {
            ProfileNameMode::Hash if !profile.is_empty() => Some(Cow::Owned(short_hash(profile))),
            ProfileNameMode::Keep | ProfileNameMode::Hash => Some(Cow::Borrowed(profile)),
            ProfileNameMode::Drop => None,
        };
        let labels = LabelBlock::new(id, domain, profile.as_deref(), self.scope, scratch);
        listing
            .connections
            .push(row.connection(labels, &mut listing.unknown));
    }
}

/// To know a row again.
fn mark(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// An id goes into a label, into a path and into a comparison, so it must be
/// whole in each of them. The API gives no format.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_LABEL_BYTES && !id.chars().any(char::is_control)
}

/// The array of a page, decoded row by row as the parser meets them.
impl<'de> Visitor<'de> for &Decoder<'_> {
    type Value = Listing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of connections")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Listing, A::Error> {
        let mut listing = Listing::default();
        let mut scratch = String::new();
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            self.take(&row, &mut listing, &mut scratch);
            if listing.rows > MAX_ROWS {
                return Err(A::Error::custom("too many rows"));
            }
        }
        Ok(listing)
    }
}

#[cfg(test)]
mod tests;
