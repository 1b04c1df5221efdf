//! What the requests of one collection brought.

use super::walk::Walked;
use crate::kernel::{Answer, Error, Listing, Unknowns};
use crate::model::{Connection, Timestamp, counted, first_of};

/// So many rows that cannot be read are named.
const NAMED: usize = 5;

/// What the requests of one collection brought.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In the order of arrival: where an id comes twice, the later one is newer.
    pub(super) connections: Vec<Connection>,
    /// Where in the list rows are whose id cannot be read.
    pub(super) malformed: Vec<u64>,
    /// Ids that were asked for one by one, and whose answer cannot be read.
    pub(super) garbled: Vec<Box<str>>,
    /// Values that this build does not know, and how often.
    pub(super) unknown: Unknowns,
    /// Ids that were asked for one by one, and the API does not know.
    pub(super) gone: Vec<Box<str>>,
    /// Ids that were asked for one by one in vain.
    pub(super) failed: Vec<Box<str>>,
    /// Why, for the first of them.
    pub(super) failure: Option<Error>,
    /// A whole list was read, so an absent connection may be gone.
    pub(super) listed: bool,
    /// The pages were not where they should be.
    pub(super) fell_back: bool,
    /// When the oldest of it was asked for.
    pub(super) asked_at: Option<Timestamp>,
}

impl Gathered {
    /// Adds a list.
    pub(super) fn add(&mut self, walked: Walked) {
        self.connections.extend(walked.connections);
        self.malformed.extend(walked.malformed);
        self.unknown.add(walked.unknown);
        self.fell_back |= walked.fell_back;
        walked.asked_at.into_iter().for_each(|at| self.asked(at));
    }

    /// Rows that cannot be read.
    pub(super) fn unreadable(&self) -> usize {
        self.malformed.len() + self.garbled.len()
    }

    /// Connections that could not be read, as far as can be told: a row whose id
    /// cannot be read may be one that was then asked for by its id.
    pub(super) fn unread(&self) -> usize {
        self.malformed.len().max(self.garbled.len()) + self.failed.len()
    }

    /// Whether `id` was asked for, and nothing is known of it.
    pub(super) fn is_unread(&self, id: &str) -> bool {
        let mut unread = self.garbled.iter().chain(&self.failed);
        unread.any(|other| **other == *id)
    }

    /// Connections whose answer cannot be read, in words: how many, and a few of
    /// them, by id or else by place in the list.
    pub(super) fn unreadable_rows(&self) -> String {
        let ids = self.garbled.iter().map(ToString::to_string);
        // As many rows without an id as there are ids will be theirs.
        let places = self.malformed.iter().skip(self.garbled.len());
        let all = ids.chain(places.map(|at| format!("the one at offset {at}")));
        let count = self.malformed.len().max(self.garbled.len());
        let rows = counted(count, "row");
        format!("{rows} cannot be read: {}", first_of(all, NAMED, count))
    }

    /// Which ids were asked for in vain, a few of them.
    pub(super) fn failed_rows(&self) -> String {
        let ids = self.failed.iter().map(ToString::to_string);
        first_of(ids, NAMED, self.failed.len())
    }

    /// Adds the answer about one connection, or that it could not be had; a key
    /// that is refused is the end.
    ///
    /// `by_name`: the configuration names the connection, so that no filter can
    /// have left it out.
    pub(super) fn take(
        &mut self,
        id: &str,
        answer: Result<Answer<Listing>, Error>,
        by_name: bool,
    ) -> Result<(), Error> {
        match answer {
            Ok(answer) => {
                let listing = answer.value;
                // An answer about another connection, or one that cannot be
                // read, says nothing of this one.
                let other = |row: &Connection| row.labels.id() != id;
                let unreadable =
                    !listing.malformed.is_empty() || listing.connections.iter().any(other);
                if unreadable || (by_name && listing.connections.is_empty()) {
                    self.garbled.push(id.into());
                } else {
                    self.connections.extend(listing.connections);
                    self.unknown.add(listing.unknown);
                    self.asked(answer.asked_at);
                }
            }
            Err(error) if error.is_not_found() => self.gone.push(id.into()),
            Err(error) if error.is_denied() => return Err(error),
            Err(error) => {
                self.failed.push(id.into());
                self.failure.get_or_insert(error);
            }
        }
        Ok(())
    }

    fn asked(&mut self, at: Timestamp) {
        let oldest = self.asked_at.get_or_insert(at);
        *oldest = (*oldest).min(at);
    }
}
