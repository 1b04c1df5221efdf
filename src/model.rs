//! The domain, pure: what a managed auth connection is, without a word about
//! HTTP, JSON, Prometheus or tokio.
//!
//! Facts come from Kernel's API reference (`GET /auth/connections/{id}`, the
//! `ManagedAuth` schema); each item names the member it stands for.

mod api;
mod attention;
mod connection;
mod history;
mod labels;
mod org;
mod selection;
mod snapshot;
mod time;
mod values;
mod vocabulary;
mod words;

pub(crate) use api::{
    Collector, CollectorSet, Endpoint, ErrorReason, Field, ProfileNameMode, RetryReason,
    ScrapeOutcome, States, WaitReason,
};
pub(crate) use attention::Attention;
pub(crate) use connection::{Connection, Flow, Settings};
pub(crate) use history::{EventSlot, History};
pub(crate) use labels::{LabelBlock, MAX_LABEL_BYTES, bound_label, escape_label_into, short_hash};
pub(crate) use org::OrgView;
pub(crate) use selection::{Exclude, NamePattern, Projects, Selection, connection_id, project_id};
pub(crate) use snapshot::{AccountView, Failure, Fleet, Scope, ScopeView, Snapshot};
pub(crate) use time::{ClockOffset, Timestamp};
pub(crate) use values::{
    AuthStatus, CredentialKind, ErrorCode, EventOutcome, EventType, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, PendingInput, Plan, ReauthReason, SsoProvider,
};
pub(crate) use vocabulary::vocabulary;
pub(crate) use words::{
    ago_words, counted, failure_words, first_of, flow_words, plain_words, relogin_words,
    span_words, steers, visible,
};
