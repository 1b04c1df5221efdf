//! What a scope remembers from one collection to the next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::assemble::{Held, Kept};
use super::gathered::Gathered;
use super::missing::Missing;
use super::plan::Knowledge;
use crate::kernel::{Attempt, Deadline, Error, PerMinute};
use crate::model::{ErrorReason, Failure, Snapshot, Timestamp, counted};

/// How many collections go on one page after the other once the pages were not
/// where they should be.
const DISTRUST: u64 = 20;

/// Collections of a scope in a minute, at most, where the API publishes no
/// limit that would bound them: as many as two Prometheus servers ask for
/// every 15 seconds.
pub(super) const COLLECTIONS: usize = 8;

#[derive(Clone)]
pub(super) struct Memory {
    pub(super) held: Option<Held>,
    /// What made the last collection fail; before the first one has ended,
    /// that there was none.
    pub(super) failure: Option<Arc<Failure>>,
    /// What is held is from the last collection.
    pub(super) collected: bool,
    pub(super) knowledge: Knowledge,
    /// Walk one page after the other until this turn.
    distrust_until: u64,
    /// What the last whole list lacked and nobody has asked for.
    pub(super) absent: HashSet<Box<str>>,
    /// Where to go on asking for connections that went missing.
    pub(super) missing_cursor: usize,
    /// The last collection failed because there is no such active project.
    pub(super) gone: bool,
    pub(super) collections: PerMinute,
    /// When the API was last asked, where the last collection was out of time and
    /// none of its requests was answered.
    pub(super) silent: Option<Instant>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            held: None,
            failure: Some(Arc::new(Failure::starting(now()))),
            collected: false,
            knowledge: Knowledge::default(),
            distrust_until: 0,
            absent: HashSet::default(),
            missing_cursor: 0,
            gone: false,
            collections: PerMinute::new(COLLECTIONS),
            silent: None,
        }
    }
}

impl Memory {
    pub(super) fn distrusts_pages(&self) -> bool {
        self.knowledge.turn < self.distrust_until
    }

    /// A collection starts.
    pub(super) fn starts(&mut self, attempt: Attempt) -> Attempt {
        self.collections.note();
        // What hangs may not hold the places of others.
        if self.silent.is_some() {
            attempt.unanswered()
        } else {
            attempt
        }
    }

    /// The requests of a collection are over.
    pub(super) fn ended(&mut self, error: Option<&Error>, deadline: &Deadline) {
        self.silent = match error {
            // One that had no place, or not its time, is what it was.
            Some(error) if error.is_late() && !deadline.was_asked() => self.silent,
            Some(error) if error.is_late() && deadline.is_unanswered() => Some(Instant::now()),
            _ => None,
        };
    }

    /// A collection brought nothing.
    pub(super) fn failed(&mut self, known: Knowledge, error: &Error) {
        self.knowledge = known;
        self.gone = error.reason() == ErrorReason::ProjectNotFound;
        self.fail(error.reason(), error.to_string().into());
    }

    /// A collection brought nothing but what cannot be read.
    pub(super) fn read_nothing(&mut self, known: Knowledge, gathered: &Gathered) {
        self.knowledge = known;
        self.gone = false;
        if let Some((reason, message)) = unwhole(gathered) {
            self.fail(reason, message);
        }
    }

    /// A collection never came to its end.
    pub(super) fn broke_off(&mut self, message: &str) {
        self.fail(ErrorReason::Decode, message.into());
    }

    fn fail(&mut self, reason: ErrorReason, message: Box<str>) {
        self.collected = false;
        self.follow(reason, message, 0);
    }

    fn follow(&mut self, reason: ErrorReason, message: Box<str>, unread: usize) {
        let failure = Failure {
            reason,
            since: now(),
            message,
            unread: unread as u64,
        };
        self.failure = Some(Arc::new(failure.following(self.failure.as_deref())));
    }

    /// A collection brought `snapshot`, with so many connections that were
    /// `read`. Returns whether that ends a failure.
    pub(super) fn finished(
        &mut self,
        known: Knowledge,
        gathered: &Gathered,
        read: usize,
        kept: Kept,
        missing: &Missing,
        snapshot: Snapshot,
    ) -> bool {
        if gathered.fell_back && !self.distrusts_pages() {
            self.distrust_until = known.turn + DISTRUST;
        }
        self.knowledge = known;
        if gathered.listed {
            self.absent = missing.absent();
            self.missing_cursor = missing.cursor;
        }
        self.gone = false;
        self.collected = true;
        self.held = Some(Held {
            snapshot: Arc::new(snapshot),
            at: Instant::now(),
            kept,
        });
        let before = self.failure.as_ref().map(|failure| failure.reason);
        match unwhole(gathered) {
            Some((reason, message)) => {
                let unread = gathered.unread();
                self.follow(reason, message, if unread <= read { unread } else { 0 });
            }
            None => self.failure = None,
        }
        self.failure.is_none() && before.is_some_and(|reason| reason != ErrorReason::Starting)
    }
}

/// Why a collection whose list came whole does not count as whole.
fn unwhole(gathered: &Gathered) -> Option<(ErrorReason, Box<str>)> {
    if let Some(error) = &gathered.failure {
        let failed = counted(gathered.failed.len(), "row");
        let names = gathered.failed_rows();
        let message = format!("{failed} could not be asked for ({names}): {error}");
        return Some((error.reason(), message.into()));
    }
    (gathered.unreadable() > 0)
        .then(|| (ErrorReason::MalformedRow, gathered.unreadable_rows().into()))
}

pub(super) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
