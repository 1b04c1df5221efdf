//! One scope: its collections, one at a time, and what they left.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::assemble::{Kept, assemble};
use super::flight::{Flight, Running};
use super::gather::Gathering;
use super::gathered::Gathered;
use super::memory::{Memory, now};
use super::missing::Missing;
use super::plan::{Knowledge, choose};
use super::rows;
use super::shared::{Shared, tell_not_found};
use super::showing::{Part, Showing, nothing_in_time};
use super::timeline::{Pass, TimelineReader};
use crate::kernel::{Attempt, Deadline, Error, PageError, Problem};
use crate::model::{
    Endpoint, ErrorReason, Scope, ScopeView, ScrapeOutcome, Selection, Snapshot, Timestamp,
};

/// How long beyond `--kernel.hold` a snapshot is served that is old only
/// because the quota had nothing left: the quota is per minute.
const QUOTA_PATIENCE: Duration = Duration::from_mins(1);

/// Watches one scope.
pub(super) struct ScopeWatcher {
    scope: Arc<Scope>,
    selection: Selection,
    shared: Arc<Shared>,
    /// These are shared with the watcher that takes this one's place: what is
    /// under way then ends for both.
    memory: Arc<Mutex<Memory>>,
    flight: Arc<Flight>,
    timelines: Arc<TimelineReader>,
}

