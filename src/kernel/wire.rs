//! The API's JSON, read straight into the model.
//!
//! Members that must never leave this program are not named here, so they are
//! skipped without being looked at. Unknown members are ignored; missing and
//! `null` are alike. A page is decoded in one pass; only a page with a row that
//! cannot be read is gone through again, row by row.

mod member;
pub(super) mod org;
pub(super) mod timeline;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use self::member::{Member, Name};
use crate::model::{
    AuthStatus, Connection, CredentialKind, ErrorCode, Field, Flow, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, LabelBlock, MAX_LABEL_BYTES, PendingInput, PendingInputs,
    ProfileNameMode, ReauthReason, Scope, Selection, Settings, Timestamp, short_hash,
};

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
}

/// What one body held.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Rows of the body, wanted or not.
    pub rows: usize,
    /// The wanted connections, in the order of the body.
    pub connections: Vec<Connection>,
    /// Rows that cannot be read, with their id where at least that can be.
    pub malformed: Vec<Option<Box<str>>>,
    /// Values that this build does not know.
    pub unknown: Vec<Unknown>,
}

/// A value that this build does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unknown {
    /// Which member.
    pub field: Field,
    /// The value, bounded.
    pub value: Box<str>,
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
        let listing = Page(self).deserialize(&mut reader).ok()?;
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
        self.reject(None, listing);
    }

    fn reject(&self, id: Option<&str>, listing: &mut Listing) {
        match id.filter(|id| is_id(id)) {
            Some(id) if !self.selection.wants_id(id) => {}
            id => listing.malformed.push(id.map(Into::into)),
        }
    }

    fn take(&self, row: &Row<'_>, listing: &mut Listing, scratch: &mut String) {
        listing.rows += 1;
        let id = row.id.or_empty();
        if !is_id(id) {
            return self.reject(Some(id), listing);
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

/// The members of an object that a row is made of and that can be read; the
/// others become what is of no member's type.
fn readable(row: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(row).ok()?;
    let mut text = String::from("{");
    for (key, value) in members {
        if !MEMBERS.contains(&&*key) {
            continue;
        }
        let value = value.get();
        let is_readable = serde_json::from_str::<serde_json::Value>(value).is_ok();
        if text.len() > 1 {
            text.push(',');
        }
        text.push('"');
        text.push_str(&key);
        text.push_str("\":");
        text.push_str(match &*key {
            _ if is_readable => value,
            "credential" => "0",
            _ => "{}",
        });
    }
    text.push('}');
    Some(text)
}

/// An id goes into a label, into a path and into a comparison, so it must be
/// whole in each of them. The API gives no format.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_LABEL_BYTES && !id.chars().any(char::is_control)
}

/// The members of [`Row`], by name.
const MEMBERS: &[&str] = &[
    "id",
    "domain",
    "profile_name",
    "status",
    "last_auth_at",
    "last_auth_check_at",
    "flow_status",
    "flow_step",
    "flow_type",
    "flow_expires_at",
    "error_code",
    "can_reauth",
    "can_reauth_reason",
    "health_check_interval",
    "health_checks",
    "auto_reauth",
    "save_credentials",
    "record_session",
    "health_check_unavailable_reason",
    "credential",
    "fields",
    "choices",
    "discovered_fields",
    "mfa_options",
    "sign_in_options",
    "pending_sso_buttons",
];

/// A `ManagedAuth` object, as far as it is exported.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    id: Name<'a>,
    #[serde(borrow, default)]
    domain: Name<'a>,
    #[serde(borrow, default)]
    profile_name: Name<'a>,
    #[serde(default)]
    status: Member<AuthStatus>,
    #[serde(default)]
    last_auth_at: Member<Timestamp>,
    #[serde(default)]
    last_auth_check_at: Member<Timestamp>,
    #[serde(default)]
    flow_status: Member<FlowStatus>,
    #[serde(default)]
    flow_step: Member<FlowStep>,
    #[serde(default)]
    flow_type: Member<FlowType>,
    #[serde(default)]
    flow_expires_at: Member<Timestamp>,
    #[serde(default)]
    error_code: Member<ErrorCode>,
    #[serde(default)]
    can_reauth: Member<bool>,
    #[serde(default)]
    can_reauth_reason: Member<ReauthReason>,
    #[serde(default)]
    health_check_interval: Member<u32>,
    #[serde(default)]
    health_checks: Member<bool>,
    #[serde(default)]
    auto_reauth: Member<bool>,
    #[serde(default)]
    save_credentials: Member<bool>,
    #[serde(default)]
    record_session: Member<bool>,
    #[serde(default)]
    health_check_unavailable_reason: Member<HealthCheckUnavailable>,
    #[serde(default)]
    credential: Member<CredentialKind>,
    #[serde(default)]
    fields: Member<usize>,
    #[serde(default)]
    choices: Member<usize>,
    #[serde(default)]
    discovered_fields: Member<usize>,
    #[serde(default)]
    mfa_options: Member<usize>,
    #[serde(default)]
    sign_in_options: Member<usize>,
    #[serde(default)]
    pending_sso_buttons: Member<usize>,
}

