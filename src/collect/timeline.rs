//! Asking for timelines: after a collection, with what it has left of its time
//! and of the quota. Nothing that goes wrong here is the collection's fault.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::flight::{Begun, Flight};
use super::gather::segment;
use super::history::{Ended, Timelines, Wanted};
use super::shared::Shared;
use crate::kernel::{Answer, Deadline, Error, Problem, Query, Timeline, next_page};
use crate::model::{Connection, Endpoint, ErrorCode, EventOutcome, History, Scope, Timestamp};

/// Requests at once, so that the next collection finds the way free.
const AT_ONCE: usize = 4;

/// After so many failures the API has a bad hour, and nothing more is asked.
const FAILURES: usize = 3;

/// The timelines of one scope.
pub(super) struct TimelineReader {
    timelines: Mutex<Timelines>,
    reading: Flight,
    /// The last time it did not work, which has been logged.
    failing: AtomicBool,
}

impl TimelineReader {
    /// Of connections that are watched from `since` on.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            timelines: Mutex::new(Timelines::new(since)),
            reading: Flight::default(),
            failing: AtomicBool::new(false),
        }
    }

    /// Takes note of a collection, which began `at` that time, and gives each
    /// connection what is known of it.
    pub(super) fn listed(
        &self,
        connections: &mut [Connection],
        at: Timestamp,
        is_unread: impl Fn(&str) -> bool,
    ) {
        self.timelines.lock().listed(connections, at, is_unread);
    }

    /// Begins to read, until the guard is dropped. `None`: somebody does, and
    /// goes on with what has come to wait.
    pub(super) fn begin(&self) -> Option<Begun> {
        self.reading.begin().0
    }

    /// Waits until nobody reads.
    pub(super) async fn settled(&self) {
        self.reading.idle().await;
    }

    /// Whether the last try did not work.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Connections whose timeline is still to be read.
    pub(super) fn pending(&self) -> usize {
        self.timelines.lock().waiting()
    }
}

/// How far ahead of the API's clock an event may be, whose clock is another one.
const AHEAD: Duration = Duration::from_mins(5);

/// What a pass has learnt, by id.
pub(super) type Changed = BTreeMap<Box<str>, Arc<History>>;

/// One pass over the connections that wait.
pub(super) struct Pass<'a> {
    pub(super) reader: &'a TimelineReader,
    pub(super) shared: &'a Shared,
    pub(super) scope: &'a Scope,
    pub(super) deadline: &'a Deadline,
    /// Requests that are left to the next collection.
    pub(super) reserve: u64,
}

impl Pass<'_> {
    /// Sends at most `requests`.
    pub(super) async fn run(&self, requests: usize) -> Changed {
        let mut waiting: VecDeque<Wanted> = self.reader.timelines.lock().wanted(requests).into();
        let mut changed = Changed::new();
        let mut sent = 0;
        let mut failure: Option<Error> = None;
        let mut failures = 0;
        let at_once = self.shared.settings.concurrency.clamp(1, AT_ONCE);
        let mut under_way = FuturesUnordered::new();
        loop {
            while failures < FAILURES
                && sent < requests
                && under_way.len() < at_once
                && self.may_send(sent)
                && let Some(wanted) = waiting.pop_front()
            {
                sent += 1;
                under_way.push(self.fetch(wanted));
            }
            let Some((wanted, answer)) = under_way.next().await else {
                break;
            };
            match answer {
                Ok(answer) => match self.take(&wanted, &answer, &mut changed) {
                    Ok(next) => next.into_iter().for_each(|next| waiting.push_front(next)),
                    Err(error) => {
                        failures += 1;
                        failure = Some(error);
                    }
                },
                Err(error) if error.is_not_found() => {
                    self.reader.timelines.lock().absent(&wanted.id);
                }
                Err(error) => {
                    // Nothing was sent: it keeps its place.
                    let unsent = error.was_held_back();
                    if !unsent {
                        self.reader.timelines.lock().failed(&wanted.id);
                    }
                    failures += if unsent || error.is_denied() {
                        FAILURES
                    } else {
                        1
                    };
                    failure = Some(error);
                }
            }
        }
        self.tell(failure.as_ref(), sent);
        changed
    }

    /// Whether there is time and quota. The first request may take what there
    /// is, or a small quota would never let one through; the others leave
    /// enough for the next collection.
    fn may_send(&self, sent: usize) -> bool {
        let cost = if sent == 0 { 1 } else { 1 + self.reserve };
        Instant::now() < self.deadline.at() && self.shared.client.would_wait(cost).is_none()
    }

    async fn fetch(&self, wanted: Wanted) -> (Wanted, Result<Answer<Timeline>, Error>) {
        let path = format!(
            "/auth/connections/{}/timeline?limit={}&offset={}",
            segment(&wanted.id),
            wanted.limit,
            wanted.offset
        );
        let query = Query {
            project: self.scope.project(),
            // The next collection is the second try.
            retries: 0,
            ..Query::new(Endpoint::Timeline, &path)
        };
        let client = &self.shared.client;
        let answer = client.get(query, self.deadline, Timeline::read).await;
        (wanted, answer)
    }

    /// Takes in a page; returns what to ask for next of the same connection.
    fn take(
        &self,
        wanted: &Wanted,
        answer: &Answer<Timeline>,
        changed: &mut Changed,
    ) -> Result<Option<Wanted>, Error> {
        let next = next_page(wanted.offset, &answer.headers).map_err(|problem| {
            self.reader.timelines.lock().failed(&wanted.id);
            let client = &self.shared.client;
            client.fail(Endpoint::Timeline, Problem::Paging(problem))
        })?;
        let timeline = &answer.value;
        self.shared.client.count_malformed(timeline.malformed);
        self.shared.tell_unknown(&timeline.unknown);
        let observer = self.shared.client.observer();
        let ended = |ended: Ended<'_>| {
            let event = ended.event;
            let took = event.completed_at.and_then(|end| {
                let micros = end.as_micros().saturating_sub(event.at.as_micros());
                u64::try_from(micros).ok().map(Duration::from_micros)
            });
            let error = (ended.outcome == EventOutcome::Failed)
                .then(|| event.error_code.unwrap_or(ErrorCode::Other));
            // Two accounts may see one connection.
            if self.shared.flows.is_new(&wanted.id, event.id) {
                observer.flow_ended(ended.kind, ended.outcome, error, took);
            }
        };
        let client = &self.shared.client;
        let clock = client.clock().unwrap_or_default();
        let now = clock.apply(SystemTime::now().into());
        // What is still to come is read when it has come.
        let events = timeline.events.iter().copied();
        let events: Vec<_> = events.filter(|event| event.at <= now.plus(AHEAD)).collect();
        let mut timelines = self.reader.timelines.lock();
        let next = timelines.read(wanted, &events, next, clock, now, ended);
        if let Some(history) = timelines.history(&wanted.id) {
            changed.insert(wanted.id.clone(), history);
        }
        Ok(next)
    }

    /// Logs when it begins to fail, and when it is over.
    fn tell(&self, failure: Option<&Error>, sent: usize) {
        let failing = &self.reader.failing;
        let (account, project) = (self.scope.account(), self.scope.project());
        match failure {
            None if sent > 0 && failing.swap(false, Ordering::Relaxed) => {
                tracing::info!(account, project, "timelines can be read again");
            }
            Some(error) if !failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    account,
                    project,
                    endpoint = %error.endpoint(),
                    reason = %error.reason(),
                    %error,
                    "timelines cannot be read; tried again after the next collection"
                );
            }
            _ => {}
        }
    }
}
