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
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use self::member::{Count, Member, Text};
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
        let row: &RawValue = serde_json::from_slice(body)?;
        let mut listing = Listing::default();
        self.row_text(row, &mut listing, &mut String::new());
        Ok(listing)
    }

    fn list_row_by_row(&self, body: &[u8]) -> Result<Listing, serde_json::Error> {
        let rows: Vec<&RawValue> = serde_json::from_slice(body)?;
        let mut listing = Listing::default();
        let mut scratch = String::new();
        for row in rows {
            self.row_text(row, &mut listing, &mut scratch);
        }
        Ok(listing)
    }

    /// Whatever is wrong in here is wrong with this row alone: where it begins
    /// and ends was found without looking into its strings and numbers.
    fn row_text(&self, row: &RawValue, listing: &mut Listing, scratch: &mut String) {
        let text = row.get();
        if let Ok(row) = serde_json::from_str::<Row<'_>>(text) {
            return self.take(&row, listing, scratch);
        }
        let id = serde_json::from_str::<JustId<'_>>(text)
            .ok()
            .and_then(|row| row.id);
        listing.rows += 1;
        self.reject(id.as_ref().map(|id| &*id.0), listing);
    }

    fn reject(&self, id: Option<&str>, listing: &mut Listing) {
        match id.filter(|id| is_id(id)) {
            Some(id) if !self.selection.wants_id(id) => {}
            id => listing.malformed.push(id.map(Into::into)),
        }
    }

    fn take(&self, row: &Row<'_>, listing: &mut Listing, scratch: &mut String) {
        listing.rows += 1;
        let id = row.id.as_ref().map_or("", |id| &id.0);
        let (Some(domain), Some(profile), true) = (&row.domain, &row.profile_name, is_id(id))
        else {
            return self.reject(Some(id), listing);
        };
        if row.status.is_absent() {
            return self.reject(Some(id), listing);
        }
        if !self.selection.wants(id, &domain.0, &profile.0) {
            return;
        }
        let profile: Option<Cow<'_, str>> = match self.profile_names {
            ProfileNameMode::Keep => Some(Cow::Borrowed(&profile.0)),
            ProfileNameMode::Hash => Some(Cow::Owned(short_hash(&profile.0))),
            ProfileNameMode::Drop => None,
        };
        let labels = LabelBlock::new(id, &domain.0, profile.as_deref(), self.scope, scratch);
        listing
            .connections
            .push(row.connection(labels, &mut listing.unknown));
    }
}

/// An id goes into a label, into a path and into a comparison, so it must be
/// whole in each of them. The API gives no format.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_LABEL_BYTES && !id.chars().any(char::is_control)
}

/// A `ManagedAuth` object, as far as it is exported.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    profile_name: Option<Text<'a>>,
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
    can_reauth: Option<bool>,
    #[serde(default)]
    can_reauth_reason: Member<ReauthReason>,
    health_check_interval: Option<f64>,
    health_checks: Option<bool>,
    auto_reauth: Option<bool>,
    save_credentials: Option<bool>,
    record_session: Option<bool>,
    #[serde(default)]
    health_check_unavailable_reason: Member<HealthCheckUnavailable>,
    credential: Option<Credential>,
    fields: Option<Count>,
    choices: Option<Count>,
    discovered_fields: Option<Count>,
    mfa_options: Option<Count>,
    sign_in_options: Option<Count>,
    pending_sso_buttons: Option<Count>,
}

/// All that is needed to tell whose row it was.
#[derive(Deserialize)]
struct JustId<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// `credential`: which of its members are there, never what they say.
#[derive(Deserialize)]
struct Credential {
    name: Option<IgnoredAny>,
    provider: Option<IgnoredAny>,
    path: Option<IgnoredAny>,
    auto: Option<bool>,
}

impl Credential {
    fn kind(&self) -> CredentialKind {
        match self {
            Self { name: Some(_), .. } => CredentialKind::Kernel,
            Self {
                provider: Some(_),
                path: Some(_),
                ..
            } => CredentialKind::ExternalPath,
            Self {
                provider: Some(_),
                auto: Some(true),
                ..
            } => CredentialKind::ExternalAuto,
            Self {
                provider: Some(_), ..
            } => CredentialKind::ExternalInert,
            Self { .. } => CredentialKind::None,
        }
    }
}

impl Row<'_> {
    fn connection(&self, labels: LabelBlock, unknown: &mut Vec<Unknown>) -> Connection {
        let last_auth_check_at =
            self.last_auth_check_at
                .or_unknown(None, Field::LastAuthCheckAt, unknown);
        let last_auth_at = self
            .last_auth_at
            .or_unknown(None, Field::LastAuthAt, unknown);
        Connection {
            labels,
            status: self
                .status
                .or_unknown(Some(AuthStatus::Unknown), Field::Status, unknown)
                .unwrap_or(AuthStatus::Unknown),
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
                pending: self.pending(),
            },
            can_reauth: self.can_reauth,
            can_reauth_reason: self.can_reauth_reason.or_unknown(
                Some(ReauthReason::Other),
                Field::CanReauthReason,
                unknown,
            ),
            settings: Settings {
                health_check_interval: self.health_check_interval.and_then(whole_seconds),
                health_checks: self.health_checks,
                auto_reauth: self.auto_reauth,
                save_credentials: self.save_credentials,
                record_session: self.record_session,
                health_check_unavailable: self.health_check_unavailable_reason.or_unknown(
                    Some(HealthCheckUnavailable::Other),
                    Field::HealthCheckUnavailableReason,
                    unknown,
                ),
                credential: self
                    .credential
                    .as_ref()
                    .map_or(CredentialKind::None, Credential::kind),
            },
            history: None,
        }
    }

    /// The canonical arrays where they are present, else their older twins:
    /// counting both would count everything twice.
    fn pending(&self) -> PendingInputs {
        let mut pending = PendingInputs::default();
        let mut set = |kind, count: &Option<Count>| {
            if let Some(Count(count)) = count {
                pending.set(kind, *count);
            }
        };
        set(
            PendingInput::Field,
            if self.fields.is_some() {
                &self.fields
            } else {
                &self.discovered_fields
            },
        );
        set(PendingInput::Choice, &self.choices);
        if self.choices.is_none() {
            set(PendingInput::MfaOption, &self.mfa_options);
            set(PendingInput::SignInOption, &self.sign_in_options);
            set(PendingInput::SsoButton, &self.pending_sso_buttons);
        }
        pending
    }
}

fn whole_seconds(value: f64) -> Option<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (value >= 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)
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
