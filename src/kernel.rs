//! Kernel's REST API, read-only: requests under a deadline and a quota, and
//! answers turned into the [`crate::model`].
//!
//! This room knows nothing of Prometheus: what happens is told to an
//! [`Observer`]. Nothing but `GET` can be sent from here.

mod admit;
mod client;
mod clock;
mod deadline;
mod error;
mod exchange;
mod http;
mod key;
mod observer;
mod paging;
mod per_minute;
mod proxy;
mod rate;
mod retry;
mod transport;
mod wire;

pub(crate) use client::Client;
pub(crate) use deadline::{Attempt, Deadline};
pub(crate) use error::{Error, Problem};
pub(crate) use exchange::{Answer, Query};
pub(crate) use http::{ClientSettings, Http};
pub(crate) use key::{Key, Reread};
pub(crate) use observer::Observer;
pub(crate) use paging::{PageError, next_page};
pub(crate) use per_minute::PerMinute;
pub(crate) use rate::allowed;
pub(crate) use wire::org::{AuthContext, Entitlements, KeyExpiry, OrgLimits};
pub(crate) use wire::project::Project;
pub(crate) use wire::timeline::{Event, EventState, Timeline};
pub(crate) use wire::{DecodeError, Decoder, Listing, Unknowns};

/// What must hold of any headers; see `src/fuzz.rs`.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn fuzz(headers: &::http::HeaderMap) {
    for asked in [0, 1, 100, u64::MAX] {
        if let Ok(Some(next)) = next_page(asked, headers) {
            assert!(next > asked);
        }
    }
    let now = tokio::time::Instant::now();
    let budget = rate::Budget::new(0.5);
    budget.saw(headers, now);
    for cost in [1, 100, u64::MAX] {
        if let Some(wait) = budget.wait_for(now, cost) {
            assert!(wait.until > now);
        }
        budget.pace(now, cost);
        let _ = budget.take(now, false);
    }
    let after = retry::retry_after(headers, std::time::SystemTime::UNIX_EPOCH);
    assert!(after.is_none_or(|after| after <= retry::MAX_RETRY_AFTER));
}
