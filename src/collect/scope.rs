//! One scope: its collections, one at a time, and what they left.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::MISSING_PER_COLLECTION;
use super::account::Shared;
use super::assemble::{self, Assembled, Before, Kept};
use super::gather::{Gathered, Gathering};
use super::plan::{Knowledge, choose};
use super::timeline::{Pass, TimelineReader};
use crate::kernel::{Client, Deadline, Error};
use crate::model::{
    ErrorReason, Scope, ScopeView, ScrapeOutcome, Selection, Snapshot, Timestamp, WaitReason,
    bound_label, escape_label_into,
};

/// How many collections go on one page after the other once the pages were not
/// where they should be.
const DISTRUST: u64 = 20;

/// How long beyond `--kernel.hold` a snapshot is served that is old only
/// because the quota had nothing left: the quota is per minute.
const QUOTA_PATIENCE: Duration = Duration::from_mins(1);

/// Collects one scope.
pub(super) struct ScopeCollector {
    scope: Arc<Scope>,
    selection: Selection,
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// Closed once the collection is over.
    flight: Mutex<Option<watch::Receiver<()>>>,
    /// Shared with the collector that takes this one's place.
    timelines: Mutex<Arc<TimelineReader>>,
}

#[derive(Clone, Default)]
struct State {
    held: Option<Held>,
    /// Whether the last collection came whole; `None` before the first one.
    up: Option<bool>,
    knowledge: Knowledge,
    /// Walk one page after the other until this turn.
    distrust_until: u64,
    kept: Kept,
    /// Where to go on asking for connections that went missing.
    missing_cursor: usize,
    /// The last collection failed because there is no such active project.
    gone: bool,
}

#[derive(Clone)]
struct Held {
    snapshot: Arc<Snapshot>,
    at: Instant,
}

/// How a scrape came by its data.
pub(super) enum Part {
    /// Nothing to wait for.
    Ready(ScrapeOutcome),
    /// To be started.
    Start,
    /// Under way since before.
    Join(watch::Receiver<()>),
}

