//! One managed auth connection, as compact as its series allow.

use std::sync::Arc;

use super::{
    AuthStatus, CredentialKind, ErrorCode, FlowStatus, FlowStep, FlowType, HealthCheckUnavailable,
    History, LabelBlock, PendingInput, ReauthReason, SsoProvider, Timestamp,
};

/// What the exporter keeps of a `ManagedAuth` object. Nothing that could log
/// somebody in is here: links, tokens, messages and credential names are never
/// read into it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Connection {
    /// Its names: `id`, `domain`, `profile_name`, and where it was found.
    pub labels: LabelBlock,
    /// `status`.
    pub status: AuthStatus,
    /// `last_auth_at`, else `last_auth_check_at`. The API's own description
    /// since 0.51.0: a deprecated alias of the latter, the time of the latest
    /// health check whatever its outcome.
    pub last_auth_at: Option<Timestamp>,
    /// `last_auth_check_at`: the latest health check, whatever its outcome.
    pub last_auth_check_at: Option<Timestamp>,
    /// The most recent login flow.
    pub flow: Flow,
    /// `can_reauth`: eligible for an unattended re-login.
    pub can_reauth: Option<bool>,
    /// `can_reauth_reason`.
    pub can_reauth_reason: Option<ReauthReason>,
    /// How the connection is configured.
    pub settings: Settings,
    /// What its timeline told; `None` until that was read.
    pub history: Option<Arc<History>>,
}

impl Connection {
    /// When it was last checked, whichever member says so.
    pub(crate) fn checked_at(&self) -> Option<Timestamp> {
        self.last_auth_check_at.or(self.last_auth_at)
    }
}

/// The most recent login flow: `flow_*`, `error_code` and what it waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flow {
    /// `flow_status`.
    pub status: FlowStatus,
    /// `flow_step`.
    pub step: FlowStep,
    /// `flow_type`.
    pub kind: FlowType,
    /// `flow_expires_at`.
    pub expires_at: Option<Timestamp>,
    /// `error_code`; meaningful only while `status` is `FAILED`.
    pub error_code: Option<ErrorCode>,
    /// `website_error`: whether the site shows an error, never what it says;
    /// `None` where no flow is known.
    pub website_error: Option<bool>,
    /// How many inputs of each kind it asks for; a kind that the API does not name
    /// is absent, which is not zero. More than 65,535 count as that.
    pub pending: [Option<u16>; PendingInput::ALL.len()],
}

impl Flow {
    /// Whether somebody can still act on it: `IN_PROGRESS` and not past its
    /// expiry. A background worker turns an expired flow into `EXPIRED` only
    /// later, so the status alone does not tell.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.status == FlowStatus::InProgress && self.expires_at.is_none_or(|at| at > now)
    }

    /// When it ends, while somebody can still act on it.
    pub(crate) fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|_| self.is_live(now))
    }

    /// Why it failed, where it did.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        self.error_code
            .filter(|_| self.status == FlowStatus::Failed)
    }
}

/// How the connection is configured. Absent members stay absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// `health_check_interval`, seconds.
    pub health_check_interval: Option<u32>,
    /// `health_checks`: scheduled checks are on.
    pub health_checks: Option<bool>,
    /// `auto_reauth`: unattended re-logins are permitted.
    pub auto_reauth: Option<bool>,
    /// `save_credentials`.
    pub save_credentials: Option<bool>,
    /// `record_session`.
    pub record_session: Option<bool>,
    /// `health_check_unavailable_reason`.
    pub health_check_unavailable: Option<HealthCheckUnavailable>,
    /// `credential`, as its class.
    pub credential: Option<CredentialKind>,
    /// `allowed_domains`: how many; none is no restriction.
    pub allowed_domains: Option<u16>,
    /// `sso_provider`.
    pub sso_provider: Option<SsoProvider>,
}
