//! The organisation around the connections, as the collector `org` shows it.

use super::{Plan, Timestamp};

/// Limits, plan and key of an account's organisation; what the API does not
/// tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OrgView {
    /// `auth_connections_used`.
    pub connections_used: Option<u64>,
    /// `max_auth_connections`.
    pub connections_limit: Option<u64>,
    /// `concurrent_sessions_used`.
    pub sessions_used: Option<u64>,
    /// `max_concurrent_sessions`.
    pub sessions_limit: Option<u64>,
    /// `min_health_check_interval_seconds`.
    pub min_health_check_interval: Option<u64>,
    /// `plan.effective_id`, else `plan.id`.
    pub plan: Option<Plan>,
    /// Connections that the organisation has and no project shows; known only
    /// where every connection of every project is to be shown.
    pub connections_unseen: Option<u64>,
    /// `expires_at` of the API key in use.
    pub key_expires: Option<Timestamp>,
}
