//! A `ManagedAuth` object, read and made a connection of the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Unknowns;
use super::member::Member;
use crate::model::{
    AuthStatus, Connection, CredentialKind, ErrorCode, Field, Flow, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, LabelBlock, PendingInput, ReauthReason, Settings, SsoProvider,
    Timestamp,
};

/// A `ManagedAuth` object, as far as it is exported.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) id: Member<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) domain: Member<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) profile_name: Member<Cow<'a, str>>,
    pub(super) status: Member<AuthStatus>,
    pub(super) last_auth_at: Member<Timestamp>,
    pub(super) last_auth_check_at: Member<Timestamp>,
    pub(super) flow_status: Member<FlowStatus>,
    pub(super) flow_step: Member<FlowStep>,
    pub(super) flow_type: Member<FlowType>,
    pub(super) flow_expires_at: Member<Timestamp>,
    pub(super) error_code: Member<ErrorCode>,
    pub(super) can_reauth: Member<bool>,
    pub(super) can_reauth_reason: Member<ReauthReason>,
    pub(super) health_check_interval: Member<u32>,
    pub(super) health_checks: Member<bool>,
    pub(super) auto_reauth: Member<bool>,
    pub(super) save_credentials: Member<bool>,
    pub(super) record_session: Member<bool>,
    pub(super) health_check_unavailable_reason: Member<HealthCheckUnavailable>,
    pub(super) credential: Member<CredentialKind>,
    pub(super) fields: Member<usize>,
    pub(super) choices: Member<usize>,
    pub(super) discovered_fields: Member<usize>,
    pub(super) mfa_options: Member<usize>,
    pub(super) sign_in_options: Member<usize>,
    pub(super) pending_sso_buttons: Member<usize>,
    pub(super) website_error: Member<()>,
    pub(super) allowed_domains: Member<usize>,
    pub(super) sso_provider: Member<SsoProvider>,
}

impl Row<'_> {
    pub(super) fn connection(&self, labels: LabelBlock, unknown: &mut Unknowns) -> Connection {
        self.domain.note(Field::Domain, unknown);
        self.profile_name.note(Field::ProfileName, unknown);
        let last_auth_check_at = self
            .last_auth_check_at
            .read(Field::LastAuthCheckAt, unknown);
        let last_auth_at = self.last_auth_at.read(Field::LastAuthAt, unknown);
        Connection {
            labels,
            status: self.status(unknown),
            last_auth_at: last_auth_at.or(last_auth_check_at),
            last_auth_check_at,
            flow: self.flow(unknown),
            can_reauth: self.can_reauth.read(Field::CanReauth, unknown),
            can_reauth_reason: self.can_reauth_reason.read(Field::CanReauthReason, unknown),
            settings: self.settings(unknown),
            history: None,
        }
    }

    fn flow(&self, unknown: &mut Unknowns) -> Flow {
        let status = self.flow_status.read(Field::FlowStatus, unknown);
        let step = self.flow_step.read(Field::FlowStep, unknown);
        let kind = self.flow_type.read(Field::FlowType, unknown);
        Flow {
            status: status.unwrap_or(FlowStatus::None),
            step: step.unwrap_or(FlowStep::None),
            kind: kind.unwrap_or(FlowType::None),
            expires_at: self.flow_expires_at.read(Field::FlowExpiresAt, unknown),
            error_code: self.error_code.read(Field::ErrorCode, unknown),
            website_error: self.website_error(unknown),
            pending: self.pending(unknown),
        }
    }

    fn settings(&self, unknown: &mut Unknowns) -> Settings {
        let interval = &self.health_check_interval;
        let unavailable = &self.health_check_unavailable_reason;
        let allowed_domains = self.allowed_domains.read(Field::AllowedDomains, unknown);
        Settings {
            health_check_interval: interval.read(Field::HealthCheckInterval, unknown),
            health_checks: self.health_checks.read(Field::HealthChecks, unknown),
            auto_reauth: self.auto_reauth.read(Field::AutoReauth, unknown),
            save_credentials: self.save_credentials.read(Field::SaveCredentials, unknown),
            record_session: self.record_session.read(Field::RecordSession, unknown),
            health_check_unavailable: unavailable
                .read(Field::HealthCheckUnavailableReason, unknown),
            credential: self.credential(unknown),
            allowed_domains: allowed_domains.map(|count| u16::try_from(count).unwrap_or(u16::MAX)),
            sso_provider: self.sso_provider.read(Field::SsoProvider, unknown),
        }
    }

    /// A status that is missing is as good as one that cannot be read.
    fn status(&self, unknown: &mut Unknowns) -> AuthStatus {
        if self.status.is_absent() {
            unknown.note(Field::Status, "(missing)");
        }
        self.status
            .read(Field::Status, unknown)
            .unwrap_or(AuthStatus::Unknown)
    }

    /// The class of `credential`: `none` where the API names none, and nothing
    /// where it cannot be read.
    fn credential(&self, unknown: &mut Unknowns) -> Option<CredentialKind> {
        if self.credential.is_absent() {
            return Some(CredentialKind::None);
        }
        self.credential.read(Field::Credential, unknown)
    }

    /// Whether the site shows an error; nothing where there is no flow in which
    /// it could, or that cannot be read.
    fn website_error(&self, unknown: &mut Unknowns) -> Option<bool> {
        if self.website_error.is_absent() {
            return (!self.flow_status.is_absent()).then_some(false);
        }
        self.website_error
            .read(Field::WebsiteError, unknown)
            .map(|()| true)
    }

    /// The canonical arrays where they are present, else their older twins:
    /// counting both would count everything twice.
    fn pending(&self, unknown: &mut Unknowns) -> [Option<u16>; PendingInput::ALL.len()] {
        let mut pending = [None; PendingInput::ALL.len()];
        let mut set = |kind, count: &Member<usize>, field| {
            if let Some(count) = count.read(field, unknown) {
                pending[kind as usize] = Some(u16::try_from(count).unwrap_or(u16::MAX));
            }
        };
        if self.fields.is_absent() {
            let fields = &self.discovered_fields;
            set(PendingInput::Field, fields, Field::DiscoveredFields);
        } else {
            set(PendingInput::Field, &self.fields, Field::Fields);
        }
        set(PendingInput::Choice, &self.choices, Field::Choices);
        if self.choices.is_absent() {
            let (mfa, sign_in) = (&self.mfa_options, &self.sign_in_options);
            set(PendingInput::MfaOption, mfa, Field::MfaOptions);
            set(PendingInput::SignInOption, sign_in, Field::SignInOptions);
            let buttons = &self.pending_sso_buttons;
            set(PendingInput::SsoButton, buttons, Field::PendingSsoButtons);
        }
        pending
    }
}

/// The same object with only what can be read: other values become what is of
/// no member's type.
pub(super) fn readable(row: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(row).ok()?;
    let mut text = String::from("{");
    for (key, value) in members {
        let value = value.get();
        let is_readable = serde_json::from_str::<serde_json::Value>(value).is_ok();
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(&key).ok()?);
        text.push(':');
        text.push_str(match &*key {
            _ if is_readable => value,
            "credential" => "0",
            // Whatever it says, it is there.
            "website_error" => "\"?\"",
            _ => "{}",
        });
    }
    text.push('}');
    Some(text)
}
