//! How long a collection may take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::error::Problem;

/// How long a collection may be stretched by waiting for its quota.
const MAX_STRETCH: Duration = Duration::from_mins(15);

/// One go at the API by an account, from [`super::Client::begin`]: however many
/// requests it takes, a key that is refused costs one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    epoch: u64,
    span: Duration,
    longest_try: Duration,
    turn: Turn,
}

/// Whose turn it is where there are places, or is quota, for some only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Collections.
    First,
    /// What has half of the places at most, and of the quota what nobody waits
    /// for.
    Aside,
    /// The same of a quarter, until there is an answer.
    Unanswered,
}

impl Attempt {
    pub(super) fn new(epoch: u64, span: Duration) -> Self {
        Self {
            epoch,
            span,
            longest_try: span,
            turn: Turn::First,
        }
    }

    /// The same with no try longer than this, however much time there is: what
    /// stalls is tried again, and others wait for it too.
    #[must_use]
    pub(crate) fn trying(self, longest_try: Duration) -> Self {
        Self {
            longest_try,
            ..self
        }
    }

    /// The same beside collections, which have their places and their quota first.
    #[must_use]
    pub(crate) fn aside(self) -> Self {
        Self {
            turn: Turn::Aside,
            ..self
        }
    }

    /// The same of what the API left without an answer the last time, and may
    /// again: others do not wait for its places until it answers.
    #[must_use]
    pub(crate) fn unanswered(self) -> Self {
        Self {
            turn: Turn::Unanswered,
            ..self
        }
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
}

/// The time that a group of requests may take together.
#[derive(Debug)]
pub(crate) struct Deadline {
    attempt: Attempt,
    at: Mutex<Instant>,
    latest: Instant,
    was_asked: AtomicBool,
    was_answered: AtomicBool,
}

impl Deadline {
    fn new(attempt: Attempt, stretch: Duration) -> Self {
        let at = Instant::now() + attempt.span;
        Self {
            attempt,
            at: Mutex::new(at),
            latest: at + stretch,
            was_asked: AtomicBool::new(false),
            was_answered: AtomicBool::new(false),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.attempt.epoch
    }

    pub(super) fn longest_try(&self) -> Duration {
        self.attempt.longest_try
    }

    pub(super) fn turn(&self) -> Turn {
        match self.attempt.turn {
            Turn::Unanswered if self.was_answered.load(Ordering::Relaxed) => Turn::First,
            turn => turn,
        }
    }

    pub(super) fn asked(&self) {
        self.was_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) {
        self.was_answered.store(true, Ordering::Relaxed);
    }

    /// Whether a request was sent.
    pub(crate) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }

    /// Whether requests were sent, and the API has answered none of them.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.was_asked() && !self.was_answered.load(Ordering::Relaxed)
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

/// What `future` brings, unless it takes longer.
pub(super) async fn within<T>(end: Instant, future: impl Future<Output = T>) -> Result<T, Problem> {
    timeout_at(end, future).await.map_err(|_| Problem::Timeout)
}
