//! How long a collection may take.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a collection may be stretched by waiting for its quota.
const MAX_STRETCH: Duration = Duration::from_mins(15);

/// One go at the API by an account, from [`super::Client::begin`]: however many
/// requests it takes, a key that is refused costs one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    epoch: u64,
    span: Duration,
}

impl Attempt {
    pub(super) fn new(epoch: u64, span: Duration) -> Self {
        Self { epoch, span }
    }

    /// From now on.
    pub(crate) fn deadline(self) -> Deadline {
        Deadline::new(self, Duration::ZERO)
    }

    /// From now on, and later where requests wait for the quota.
    pub(crate) fn stretching(self) -> Deadline {
        Deadline::new(self, MAX_STRETCH)
    }

    /// The same with another span of time.
    #[must_use]
    pub(crate) fn lasting(self, span: Duration) -> Self {
        Self { span, ..self }
    }

    /// With what is left of the time after `passed`.
    #[must_use]
    pub(crate) fn after(self, passed: Duration) -> Self {
        Self {
            span: self.span.saturating_sub(passed),
            ..self
        }
    }
}

/// The time that a group of requests may take together.
#[derive(Debug)]
pub(crate) struct Deadline {
    attempt: Attempt,
    at: Mutex<Instant>,
    latest: Instant,
}

impl Deadline {
    fn new(attempt: Attempt, stretch: Duration) -> Self {
        let at = Instant::now() + attempt.span;
        Self {
            attempt,
            at: Mutex::new(at),
            latest: at + stretch,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.attempt.epoch
    }

    /// When it is over.
    pub(crate) fn at(&self) -> Instant {
        *self.at.lock()
    }

    /// Time spent waiting for the quota is not the API's fault, so it does not
    /// count; whoever waits for the result has a deadline of their own.
    pub(super) fn stretch(&self, until: Instant) -> bool {
        let end = until + self.attempt.span;
        if end > self.latest {
            return false;
        }
        let mut at = self.at.lock();
        *at = (*at).max(end);
        true
    }
}
