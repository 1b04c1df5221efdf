//! One scope: its collections, one at a time, and what they left.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::assemble::{self, Assembled, Before, Kept};
use super::flight::{Flight, Running};
use super::gather::{Gathered, Gathering};
use super::missing::Missing;
use super::plan::{Knowledge, choose};
use super::shared::Shared;
use super::showing::{Held, Part, Showing};
use super::timeline::{Pass, TimelineReader};
use crate::kernel::{Attempt, Deadline, Error};
use crate::model::{
    ErrorReason, Failure, Scope, ScopeView, ScrapeOutcome, Selection, Snapshot, Timestamp,
};

/// How many collections go on one page after the other once the pages were not
/// where they should be.
const DISTRUST: u64 = 20;

/// How long beyond `--kernel.hold` a snapshot is served that is old only
/// because the quota had nothing left: the quota is per minute.
const QUOTA_PATIENCE: Duration = Duration::from_mins(1);

/// Watches one scope.
pub(super) struct ScopeWatcher {
    scope: Arc<Scope>,
    selection: Selection,
    shared: Arc<Shared>,
    state: Mutex<State>,
    flight: Flight,
    /// Shared with the watcher that takes this one's place.
    timelines: Arc<TimelineReader>,
}

#[derive(Clone)]
struct State {
    held: Option<Held>,
    /// What made the last collection fail; before the first one has ended,
    /// that there was none.
    failure: Option<Arc<Failure>>,
    knowledge: Knowledge,
    /// Walk one page after the other until this turn.
    distrust_until: u64,
    kept: Kept,
    /// Where to go on asking for connections that went missing.
    missing_cursor: usize,
    /// The last collection failed because there is no such active project.
    gone: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            held: None,
            failure: Some(Arc::new(Failure::starting(now()))),
            knowledge: Knowledge::default(),
            distrust_until: 0,
            kept: Kept::default(),
            missing_cursor: 0,
            gone: false,
        }
    }
}

impl State {
    fn fail(&mut self, reason: ErrorReason, message: Box<str>) {
        let failure = Failure {
            reason,
            since: now(),
            message,
        };
        self.failure = Some(Arc::new(failure.following(self.failure.as_deref())));
    }
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

impl ScopeWatcher {
    /// Goes on with what `previous`, the same scope, has seen.
    pub(super) fn new(
        scope: Scope,
        selection: Selection,
        shared: Arc<Shared>,
        previous: Option<&Self>,
    ) -> Self {
        let state = previous.map(|previous| previous.state().clone());
        let timelines = previous.map(|previous| Arc::clone(&previous.timelines));
        Self {
            scope: Arc::new(scope),
            selection,
            shared,
            state: Mutex::new(state.unwrap_or_default()),
            flight: Flight::default(),
            timelines: timelines.unwrap_or_default(),
        }
    }

    pub(super) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether the last snapshot has this connection.
    pub(super) fn knows(&self, id: &str) -> bool {
        let held = self.state().held.clone();
        held.is_some_and(|held| held.snapshot.find(id).is_some())
    }

    /// Whether no collection has ended yet.
    pub(super) fn is_untouched(&self) -> bool {
        let state = self.state();
        let reason = state.failure.as_ref().map(|failure| failure.reason);
        reason == Some(ErrorReason::Starting)
    }

