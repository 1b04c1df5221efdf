//! A `ManagedAuth` object, read and made a connection of the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Unknown;
use super::member::Member;
use crate::model::{
    AuthStatus, Connection, CredentialKind, ErrorCode, Field, Flow, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, LabelBlock, PendingInput, PendingInputs, ReauthReason, Settings,
    SsoProvider, Timestamp,
};

/// A `ManagedAuth` object, as far as it is exported.
#[derive(Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    pub(super) id: Member<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) domain: Member<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) profile_name: Member<Cow<'a, str>>,
    #[serde(default)]
    pub(super) status: Member<AuthStatus>,
    #[serde(default)]
    pub(super) last_auth_at: Member<Timestamp>,
    #[serde(default)]
    pub(super) last_auth_check_at: Member<Timestamp>,
    #[serde(default)]
    pub(super) flow_status: Member<FlowStatus>,
    #[serde(default)]
    pub(super) flow_step: Member<FlowStep>,
    #[serde(default)]
    pub(super) flow_type: Member<FlowType>,
    #[serde(default)]
    pub(super) flow_expires_at: Member<Timestamp>,
    #[serde(default)]
    pub(super) error_code: Member<ErrorCode>,
    #[serde(default)]
    pub(super) can_reauth: Member<bool>,
    #[serde(default)]
    pub(super) can_reauth_reason: Member<ReauthReason>,
    #[serde(default)]
    pub(super) health_check_interval: Member<u32>,
    #[serde(default)]
    pub(super) health_checks: Member<bool>,
    #[serde(default)]
    pub(super) auto_reauth: Member<bool>,
    #[serde(default)]
    pub(super) save_credentials: Member<bool>,
    #[serde(default)]
    pub(super) record_session: Member<bool>,
    #[serde(default)]
    pub(super) health_check_unavailable_reason: Member<HealthCheckUnavailable>,
    #[serde(default)]
    pub(super) credential: Member<CredentialKind>,
    #[serde(default)]
    pub(super) fields: Member<usize>,
    #[serde(default)]
    pub(super) choices: Member<usize>,
    #[serde(default)]
    pub(super) discovered_fields: Member<usize>,
    #[serde(default)]
    pub(super) mfa_options: Member<usize>,
    #[serde(default)]
    pub(super) sign_in_options: Member<usize>,
    #[serde(default)]
    pub(super) pending_sso_buttons: Member<usize>,
    #[serde(default)]
    pub(super) website_error: Member<()>,
    #[serde(default)]
    pub(super) allowed_domains: Member<usize>,
    #[serde(default)]
    pub(super) sso_provider: Member<SsoProvider>,
}

impl Row<'_> {
    pub(super) fn connection(&self, labels: LabelBlock, unknown: &mut Vec<Unknown>) -> Connection {
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
                website_error: self.website_error(unknown),
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
                allowed_domains: self
                    .allowed_domains
                    .or_unknown(None, Field::AllowedDomains, unknown)
                    .map(|count| u16::try_from(count).unwrap_or(u16::MAX)),
                sso_provider: self
                    .sso_provider
                    .or_unknown(None, Field::SsoProvider, unknown),
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

    /// Whether the site shows an error; nothing where there is no flow in which
    /// it could, or that cannot be read.
    fn website_error(&self, unknown: &mut Vec<Unknown>) -> Option<bool> {
        if self.website_error.is_absent() {
            return (!self.flow_status.is_absent()).then_some(false);
        }
        self.website_error
            .or_unknown(None, Field::WebsiteError, unknown)
            .map(|()| true)
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
