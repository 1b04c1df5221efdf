//! One account: its key, its projects, and a collector for each of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::org::Org;
use super::probe::Probes;
use super::scope::{Part, ScopeCollector};
use super::{Settings, projects};
use crate::kernel::{Client, Unknown};
use crate::model::{
    AccountView, Projects, Scope, ScopeView, ScrapeOutcome, Selection, Timestamp, WaitReason,
};

/// How long a list of projects is good for. A project that answers that it is
/// gone has it read again at once.
const PROJECTS_AGE: Duration = Duration::from_mins(1);

/// Unknown values that are logged, once each.
const MAX_TOLD: usize = 256;

/// One account, as configured.
#[derive(Clone, Debug)]
pub(crate) struct AccountSettings {
    /// Label `account`.
    pub name: Option<Box<str>>,
    /// Where to look.
    pub projects: Projects,
    /// What for.
    pub selection: Selection,
}

/// What the scopes of an account share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) settings: Arc<Settings>,
    told: Mutex<HashSet<Unknown>>,
}

impl Shared {
    /// Whether not even one request fits into the quota now.
    pub(super) fn is_out_of_quota(&self) -> bool {
        self.client.would_wait(1) == Some(WaitReason::Quota)
    }

    fn told(&self) -> MutexGuard<'_, HashSet<Unknown>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts values that this build does not know, and logs each once.
    pub(super) fn tell_unknown(&self, unknown: &[Unknown]) {
        let mut told = self.told();
        for value in unknown {
            self.client.observer().unknown_value(value.field);
            if told.len() < MAX_TOLD && told.insert(value.clone()) {
                tracing::warn!(
                    field = %value.field,
                    value = shown(&value.value),
                    "the API sent a value that this version does not know; is there a newer one?"
                );
            }
        }
    }
}

/// A value that may be logged: an enum's, a code, a time. Anything else, such
/// as a sentence or a URL, may be what nobody should read.
fn shown(value: &str) -> &str {
    let of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:+".contains(&byte);
    if value.bytes().all(of_a_word) {
        value
    } else {
        "(not shown: not a word)"
    }
}

/// Collects one account.
pub(super) struct Account {
    settings: AccountSettings,
    shared: Arc<Shared>,
    state: Mutex<State>,
    probes: Probes,
    org: Org,
}

#[derive(Default)]
struct State {
    scopes: BTreeMap<Option<Box<str>>, Arc<ScopeCollector>>,
    /// When the list of projects was last read whole.
    listed_at: Option<Instant>,
    /// The last try failed.
    listing_failed: bool,
    /// Closed once the list was read, or could not be.
    listing: Option<watch::Receiver<()>>,
}

/// What one scrape goes by.
struct Scrape {
    arrived: Instant,
    deadline: Instant,
    /// What a collection may take that it starts.
    span: Duration,
    /// Begun with the first request.
    epoch: Option<u64>,
}

fn is_running(flight: &watch::Receiver<()>) -> bool {
    flight.has_changed().is_ok()
}

/// Waits until it is over, but not beyond `deadline`.
async fn over(mut flight: watch::Receiver<()>, deadline: Instant) {
    // Nothing is ever sent: the channel closes at the end.
    let _ = timeout_at(deadline, flight.changed()).await;
}

/// What an account adds to a scrape.
pub(super) struct Contribution {
    pub(super) account: Arc<Account>,
    pub(super) scopes: Vec<(ScopeView, ScrapeOutcome)>,
}