    /// What fetches of this scope, by `deadline`.
    pub(super) fn gathering<'a>(
        &'a self,
        deadline: &'a Deadline,
        one_by_one: bool,
    ) -> Gathering<'a> {
        Gathering {
            client: &self.shared.client,
            settings: &self.shared.settings,
            scope: &self.scope,
            selection: &self.selection,
            deadline,
            one_by_one,
        }
    }

    fn showing<'a>(&'a self, state: &'a State) -> Showing<'a> {
        let cost = choose(&self.selection, &state.knowledge).cost;
        Showing {
            held: state.held.as_ref(),
            up: state.failure.is_none(),
            now: Instant::now(),
            settings: &self.shared.settings,
            patience: self.shared.client.pace(cost) + QUOTA_PATIENCE,
        }
    }

    /// Decides what a scrape does here, without waiting.
    pub(super) fn part(&self) -> Part {
        let running = self.flight.running().is_some();
        let state = self.state();
        let cost = choose(&self.selection, &state.knowledge).cost;
        let client = &self.shared.client;
        self.showing(&state).part(
            running,
            self.shared.is_out_of_quota(),
            client.would_wait(cost),
        )
    }

    /// The collection that is under way.
    pub(super) fn running(&self) -> Option<Running> {
        self.flight.running()
    }

    /// Starts a collection, unless one has been started meanwhile. It goes on
    /// when the scrape that started it does not wait any longer.
    pub(super) fn start(self: &Arc<Self>, attempt: Attempt) -> Running {
        let begun = match self.flight.begin() {
            Ok(begun) => begun,
            Err(running) => return running,
        };
        let running = begun.running();
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let start = Instant::now();
            let collection = Arc::clone(&this);
            let ended = tokio::spawn(async move { collection.run(attempt).await }).await;
            if ended.is_err() {
                // The panic itself is on stderr. What was seen before is all
                // that there is, and it must not look as if it were fresh.
                let broke_off = "a collection broke off; this is a defect, please report it";
                this.state().fail(ErrorReason::Decode, broke_off.into());
                tracing::error!("{broke_off}");
            }
            // Before the scrape goes on, so that what follows can be waited for.
            let reading = this.timelines.begin();
            drop(begun);
            if let Some(reading) = reading {
                this.read_timelines(attempt.after(start.elapsed())).await;
                drop(reading);
            }
        });
        running
    }

    /// What a scrape shows that came by its data like this. `since`: a
    /// snapshot from then on is fresh, whatever may be held.
    pub(super) fn view(
        &self,
        outcome: ScrapeOutcome,
        since: Instant,
    ) -> (ScopeView, ScrapeOutcome) {
        let mut state = self.state();
        let showing = self.showing(&state);
        let (snapshot, outcome) = showing.shown(outcome, since);
        if showing.is_spent(since) {
            state.held = None;
        }
        let mut failure = state.failure.clone();
        if snapshot.is_none() && failure.is_none() {
            failure = Some(Arc::new(self.nothing_in_time()));
        }
        let view = ScopeView {
            scope: Arc::clone(&self.scope),
            failure,
            snapshot,
        };
        (view, outcome)
    }

    /// Nothing is shown although nothing has failed: the collection is not over
    /// yet, and what was seen before is too old.
    fn nothing_in_time(&self) -> Failure {
        let (reason, message) = if self.is_out_of_quota() {
            let waiting = "waiting, to stay within --kernel.quota-share of the rate limit";
            (ErrorReason::Quota, waiting)
        } else {
            (ErrorReason::Timeout, "the collection did not end in time")
        };
        Failure {
            reason,
            since: now(),
            message: message.into(),
        }
    }

    /// Whether not even one request fits into the quota now.
    pub(super) fn is_out_of_quota(&self) -> bool {
        self.shared.is_out_of_quota()
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
            failure: state.failure.clone(),
            snapshot: state.held.as_ref().map(|held| Arc::clone(&held.snapshot)),
        }
    }

    async fn run(&self, attempt: Attempt) {
        let deadline = attempt.stretching();
        let state = self.state().clone();
        let mut known = state.knowledge.clone();
        let gathering = self.gathering(&deadline, known.turn < state.distrust_until);
        let mut gathered = match gathering.run(&mut known).await {
            Ok(gathered) => gathered,
            Err(error) => return self.failed(known, &error),
        };
        assemble::sort_and_deduplicate(&mut gathered.connections);
        let before = self.showing(&state).predecessor().cloned();
        let before = before.as_ref().map(|held| Before {
            snapshot: &held.snapshot,
            at: held.at,
            kept: &state.kept,
        });
        let missing = Missing::from(
            &self.selection,
            &gathered,
            before.as_ref(),
            state.missing_cursor,
        );
        self.ask_for(&missing, &gathering, &mut gathered).await;
        let hold = self.shared.settings.hold;
        let assembled = assemble::assemble(
            &self.selection,
            &mut gathered,
            &missing.later,
            before.as_ref(),
            |at| at.elapsed() <= hold,
        );
        self.finished(known, &gathered, assembled, &missing, gathering.one_by_one);
    }

    /// Asks for connections that went missing from a whole list.
    async fn ask_for(&self, missing: &Missing, gathering: &Gathering<'_>, gathered: &mut Gathered) {
        if missing.now.is_empty() {
            return;
        }
        tracing::debug!(
            asked = missing.now.len(),
            later = missing.later.len(),
            "asking for missing connections"
        );
        let ids: Vec<&str> = missing.now.iter().map(|id| &**id).collect();
        if let Err(error) = gathering.by_id(&ids, gathered).await {
            // The list came whole; these rows alone are not known.
            gathered.failed.extend(missing.now.iter().cloned());
            gathered.failure.get_or_insert(error);
        }
        assemble::sort_and_deduplicate(&mut gathered.connections);
    }

    fn failed(&self, known: Knowledge, error: &Error) {
        {
            let mut state = self.state();
            state.knowledge = known;
            state.fail(error.reason(), error.to_string().into());
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
        missing: &Missing,
        one_by_one: bool,
    ) {
        self.shared.client.count_malformed(gathered.malformed.len());
        self.shared.tell_unknown(&gathered.unknown);
        let whole = gathered.malformed.is_empty() && gathered.failed.is_empty();
        let mut connections = assembled.connections;
        if self.shared.settings.timeline_requests.is_some() {
            self.timelines.listed(&mut connections);
        }
        let snapshot = Snapshot {
            fetched_at: now(),
            clock: self.shared.client.clock().unwrap_or_default(),
            connections,
            found: assembled.found,
        };
        tracing::debug!(
            account = self.scope.account(),
            project = self.scope.project(),
            connections = snapshot.connections.len(),
            whole,
            waiting = missing.later.len(),
            "collected"
        );
        let recovered = {
            let mut state = self.state();
            if gathered.fell_back && !one_by_one {
                state.distrust_until = known.turn + DISTRUST;
            }
            state.knowledge = known;
            state.kept = assembled.kept;
            state.missing_cursor = missing.cursor;
            state.gone = false;
            state.held = Some(Held {
                snapshot: Arc::new(snapshot),
                at: Instant::now(),
            });
            let recovered = whole
                && state
                    .failure
                    .as_ref()
                    .is_some_and(|failure| failure.reason != ErrorReason::Starting);
            match unwhole(gathered) {
                Some((reason, message)) => state.fail(reason, message),
                None => state.failure = None,
            }
            recovered
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
    async fn read_timelines(&self, attempt: Attempt) {
        let shared = &self.shared;
        let Some(requests) = shared.settings.timeline_requests else {
            return;
        };
        let pass = Pass {
            reader: &self.timelines,
            shared,
            scope: &self.scope,
            deadline: &attempt.deadline(),
            reserve: choose(&self.selection, &self.state().knowledge).cost,
        };
        let changed = pass.run(requests).await;
        if changed.is_empty() {
            return;
        }
        let mut state = self.state();
        let Some(held) = &mut state.held else { return };
        // Copies the snapshot only while a scrape still shows it.
        let snapshot = Arc::make_mut(&mut held.snapshot);
        for (id, history) in changed {
            if let Some(at) = snapshot.position(&id) {
                snapshot.connections[at].history = Some(history);
            }
        }
    }

    /// Waits until no timeline is being read.
    pub(super) async fn timeline_settled(&self) {
        self.timelines.settled().await;
    }

    /// Connections whose timeline is still to be read.
    pub(super) fn timelines_pending(&self) -> usize {
        self.timelines.pending()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a collection whose list came whole does not count as whole.
fn unwhole(gathered: &Gathered) -> Option<(ErrorReason, Box<str>)> {
    let rows = |count: usize| if count == 1 { "row" } else { "rows" };
    if let Some(error) = &gathered.failure {
        let failed = gathered.failed.len();
        let message = format!("{failed} {} could not be asked for: {error}", rows(failed));
        return Some((error.reason(), message.into()));
    }
    let unreadable = gathered.malformed.len();
    (unreadable > 0).then(|| {
        let message = format!("{unreadable} {} cannot be read", rows(unreadable));
        (ErrorReason::MalformedRow, message.into())
    })
}
