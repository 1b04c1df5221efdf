//! Who needs a person, and how soon: one judgement for every place that shows
//! a fleet to people.

use super::vocabulary::vocabulary;
use super::{AuthStatus, Connection, FlowStep, Timestamp};

vocabulary! {
    /// How much a connection needs somebody, the most urgent first; as addresses
    /// and programs name it.
    Attention {
        /// A live flow waits for somebody, and its time runs out.
        Waiting = "waiting",
        /// Logged out, and nothing will log it in again by itself.
        NeedsPerson = "needs-login",
        /// Logged out; an unattended re-login is possible or under way.
        NeedsAuth = "logged-out",
        /// The API says something that this build does not know.
        Unknown = "unknown",
        /// Logged in when last seen.
        Fine = "logged-in",
    }
}

impl Attention {
    /// Judges `connection` at `now`, on the API's clock.
    pub(crate) fn of(connection: &Connection, now: Timestamp) -> Self {
        let live = connection.flow.is_live(now);
        let waits = matches!(
            connection.flow.step,
            FlowStep::AwaitingInput | FlowStep::AwaitingExternalAction
        );
        match connection.status {
            _ if live && waits => Self::Waiting,
            AuthStatus::Authenticated => Self::Fine,
            AuthStatus::Unknown => Self::Unknown,
            AuthStatus::NeedsAuth if live || heals_itself(connection) => Self::NeedsAuth,
            AuthStatus::NeedsAuth => Self::NeedsPerson,
        }
    }

    /// The order in which people should see connections: the most urgent first,
    /// of waiting flows the one that ends first.
    pub(crate) fn rank(connection: &Connection, now: Timestamp) -> (Self, Timestamp) {
        let level = Self::of(connection, now);
        let end = connection.flow.expires_at;
        let end = end.filter(|_| level == Self::Waiting);
        (level, end.unwrap_or(Timestamp::from_micros(i64::MAX)))
    }

    /// As people read it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for a person",
            Self::NeedsPerson => "needs a login",
            Self::NeedsAuth => "logged out",
            Self::Unknown => "unknown",
            Self::Fine => "logged in",
        }
    }
}

/// Whether Kernel can be expected to log it in again: eligible, permitted, and
/// health checks on, without which the permission has no effect.
fn heals_itself(connection: &Connection) -> bool {
    connection.can_reauth == Some(true)
        && connection.settings.auto_reauth != Some(false)
        && connection.settings.health_checks != Some(false)
}
