//! How long a collection may take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a collection may be stretched by waiting for its quota.
const MAX_STRETCH: Duration = Duration::from_mins(15);

/// The time that a group of requests may take together.
#[derive(Debug)]
pub(crate) struct Deadline {
    epoch: u64,
    span: Duration,
    at: Mutex<Instant>,
    latest: Instant,
}

impl Deadline {
    pub(super) fn new(epoch: u64, span: Duration, may_stretch: bool) -> Self {
        let now = Instant::now();
        let stretch = if may_stretch {
            MAX_STRETCH
        } else {
            Duration::ZERO
        };
        Self {
            epoch,
            span,
            at: Mutex::new(now + span),
            latest: now + span + stretch,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it is over.
    pub(crate) fn at(&self) -> Instant {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time spent waiting for the quota is not the API's fault, so it does not
    /// count; whoever waits for the result has a deadline of their own.
    pub(super) fn stretch(&self, until: Instant) -> bool {
        if until + self.span > self.latest {
            return false;
        }
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = (*at).max(until + self.span);
        true
    }
}
