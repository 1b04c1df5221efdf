//! What is told of requests, and of logins that ended.

use std::time::Duration;

use crate::model::{
    Endpoint, ErrorCode, ErrorReason, EventOutcome, EventType, Field, RetryReason, WaitReason,
};

/// Hears of every request, so that the client needs to know no metrics.
pub(crate) trait Observer: Send + Sync + 'static {
    /// A request was answered with `code`, or not at all (`None`), after `took`.
    fn request(&self, endpoint: Endpoint, code: Option<u16>, took: Duration);
    /// Something did not give what was asked for.
    fn error(&self, reason: ErrorReason);
    /// A request is about to be sent again.
    fn retry(&self, reason: RetryReason);
    /// A request waited before it was sent.
    fn waited(&self, reason: WaitReason, span: Duration);
    /// The API sent values that this build does not know, so many.
    fn unknown_value(&self, field: Field, count: u64);
    /// A login or a re-login has ended; `took` is known where the API tells
    /// when that was.
    fn flow_ended(
        &self,
        _kind: EventType,
        _outcome: EventOutcome,
        _error: Option<ErrorCode>,
        _took: Option<Duration>,
    ) {
    }
}