impl Row<'_> {
    fn connection(&self, labels: LabelBlock, unknown: &mut Vec<Unknown>) -> Connection {
        self.domain.note(Field::Domain, unknown);
        self.profile_name.note(Field::ProfileName, unknown);
        let last_auth_check_at =
            self.last_auth_check_at
                .or_unknown(None, Field::LastAuthCheckAt, unknown);
        let last_auth_at = self
            .last_auth_at
            .or_unknown(None, Field::LastAuthAt, unknown);
        Connection {
            labels,
            status: self.status(unknown),
            last_auth_at: last_auth_at.or(last_auth_check_at),
            last_auth_check_at,
            flow: Flow {
                status: self
                    .flow_status
                    .or_unknown(Some(FlowStatus::Unknown), Field::FlowStatus, unknown)
                    .unwrap_or(FlowStatus::None),
                step: self
                    .flow_step
                    .or_unknown(Some(FlowStep::Unknown), Field::FlowStep, unknown)
                    .unwrap_or(FlowStep::None),
                kind: self
                    .flow_type
                    .or_unknown(Some(FlowType::Unknown), Field::FlowType, unknown)
                    .unwrap_or(FlowType::None),
                expires_at: self
                    .flow_expires_at
                    .or_unknown(None, Field::FlowExpiresAt, unknown),
                error_code: self.error_code.or_unknown(
                    Some(ErrorCode::Other),
                    Field::ErrorCode,
                    unknown,
                ),
                pending: self.pending(unknown),
            },
            can_reauth: self.can_reauth.or_unknown(None, Field::CanReauth, unknown),
            can_reauth_reason: self.can_reauth_reason.or_unknown(
                Some(ReauthReason::Other),
                Field::CanReauthReason,
                unknown,
            ),
            settings: Settings {
                health_check_interval: self.health_check_interval.or_unknown(
                    None,
                    Field::HealthCheckInterval,
                    unknown,
                ),
                health_checks: self
                    .health_checks
                    .or_unknown(None, Field::HealthChecks, unknown),
                auto_reauth: self
                    .auto_reauth
                    .or_unknown(None, Field::AutoReauth, unknown),
                save_credentials: self.save_credentials.or_unknown(
                    None,
                    Field::SaveCredentials,
                    unknown,
                ),
                record_session: self
                    .record_session
                    .or_unknown(None, Field::RecordSession, unknown),
                health_check_unavailable: self.health_check_unavailable_reason.or_unknown(
                    Some(HealthCheckUnavailable::Other),
                    Field::HealthCheckUnavailableReason,
                    unknown,
                ),
                credential: self.credential(unknown),
            },
            history: None,
        }
    }

    /// A status that is missing is as good as one that cannot be read.
    fn status(&self, unknown: &mut Vec<Unknown>) -> AuthStatus {
        if self.status.is_absent() {
            unknown.push(Unknown {
                field: Field::Status,
                value: "(missing)".into(),
            });
        }
        self.status
            .or_unknown(Some(AuthStatus::Unknown), Field::Status, unknown)
            .unwrap_or(AuthStatus::Unknown)
    }

    /// The class of `credential`: `none` where the API names none, and nothing
    /// where it cannot be read.
    fn credential(&self, unknown: &mut Vec<Unknown>) -> Option<CredentialKind> {
        if self.credential.is_absent() {
            return Some(CredentialKind::None);
        }
        self.credential.or_unknown(None, Field::Credential, unknown)
    }

    /// The canonical arrays where they are present, else their older twins:
    /// counting both would count everything twice.
    fn pending(&self, unknown: &mut Vec<Unknown>) -> PendingInputs {
        let mut pending = PendingInputs::default();
        let mut set = |kind, count: &Member<usize>, field| {
            if let Some(count) = count.or_unknown(None, field, unknown) {
                pending.set(kind, count);
            }
        };
        if self.fields.is_absent() {
            set(
                PendingInput::Field,
                &self.discovered_fields,
                Field::DiscoveredFields,
            );
        } else {
            set(PendingInput::Field, &self.fields, Field::Fields);
        }
        set(PendingInput::Choice, &self.choices, Field::Choices);
        if self.choices.is_absent() {
            set(
                PendingInput::MfaOption,
                &self.mfa_options,
                Field::MfaOptions,
            );
            set(
                PendingInput::SignInOption,
                &self.sign_in_options,
                Field::SignInOptions,
            );
            set(
                PendingInput::SsoButton,
                &self.pending_sso_buttons,
                Field::PendingSsoButtons,
            );
        }
        pending
    }
}

/// The array of a page, decoded row by row as the parser meets them.
struct Page<'d, 'a>(&'d Decoder<'a>);

impl<'de> DeserializeSeed<'de> for Page<'_, '_> {
    type Value = Listing;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Listing, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Page<'_, '_> {
    type Value = Listing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of connections")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Listing, A::Error> {
        let mut listing = Listing::default();
        let mut scratch = String::new();
        while let Some(row) = rows.next_element::<Row<'de>>()? {
            self.0.take(&row, &mut listing, &mut scratch);
        }
        Ok(listing)
    }
}

/// A row of `GET /org/projects`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    /// `id`.
    pub id: Box<str>,
    /// `status` is `active`; archived projects stay in the list, and asking
    /// for them gives 404.
    pub active: bool,
}

impl Project {
    /// Reads the array of `GET /org/projects`.
    pub(crate) fn list(body: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire {
            id: String,
            status: String,
        }
        let rows: Vec<Wire> = serde_json::from_slice(body)?;
        // An id goes into a header, so it must be able to.
        let usable = |row: &Wire| is_id(&row.id) && http::HeaderValue::from_str(&row.id).is_ok();
        Ok(rows
            .into_iter()
            .filter(usable)
            .map(|row| Self {
                active: row.status.eq_ignore_ascii_case("active"),
                id: row.id.into(),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests;