impl ScopeCollector {
    pub(super) fn new(scope: Scope, selection: Selection, shared: Arc<Shared>) -> Self {
        Self {
            scope: Arc::new(scope),
            selection,
            shared,
            state: Mutex::default(),
            flight: Mutex::default(),
            timelines: Mutex::default(),
        }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn shared_scope(&self) -> Arc<Scope> {
        Arc::clone(&self.scope)
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether the last snapshot has this connection.
    pub(super) fn knows(&self, id: &str) -> bool {
        let view = self.last();
        let mut escaped = String::with_capacity(id.len());
        escape_label_into(&mut escaped, &bound_label(id));
        view.snapshot.is_some_and(|snapshot| {
            let rows = &snapshot.connections;
            rows.binary_search_by(|row| row.labels.escaped_id().cmp(&escaped))
                .is_ok()
        })
    }

    /// Whether no collection has ended yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.state().up.is_none()
    }

    /// Goes on with what `old`, the same scope, has seen.
    pub(super) fn adopt(&self, old: &Self) {
        let before = old.state().clone();
        *self.state() = before;
        let timelines = old.timelines();
        *self
            .timelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = timelines;
    }

    /// What fetches a part of this scope.
    pub(super) fn gathering<'a>(&'a self, deadline: &'a Deadline) -> Gathering<'a> {
        Gathering {
            client: &self.shared.client,
            settings: &self.shared.settings,
            scope: &self.scope,
            selection: &self.selection,
            deadline,
            one_by_one: true,
        }
    }

    /// Decides what a scrape does here, without waiting.
    pub(super) fn part(&self) -> Part {
        let flight = self.flight();
        let now = Instant::now();
        let state = self.state();
        let Some(held) = &state.held else {
            return flight.map_or(Part::Start, Part::Join);
        };
        if let Some(flight) = flight {
            // One that waits for the quota takes minutes.
            return if self.shared.is_out_of_quota() {
                Part::Ready(ScrapeOutcome::Budgeted)
            } else {
                Part::Join(flight)
            };
        }
        let cache = self.shared.settings.cache;
        if state.up == Some(true) && !cache.is_zero() && now - held.at <= cache {
            return Part::Ready(ScrapeOutcome::Shared);
        }
        let cost = choose(&self.selection, &state.knowledge).cost;
        match self.shared.client.would_wait(cost) {
            Some(WaitReason::RetryAfter) => Part::Ready(ScrapeOutcome::Held),
            // One that has waited long enough begins all the same, at the pace
            // the quota allows; else a smaller neighbour always goes first.
            Some(_) if now - held.at > self.patience(&state.knowledge) => Part::Start,
            Some(_) => Part::Ready(ScrapeOutcome::Budgeted),
            None => Part::Start,
        }
    }

    /// Starts a collection, unless one has been started meanwhile. It goes on
    /// when the scrape that started it does not wait any longer.
    pub(super) fn start(self: &Arc<Self>, epoch: u64, span: Duration) -> watch::Receiver<()> {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = flight
            .as_ref()
            .filter(|running| running.has_changed().is_ok())
        {
            return running.clone();
        }
        let (over, running) = watch::channel(());
        *flight = Some(running.clone());
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let begun = Instant::now();
            let collection = Arc::clone(&this);
            let ended = tokio::spawn(async move { collection.run(epoch, span).await }).await;
            if ended.is_err() {
                // The panic itself is on stderr. What was seen before is all
                // that there is, and it must not look as if it were fresh.
                this.state().up = Some(false);
                tracing::error!("a collection broke off; this is a defect, please report it");
            }
            // Before the scrape goes on, so that what follows can be waited for.
            let reading = this.timelines().begin();
            drop(over);
            if let Some(reading) = reading {
                let left = span.saturating_sub(begun.elapsed());
                this.read_timelines(epoch, left).await;
                drop(reading);
            }
        });
        running
    }

    /// Waits for a collection, not beyond `deadline`; whether it is over.
    pub(super) async fn wait(mut flight: watch::Receiver<()>, deadline: Instant) -> bool {
        // Nothing is ever sent: the channel closes when the collection is over.
        timeout_at(deadline, flight.changed()).await.is_ok()
    }

    /// What a scrape shows that came by its data like this. `since`: a
    /// snapshot from then on is fresh, whatever may be held.
    pub(super) fn view(
        &self,
        outcome: ScrapeOutcome,
        since: Instant,
    ) -> (ScopeView, ScrapeOutcome) {
        let now = Instant::now();
        let mut state = self.state();
        let up = state.up == Some(true);
        let settings = &self.shared.settings;
        let patience = self.patience(&state.knowledge);
        let bound = match outcome {
            ScrapeOutcome::Budgeted => settings.hold + patience,
            ScrapeOutcome::Shared => settings.hold.max(settings.cache),
            _ => settings.hold,
        };
        let age = |held: &Held| now.saturating_duration_since(held.at);
        // What no scrape can show any more need not be kept either.
        let longest = settings.hold.max(settings.cache) + patience;
        if state
            .held
            .as_ref()
            .is_some_and(|held| held.at < since && age(held) > longest)
        {
            state.held = None;
        }
        let shown = state
            .held
            .as_ref()
            .filter(|held| held.at >= since || age(held) <= bound);
        let fresh = shown.is_some_and(|held| held.at >= since);
        let outcome = match outcome {
            _ if shown.is_none() => ScrapeOutcome::Empty,
            ScrapeOutcome::Fresh if !(up && fresh) => ScrapeOutcome::Held,
            ScrapeOutcome::Shared if !up => ScrapeOutcome::Held,
            outcome => outcome,
        };
        let snapshot = shown.map(|held| Arc::clone(&held.snapshot));
        (
            ScopeView {
                scope: Arc::clone(&self.scope),
                up,
                snapshot,
            },
            outcome,
        )
    }

    /// Whether not even one request fits into the quota now.
    pub(super) fn is_out_of_quota(&self) -> bool {
        self.shared.is_out_of_quota()
    }

    /// How old a snapshot gets in good order where the quota is short.
    fn patience(&self, known: &Knowledge) -> Duration {
        self.shared.client.pace(choose(&self.selection, known).cost) + QUOTA_PATIENCE
    }

    /// Whether the API has said that the project is not there, or not active.
    pub(super) fn is_gone(&self) -> bool {
        self.state().gone
    }

    /// The last snapshot, as long as there is one.
    pub(super) fn last(&self) -> ScopeView {
        let state = self.state();
        ScopeView {
            scope: Arc::clone(&self.scope),
            up: state.up == Some(true),
            snapshot: state.held.as_ref().map(|held| Arc::clone(&held.snapshot)),
        }
    }

    async fn run(&self, epoch: u64, span: Duration) {
        let deadline = Client::deadline(epoch, span, true);
        let (mut known, one_by_one, before, kept, cursor) = {
            let state = self.state();
            let one_by_one = state.knowledge.turn < state.distrust_until;
            let hold = self.shared.settings.hold;
            let longest = hold.max(self.shared.settings.cache);
            let before = state.held.clone().filter(|held| {
                // What was up is what the last collection saw, however long ago
                // that was; what is held while the API fails has its bound.
                state.up == Some(true) || held.at.elapsed() <= longest
            });
            let kept = state.kept.clone();
            (
                state.knowledge.clone(),
                one_by_one,
                before,
                kept,
                state.missing_cursor,
            )
        };
        let gathering = Gathering {
            client: &self.shared.client,
            settings: &self.shared.settings,
            scope: &self.scope,
            selection: &self.selection,
            deadline: &deadline,
            one_by_one,
        };
        let result = gathering.run(&mut known).await;
        let mut gathered = match result {
            Ok(gathered) => gathered,
            Err(error) => return self.failed(known, &error),
        };
        assemble::sort_and_deduplicate(&mut gathered.connections);
        let before = before.as_ref().map(|held| Before {
            snapshot: &held.snapshot,
            at: held.at,
            kept: &kept,
        });
        let unasked = self
            .confirm_missing(&gathering, &mut gathered, before.as_ref(), cursor)
            .await;
        let hold = self.shared.settings.hold;
        let assembled = assemble::assemble(
            &self.selection,
            &mut gathered,
            &unasked,
            before.as_ref(),
            |at| at.elapsed() <= hold,
        );
        self.finished(known, &gathered, assembled, one_by_one, unasked.len());
    }

    /// Asks for connections that went missing from a whole list. Returns those
    /// that it did not get to.
    async fn confirm_missing(
        &self,
        gathering: &Gathering<'_>,
        gathered: &mut Gathered,
        before: Option<&Before<'_>>,
        cursor: usize,
    ) -> HashSet<Box<str>> {
        if !gathered.listed {
            return HashSet::new();
        }
        let unread: HashSet<&str> = gathered
            .malformed
            .iter()
            .flatten()
            .map(|id| &**id)
            .collect();
        let missing: Vec<Box<str>> = match &self.selection {
            Selection::Every { .. } => before
                .iter()
                .flat_map(|before| {
                    assemble::missing(&before.snapshot.connections, &gathered.connections)
                })
                .map(|row| row.labels.id().into_owned())
                .filter(|id: &String| !unread.contains(id.as_str()))
                .map(Into::into)
                .collect(),
            Selection::Ids(ids) => {
                let here: HashSet<_> = gathered
                    .connections
                    .iter()
                    .map(|row| row.labels.id())
                    .collect();
                let gone: HashSet<_> = before
                    .iter()
                    .flat_map(|before| &before.snapshot.found)
                    .filter(|entry| !entry.found)
                    .map(|entry| &entry.id)
                    .collect();
                ids.iter()
                    .filter(|id| !here.contains(&***id) && !unread.contains(&***id))
                    .filter(|id| !gone.contains(id))
                    .cloned()
                    .collect()
            }
        };
        drop(unread);
        if missing.is_empty() {
            return HashSet::new();
        }
        // Going around, so that those that the list forgets again and again do
        // not keep the others from their turn.
        let start = cursor % missing.len();
        let turn: Vec<&str> = missing
            .iter()
            .map(|id| &**id)
            .cycle()
            .skip(start)
            .take(missing.len())
            .collect();
        let (now, later) = turn.split_at(turn.len().min(MISSING_PER_COLLECTION));
        tracing::debug!(
            missing = missing.len(),
            asked = now.len(),
            "asking for missing connections"
        );
        if let Err(error) = gathering.by_id(now, gathered).await {
            // The list came whole; these rows alone are not known.
            gathered.failed.extend(now.iter().map(|id| Box::from(*id)));
            gathered.failure.get_or_insert(error);
        }
        assemble::sort_and_deduplicate(&mut gathered.connections);
        self.state().missing_cursor = start + now.len();
        later.iter().map(|id| Box::from(*id)).collect()
    }

    fn failed(&self, known: Knowledge, error: &Error) {
        if error.was_not_sent() {
            self.shared.client.observer().error(error.reason());
        }
        {
            let mut state = self.state();
            state.knowledge = known;
            state.up = Some(false);
            state.gone = error.reason() == ErrorReason::ProjectNotFound;
        }
        tracing::warn!(
            account = self.scope.account(),
            project = self.scope.project(),
            endpoint = %error.endpoint(),
            reason = %error.reason(),
            %error,
            "collection failed"
        );
    }

    fn finished(
        &self,
        known: Knowledge,
        gathered: &Gathered,
        assembled: Assembled,
        one_by_one: bool,
        waiting: usize,
    ) {
        let observer = self.shared.client.observer();
        for _ in &gathered.malformed {
            observer.error(ErrorReason::MalformedRow);
        }
        self.shared.tell_unknown(&gathered.unknown);
        let whole = gathered.malformed.is_empty() && gathered.failed.is_empty();
        let mut connections = assembled.connections;
        if self.shared.settings.timeline_requests.is_some() {
            self.timelines().listed(&mut connections);
        }
        let snapshot = Snapshot {
            fetched_at: Timestamp::from(SystemTime::now()),
            clock: self.shared.client.clock().unwrap_or_default(),
            connections,
            found: assembled.found,
        };
        tracing::debug!(
            account = self.scope.account(),
            project = self.scope.project(),
            connections = snapshot.connections.len(),
            whole,
            waiting,
            "collected"
        );
        let recovered = {
            let mut state = self.state();
            if gathered.fell_back && !one_by_one {
                state.distrust_until = known.turn + DISTRUST;
            }
            state.knowledge = known;
            state.kept = assembled.kept;
            state.gone = false;
            state.held = Some(Held {
                snapshot: Arc::new(snapshot),
                at: Instant::now(),
            });
            let before = state.up.replace(whole);
            whole && before == Some(false)
        };
        if !whole {
            self.log_unwhole(gathered);
        } else if recovered {
            tracing::info!(
                account = self.scope.account(),
                project = self.scope.project(),
                "the API answers again"
            );
        }
    }

    fn log_unwhole(&self, gathered: &Gathered) {
        tracing::warn!(
            account = self.scope.account(),
            project = self.scope.project(),
            unreadable = gathered.malformed.len(),
            failed = gathered.failed.len(),
            error = gathered.failure.as_ref().map(tracing::field::display),
            "some connections could not be read; their last known state is kept"
        );
    }

    /// Reads timelines that wait, and shows what they told.
    async fn read_timelines(&self, epoch: u64, left: Duration) {
        let shared = &self.shared;
        let Some(requests) = shared.settings.timeline_requests else {
            return;
        };
        let cost = choose(&self.selection, &self.state().knowledge).cost;
        let deadline = Client::deadline(epoch, left, false);
        let timelines = self.timelines();
        let pass = Pass {
            reader: &timelines,
            shared,
            scope: &self.scope,
            deadline: &deadline,
            reserve: cost,
        };
        let changed = pass.run(requests).await;
        if changed.is_empty() {
            return;
        }
        let mut state = self.state();
        let Some(held) = &mut state.held else { return };
        // Copies the snapshot only while a scrape still shows it.
        let rows = &mut Arc::make_mut(&mut held.snapshot).connections;
        for (id, history) in changed {
            let mut escaped = String::with_capacity(id.len());
            escape_label_into(&mut escaped, &id);
            if let Ok(at) = rows.binary_search_by(|row| row.labels.escaped_id().cmp(&escaped)) {
                rows[at].history = Some(history);
            }
        }
    }

    fn timelines(&self) -> Arc<TimelineReader> {
        let timelines = self.timelines.lock();
        Arc::clone(&timelines.unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until no timeline is being read.
    pub(super) async fn timeline_settled(&self) {
        self.timelines().settled().await;
    }

    /// Connections whose timeline is still to be read.
    pub(super) fn timelines_pending(&self) -> usize {
        self.timelines().pending()
    }

    pub(super) fn flight(&self) -> Option<watch::Receiver<()>> {
        let flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        flight
            .clone()
            .filter(|running| running.has_changed().is_ok())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