impl Account {
    pub(super) fn new(settings: AccountSettings, client: Client, shared: Arc<Settings>) -> Self {
        let shared = Arc::new(Shared {
            client,
            settings: shared,
            told: Mutex::default(),
        });
        let account = Self {
            settings,
            shared,
            state: Mutex::default(),
            probes: Probes::default(),
            org: Org::default(),
        };
        let fixed: Vec<Option<Box<str>>> = match &account.settings.projects {
            Projects::Unscoped => vec![None],
            Projects::Listed(ids) => ids.iter().cloned().map(Some).collect(),
            Projects::All => Vec::new(),
        };
        account.follow(fixed);
        account
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    pub(super) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn probes(&self) -> &Probes {
        &self.probes
    }

    pub(super) fn tell_unknown(&self, unknown: &[Unknown]) {
        self.shared.tell_unknown(unknown);
    }

    /// Whether no collection has ended yet.
    pub(super) fn is_untouched(&self) -> bool {
        let state = self.state();
        let mut scopes = state.scopes.values();
        scopes.all(|scope| scope.is_untouched())
            && state.listed_at.is_none()
            && !state.listing_failed
    }

    /// Takes over what `old` knows, where it is the same that this would know.
    pub(super) fn adopt(&self, old: &Self) {
        let before = old.shared.told().clone();
        self.shared.told().extend(before);
        self.org.adopt(&old.org);
        let same = self.settings.selection == old.settings.selection
            && self.shared.settings.profile_names == old.shared.settings.profile_names;
        if !same {
            return;
        }
        if self.lists_projects() && old.lists_projects() {
            let (projects, listed_at, listing_failed) = {
                let old = old.state();
                let projects = old.scopes.keys().cloned().collect();
                (projects, old.listed_at, old.listing_failed)
            };
            self.follow(projects);
            let mut state = self.state();
            state.listed_at = listed_at;
            state.listing_failed = listing_failed;
        }
        let before: BTreeMap<_, _> = old.state().scopes.clone();
        for (project, scope) in &self.state().scopes {
            if let Some(before) = before.get(project) {
                scope.adopt(before);
            }
        }
    }

    /// Its scopes, as far as they are known.
    pub(super) fn scopes(&self) -> Vec<Arc<ScopeCollector>> {
        self.state().scopes.values().cloned().collect()
    }

    /// Whether its projects are those that the API names.
    pub(super) fn lists_projects(&self) -> bool {
        self.settings.projects == Projects::All
    }

    /// Has the projects that the API names, by `deadline` if at all.
    pub(super) async fn follow_projects(self: &Arc<Self>, deadline: Instant) {
        let span = self.span(Instant::now(), deadline);
        if let Some(listing) = self.listing(span, &mut None, deadline).await {
            over(listing, deadline).await;
        }
    }

    /// What a scrape shows of this account, by `deadline` at the latest.
    pub(super) async fn collect(
        self: &Arc<Self>,
        deadline: Instant,
        project: Option<&str>,
    ) -> Contribution {
        let arrived = Instant::now();
        let span = self.span(arrived, deadline);
        let mut scrape = Scrape {
            arrived,
            deadline,
            span,
            epoch: None,
        };
        // The projects that are known do not wait for the list of them.
        let listing = self.listing(span, &mut scrape.epoch, deadline).await;
        let wanted = |scope: &Arc<ScopeCollector>| {
            project.is_none_or(|id| scope.scope().project() == Some(id))
        };
        let known: Vec<_> = self
            .scopes()
            .into_iter()
            .filter(|scope| wanted(scope) && (listing.is_none() || !scope.is_gone()))
            .collect();
        let mut scopes = match listing {
            None => self.collect_scopes(known, &mut scrape).await,
            Some(listing) => {
                let (mut scopes, ()) = tokio::join!(
                    self.collect_scopes(known.clone(), &mut scrape),
                    over(listing, deadline)
                );
                let now = self.scopes();
                let is_there = |scope: &Scope| now.iter().any(|other| other.scope() == scope);
                scopes.retain(|(view, _)| is_there(&view.scope));
                let is_new = |scope: &Arc<ScopeCollector>| {
                    !known.iter().any(|other| other.scope() == scope.scope())
                };
                let new = now
                    .iter()
                    .filter(|scope| wanted(scope) && is_new(scope))
                    .cloned();
                scopes.extend(self.collect_scopes(new.collect(), &mut scrape).await);
                scopes
            }
        };
        scopes.sort_by(|(a, _), (b, _)| a.scope.project().cmp(&b.scope.project()));
        if let Some(epoch) = scrape.epoch {
            self.ask_of_org(epoch, span);
        }
        if project.is_none() && self.projects_are_unknown() {
            scopes.push((self.unknown_projects(), ScrapeOutcome::Empty));
        }
        Contribution {
            account: Arc::clone(self),
            scopes,
        }
    }

    /// Asks about the organisation where that is wanted and due, once these
    /// collections are over. Nobody waits for it.
    fn ask_of_org(self: &Arc<Self>, epoch: u64, span: Duration) {
        if !self.shared.settings.org {
            return;
        }
        let Some(asking) = self.org.due() else {
            return;
        };
        let scopes = self.scopes();
        let flights: Vec<_> = scopes.iter().filter_map(|scope| scope.flight()).collect();
        let this = Arc::clone(self);
        tokio::spawn(async move {
            for mut flight in flights {
                // Nothing is ever sent: the channel closes at the end.
                let _ = flight.changed().await;
            }
            let client = &this.shared.client;
            let deadline = Client::deadline(epoch, span, false);
            let exported = this.exported();
            this.org.ask(client, this.name(), &deadline, exported).await;
            drop(asking);
        });
    }

    /// How many connections are shown, where those are meant to be all that
    /// the organisation has, and none is missing.
    fn exported(&self) -> Option<u64> {
        let all = self.settings.projects == Projects::All
            && self.settings.selection == Selection::default();
        if !all || self.projects_are_unknown() {
            return None;
        }
        let count = |view: ScopeView| {
            let snapshot = view.snapshot.filter(|_| view.up)?;
            Some(snapshot.connections.len() as u64)
        };
        self.last().into_iter().map(count).sum()
    }

    /// Connections whose timeline is still to be read.
    pub(super) fn timelines_pending(&self) -> usize {
        let scopes = self.scopes();
        scopes.iter().map(|scope| scope.timelines_pending()).sum()
    }

    /// Waits for what goes on after a collection.
    pub(super) async fn settled(&self) {
        let scopes = self.scopes();
        let scopes = scopes.iter().map(|scope| scope.timeline_settled());
        futures_util::future::join_all(scopes).await;
        self.org.settled().await;
    }

    /// What a collection may take that is started for a scrape until `deadline`.
    fn span(&self, now: Instant, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(now);
        left.max(self.shared.settings.timeout)
    }

    async fn collect_scopes(
        &self,
        scopes: Vec<Arc<ScopeCollector>>,
        scrape: &mut Scrape,
    ) -> Vec<(ScopeView, ScrapeOutcome)> {
        let parts: Vec<_> = scopes.iter().map(|scope| scope.part()).collect();
        if scrape.epoch.is_none() && parts.iter().any(|part| matches!(part, Part::Start)) {
            let begun = timeout_at(scrape.deadline, self.shared.client.begin_epoch()).await;
            scrape.epoch = begun.ok();
        }
        let under_way = scopes.into_iter().zip(parts).map(|(scope, part)| {
            let (flight, outcome) = match (part, scrape.epoch) {
                (Part::Ready(outcome), _) => (None, outcome),
                (Part::Join(flight), _) => (Some(flight), ScrapeOutcome::Shared),
                (Part::Start, Some(epoch)) => {
                    (Some(scope.start(epoch, scrape.span)), ScrapeOutcome::Fresh)
                }
                (Part::Start, None) => (None, ScrapeOutcome::Held),
            };
            Self::finish(scope, flight, outcome, scrape.arrived, scrape.deadline)
        });
        futures_util::future::join_all(under_way).await
    }

    async fn finish(
        scope: Arc<ScopeCollector>,
        flight: Option<watch::Receiver<()>>,
        outcome: ScrapeOutcome,
        arrived: Instant,
        deadline: Instant,
    ) -> (ScopeView, ScrapeOutcome) {
        let over = match flight {
            Some(flight) => ScopeCollector::wait(flight, deadline).await,
            None => true,
        };
        let outcome = match over {
            true => outcome,
            false if scope.is_out_of_quota() => ScrapeOutcome::Budgeted,
            false => ScrapeOutcome::Held,
        };
        scope.view(outcome, arrived)
    }

    /// The last snapshots, however old.
    pub(super) fn last(&self) -> Vec<ScopeView> {
        let mut views: Vec<_> = self
            .state()
            .scopes
            .values()
            .map(|scope| scope.last())
            .collect();
        if self.projects_are_unknown() {
            views.push(self.unknown_projects());
        }
        views
    }

    pub(super) fn rate_view(&self, now: Timestamp) -> AccountView {
        let rate = self.shared.client.rate();
        AccountView {
            account: self.settings.name.clone(),
            ratelimit_limit: rate.limit,
            ratelimit_remaining: rate.remaining,
            blocked_until: rate.blocked_for.map(|span| now.plus(span)),
            clock: self.shared.client.clock(),
            org: self.org.view(),
        }
    }

    /// With `projects: all`, a list that could not be read means that there may
    /// be projects nobody looks at: shown as an account that is not up.
    fn projects_are_unknown(&self) -> bool {
        let state = self.state();
        self.settings.projects == Projects::All
            && (state.listing_failed || state.listed_at.is_none())
    }

    fn unknown_projects(&self) -> ScopeView {
        let scope = Arc::new(Scope::new(self.name(), None));
        ScopeView {
            scope,
            up: false,
            snapshot: None,
        }
    }

    /// The reading of the list of projects that is under way, or is started
    /// because the list is followed and not fresh. It goes on when the scrape
    /// that started it does not wait any longer.
    async fn listing(
        self: &Arc<Self>,
        span: Duration,
        epoch: &mut Option<u64>,
        deadline: Instant,
    ) -> Option<watch::Receiver<()>> {
        if !self.lists_projects() || self.projects_are_fresh() {
            return None;
        }
        if let Some(running) = self.running_listing() {
            return Some(running);
        }
        // What is known does for as long as there is nothing to ask with.
        if self.state().listed_at.is_some() && self.shared.client.would_wait(1).is_some() {
            return None;
        }
        let begun = timeout_at(deadline, self.shared.client.begin_epoch()).await;
        let begun = begun.ok()?;
        *epoch = Some(begun);
        let mut state = self.state();
        if let Some(running) = state.listing.clone().filter(is_running) {
            return Some(running);
        }
        let (done, running) = watch::channel(());
        state.listing = Some(running.clone());
        let this = Arc::clone(self);
        tokio::spawn(async move {
            this.list_projects(begun, span).await;
            drop(done);
        });
        Some(running)
    }

    fn running_listing(&self) -> Option<watch::Receiver<()>> {
        self.state().listing.clone().filter(is_running)
    }

    async fn list_projects(&self, epoch: u64, span: Duration) {
        match projects::fetch(&self.shared.client, epoch, span).await {
            Ok(projects) => {
                let active = projects.into_iter().filter(|project| project.active);
                self.follow(active.map(|project| Some(project.id)).collect());
                let mut state = self.state();
                state.listed_at = Some(Instant::now());
                state.listing_failed = false;
            }
            Err(error) if error.was_held_back() => {}
            Err(error) => {
                self.state().listing_failed = true;
                tracing::warn!(
                    account = self.name(),
                    endpoint = %error.endpoint(),
                    reason = %error.reason(),
                    %error,
                    "the projects cannot be listed"
                );
            }
        }
    }

    fn projects_are_fresh(&self) -> bool {
        let state = self.state();
        let gone = state.scopes.values().any(|scope| scope.is_gone());
        !gone
            && state
                .listed_at
                .is_some_and(|at| at.elapsed() < PROJECTS_AGE)
    }

    /// Has a collector for each of these projects and for no other.
    fn follow(&self, projects: Vec<Option<Box<str>>>) {
        let mut state = self.state();
        let mut scopes = BTreeMap::new();
        for project in projects {
            // A list that shifts while it is read names one twice.
            if scopes.contains_key(&project) {
                continue;
            }
            let scope = state.scopes.remove(&project).unwrap_or_else(|| {
                Arc::new(ScopeCollector::new(
                    Scope::new(self.name(), project.as_deref()),
                    self.settings.selection.clone(),
                    Arc::clone(&self.shared),
                ))
            });
            scopes.insert(project, scope);
        }
        state.scopes = scopes;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
