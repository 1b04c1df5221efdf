//! The domain, pure: what a managed auth connection is, without a word about
//! HTTP, JSON, Prometheus or tokio.
//!
//! Facts come from Kernel's API reference (`GET /auth/connections/{id}`, the
//! `ManagedAuth` schema); each item names the member it stands for.

mod api;
mod attention;
mod connection;
mod labels;
mod snapshot;
mod time;
mod values;
mod words;

pub use api::{
    Collector, CollectorSet, Endpoint, ErrorReason, Field, ProfileNameMode, RetryReason,
    ScrapeOutcome, States, WaitReason,
};
pub use attention::Attention;
pub use connection::{Connection, Flow, PendingInput, PendingInputs, Settings};
pub use labels::{LabelBlock, MAX_LABEL_BYTES, bound_label, escape_label_into, short_hash};
pub use snapshot::{AccountView, Fleet, Found, Scope, ScopeView, Snapshot};
pub use time::{ClockOffset, Timestamp};
pub use values::{
    AuthStatus, CredentialKind, ErrorCode, FlowStatus, FlowStep, FlowType, HealthCheckUnavailable,
    ReauthReason,
};
pub use words::{plain_words, relogin_words, span_words};