impl ScopeWatcher {
    /// Goes on with what `previous`, the same scope, has seen of it, where that
    /// is what this would see. Otherwise it watches from `since` on.
    pub(super) fn new(
        scope: Scope,
        selection: Selection,
        shared: Arc<Shared>,
        previous: Option<&Self>,
        since: Timestamp,
    ) -> Self {
        let same = previous.filter(|previous| {
            let names = previous.shared.settings.profile_names;
            previous.selection == selection && names == shared.settings.profile_names
        });
        let begun = same.map(|previous| (&previous.memory, &previous.flight));
        let (memory, flight) = begun
            .map(|(memory, flight)| (Arc::clone(memory), Arc::clone(flight)))
            .unwrap_or_default();
        // An event is counted once, whatever else is watched from now on.
        let timelines = previous
            .filter(|previous| previous.shared.settings.timeline_requests.is_some())
            .map(|previous| Arc::clone(&previous.timelines));
        Self {
            scope: Arc::new(scope),
            selection,
            shared,
            memory,
            flight,
            timelines: timelines.unwrap_or_else(|| Arc::new(TimelineReader::new(since))),
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
        let held = self.memory.lock().held.clone();
        held.is_some_and(|held| held.snapshot.find(id).is_some())
    }

    /// Why the last collection failed.
    pub(super) fn failure(&self) -> Option<ErrorReason> {
        let memory = self.memory.lock();
        memory.failure.as_ref().map(|failure| failure.reason)
    }

    /// When the API was last asked, where it left that without an answer.
    pub(super) fn silent(&self) -> Option<Instant> {
        self.memory.lock().silent
    }

    /// What fetches of this scope, by `deadline`.
    pub(super) fn gathering<'a>(&'a self, deadline: &'a Deadline) -> Gathering<'a> {
        Gathering {
            client: &self.shared.client,
            settings: &self.shared.settings,
            scope: &self.scope,
            selection: &self.selection,
            deadline,
            one_by_one: false,
            is_first: false,
            ceiling: None,
        }
    }

    fn showing<'a>(&'a self, memory: &'a Memory) -> Showing<'a> {
        let cost = choose(&self.selection, &memory.knowledge).cost;
        Showing {
            held: memory.held.as_ref(),
            up: memory.failure.is_none(),
            collected: memory.collected,
            now: Instant::now(),
            settings: &self.shared.settings,
            patience: self.shared.client.pace(cost) + QUOTA_PATIENCE,
        }
    }

    /// What a scrape does here, without waiting.
    pub(super) fn part(&self) -> Part {
        let running = self.flight.running().is_some();
        let memory = self.memory.lock();
        let cost = choose(&self.selection, &memory.knowledge).cost;
        let client = &self.shared.client;
        let spent = client.rate().limit.is_none() && memory.collections.is_spent();
        self.showing(&memory).part(
            running,
            self.shared.is_out_of_quota(),
            spent,
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
        let (begun, running) = self.flight.begin();
        let Some(begun) = begun else {
            return running;
        };
        let attempt = self.memory.lock().starts(attempt);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let collection = Arc::clone(&this);
            let deadline = Arc::new(attempt.stretching());
            let shared = Arc::clone(&deadline);
            let ended = tokio::spawn(async move { collection.run(&shared).await }).await;
            if ended.is_err() {
                // The panic itself is on stderr. What was seen before is all
                // that there is, and it must not look as if it were fresh.
                let broke_off = "a collection broke off; this is a defect, please report it";
                this.memory.lock().broke_off(broke_off);
                tracing::error!("{broke_off}");
            }
            // Before the scrape goes on, so that what follows can be waited for.
            let reading = this.timelines.begin();
            drop(begun);
            if let Some(reading) = reading {
                let left = deadline.at().saturating_duration_since(Instant::now());
                this.read_timelines(attempt.lasting(left).aside()).await;
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
        let mut memory = self.memory.lock();
        let showing = self.showing(&memory);
        let (snapshot, outcome) = showing.shown(outcome, since);
        if showing.is_spent(since) {
            memory.held = None;
        }
        let mut failure = memory.failure.clone();
        if snapshot.is_none() && failure.is_none() {
            let wait = self.shared.client.would_wait(1);
            failure = Some(Arc::new(nothing_in_time(wait, now())));
        }
        let view = ScopeView {
            scope: Arc::clone(&self.scope),
            project_name: None,
            failure,
            snapshot,
        };
        (view, outcome)
    }

    /// Whether the API has said that the project is not there, or not active.
    pub(super) fn is_gone(&self) -> bool {
        self.memory.lock().gone
    }

    /// The last snapshot, as long as there is one.
    pub(super) fn last(&self) -> ScopeView {
        let memory = self.memory.lock();
        ScopeView {
            scope: Arc::clone(&self.scope),
            project_name: None,
            failure: memory.failure.clone(),
            snapshot: memory.held.as_ref().map(|held| Arc::clone(&held.snapshot)),
        }
    }

    async fn run(&self, deadline: &Deadline) {
        let memory = self.memory.lock().clone();
        let before = self.showing(&memory).predecessor().cloned();
        let mut known = memory.knowledge.clone();
        let mut gathering = self.gathering(deadline);
        gathering.one_by_one = memory.distrusts_pages();
        // Ids that a list lacks are asked for by name.
        gathering.is_first = before.is_none() && self.selection.is_open();
        let result = gathering.run(&mut known).await;
        self.memory.lock().ended(result.as_ref().err(), deadline);
        let mut gathered = match result {
            Ok(gathered) => gathered,
            Err(error) => return self.failed(known, &error),
        };
        rows::sort_and_deduplicate(&mut gathered.connections);
        let missing = Missing::from(
            &self.selection,
            &gathered,
            before.as_ref(),
            &memory.absent,
            memory.missing_cursor,
        );
        self.ask_for(&missing, &gathering, &mut gathered).await;
        let hold = self.shared.settings.hold;
        let may_keep = |at: Instant| at.elapsed() <= hold;
        let keeps = before.as_ref().is_some_and(|before| may_keep(before.at));
        missing.judge(&mut gathered, keeps, || {
            let problem = Problem::Paging(PageError::CutShort);
            self.shared.client.fail(Endpoint::Connections, problem)
        });
        let read = gathered.connections.len();
        if read == 0 && gathered.unread() > 0 && gathered.gone.is_empty() {
            return self.read_nothing(known, &gathered);
        }
        let (snapshot, kept) = assemble(
            &self.selection,
            &mut gathered,
            &missing.later,
            before.as_ref(),
            may_keep,
        );
        self.finished(known, &gathered, read, snapshot, kept, &missing);
    }

    /// Asks for connections that went missing from a whole list.
    async fn ask_for(&self, missing: &Missing, gathering: &Gathering<'_>, gathered: &mut Gathered) {
        if missing.now.is_empty() {
            return;
        }
        tracing::debug!(
            asked = missing.now.len(),
            later = missing.later.len(),
            gone = missing.gone.len(),
            "asking for missing connections"
        );
        let ids: Vec<&str> = missing.now.iter().map(|id| &**id).collect();
        if let Err(error) = gathering.by_id(&ids, gathered).await {
            // The list came whole; these rows alone are not known.
            let (unread, gone) = (|id: &str| gathered.is_unread(id), &gathered.gone);
            let unasked = missing
                .now
                .iter()
                .filter(|id| !unread(id) && !gone.contains(*id));
            let unasked: Vec<_> = unasked.cloned().collect();
            gathered.failed.extend(unasked);
            gathered.failure.get_or_insert(error);
        }
        rows::sort_and_deduplicate(&mut gathered.connections);
    }

    fn failed(&self, known: Knowledge, error: &Error) {
        self.memory.lock().failed(known, error);
        tracing::warn!(
            account = self.scope.account(),
            project = self.scope.project(),
            endpoint = %error.endpoint(),
            reason = %error.reason(),
            %error,
            "collection failed"
        );
    }

    /// An answer in which nothing can be read is no answer.
    fn read_nothing(&self, known: Knowledge, gathered: &Gathered) {
        self.shared.client.count_malformed(gathered.unreadable());
        self.shared.tell_unknown(&gathered.unknown);
        self.memory.lock().read_nothing(known, gathered);
        tracing::warn!(
            account = self.scope.account(),
            project = self.scope.project(),
            unread = gathered.unread(),
            "no connection can be read"
        );
    }

    fn finished(
        &self,
        known: Knowledge,
        gathered: &Gathered,
        read: usize,
        mut snapshot: Snapshot,
        kept: Kept,
        missing: &Missing,
    ) {
        let client = &self.shared.client;
        client.count_malformed(gathered.unreadable());
        self.shared.tell_unknown(&gathered.unknown);
        snapshot.fetched_at = gathered.asked_at.unwrap_or_else(now);
        if self.shared.settings.timeline_requests.is_some() {
            let is_unread = |id: &str| gathered.is_unread(id);
            let asked_at = snapshot.fetched_at;
            self.timelines
                .listed(&mut snapshot.connections, asked_at, is_unread);
        }
        snapshot.took = now().span_since(snapshot.fetched_at);
        snapshot.clock = client.clock().unwrap_or_default();
        let (account, project) = (self.scope.account(), self.scope.project());
        let before = self.last().snapshot;
        tell_not_found(&self.scope, before.as_deref(), &snapshot);
        tracing::debug!(
            account,
            project,
            connections = snapshot.connections.len(),
            waiting = missing.later.len(),
            "collected"
        );
        let mut memory = self.memory.lock();
        let recovered = memory.finished(known, gathered, read, kept, missing, snapshot);
        let failure = memory.failure.clone();
        drop(memory);
        if let Some(failure) = failure {
            tracing::warn!(
                account,
                project,
                reason = %failure.reason,
                error = %failure.message,
                "some connections could not be read; their last known state is kept"
            );
        } else if recovered {
            tracing::info!(account, project, "the API answers again");
        }
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
            reserve: choose(&self.selection, &self.memory.lock().knowledge).cost,
        };
        let changed = pass.run(requests).await;
        if changed.is_empty() {
            return;
        }
        let mut memory = self.memory.lock();
        let Some(held) = &mut memory.held else { return };
        // Copies the snapshot only while a scrape still shows it.
        let snapshot = Arc::make_mut(&mut held.snapshot);
        for (id, history) in changed {
            if let Some(at) = snapshot.position(&id) {
                snapshot.connections[at].history = Some(history);
            }
        }
    }

    pub(super) fn timelines(&self) -> &TimelineReader {
        &self.timelines
    }
}
