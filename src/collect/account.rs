//! One account: its key, its projects, and a collector for each of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, timeout_at};

use super::probe::Probes;
use super::scope::{Part, ScopeCollector};
use super::{Selection, Settings};
use crate::kernel::{
    Client, Error, Page, PageHeaders, Problem, Project, Query, Unknown, next_page,
};
use crate::model::{AccountView, Endpoint, Scope, ScopeView, ScrapeOutcome, Timestamp};

/// How long a list of projects is good for. A project that answers that it is
/// gone has it read again at once.
const PROJECTS_AGE: Duration = Duration::from_mins(1);

/// Projects that are followed, and pages of their list.
const MAX_PROJECTS: usize = 10_000;
const MAX_PROJECT_PAGES: usize = 200;

/// The largest page of projects that is accepted.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Unknown values that are logged, once each.
const MAX_TOLD: usize = 256;

/// The projects of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projects {
    /// No project header: what the key's own scope says.
    Unscoped,
    /// These, by id.
    Listed(Vec<Box<str>>),
    /// The active ones that `GET /org/projects` names.
    All,
}

/// One account, as configured.
#[derive(Clone, Debug)]
pub struct AccountSettings {
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
    /// Held while the list of projects is read: once for all scrapes.
    listing: AsyncMutex<()>,
    probes: Probes,
}

#[derive(Default)]
struct State {
    scopes: BTreeMap<Option<Box<str>>, Arc<ScopeCollector>>,
    /// When the list of projects was last read whole.
    listed_at: Option<Instant>,
    /// The last try failed.
    listing_failed: bool,
}

/// What an account adds to a scrape.
pub(super) struct Contribution<'a> {
    pub(super) account: &'a Account,
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
            listing: AsyncMutex::default(),
            probes: Probes::default(),
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
    pub(super) async fn follow_projects(&self, deadline: Instant) {
        let span = deadline
            .saturating_duration_since(Instant::now())
            .max(self.shared.settings.timeout);
        self.list_projects(span, &mut None).await;
    }

    /// What a scrape shows of this account, by `deadline` at the latest.
    pub(super) async fn collect(
        &self,
        deadline: Instant,
        project: Option<&str>,
    ) -> Contribution<'_> {
        let arrived = Instant::now();
        let span = deadline
            .saturating_duration_since(arrived)
            .max(self.shared.settings.timeout);
        let mut epoch = None;
        // A list that is not there in time is failure enough to show.
        let _ = timeout_at(deadline, self.list_projects(span, &mut epoch)).await;
        let wanted: Vec<_> = self
            .state()
            .scopes
            .values()
            .filter(|scope| project.is_none_or(|id| scope.scope().project() == Some(id)))
            .cloned()
            .collect();
        let parts: Vec<_> = wanted.iter().map(|scope| scope.part()).collect();
        if epoch.is_none() && parts.iter().any(|part| matches!(part, Part::Start)) {
            epoch = timeout_at(deadline, self.shared.client.begin_epoch())
                .await
                .ok();
        }
        let under_way = wanted.into_iter().zip(parts).map(|(scope, part)| {
            let (flight, outcome) = match (part, epoch) {
                (Part::Ready(outcome), _) => (None, outcome),
                (Part::Join(flight), _) => (Some(flight), ScrapeOutcome::Shared),
                (Part::Start, Some(epoch)) => {
                    (Some(scope.start(epoch, span)), ScrapeOutcome::Fresh)
                }
                (Part::Start, None) => (None, ScrapeOutcome::Held),
            };
            Self::finish(scope, flight, outcome, arrived, deadline)
        });
        let mut scopes = futures_util::future::join_all(under_way).await;
        if project.is_none() && self.projects_are_unknown() {
            scopes.push((self.unknown_projects(), ScrapeOutcome::Empty));
        }
        Contribution {
            account: self,
            scopes,
        }
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
        scope.view(if over { outcome } else { ScrapeOutcome::Held }, arrived)
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

    /// Reads the list of projects where it is followed and not fresh.
    async fn list_projects(&self, span: Duration, epoch: &mut Option<u64>) {
        if self.settings.projects != Projects::All || self.projects_are_fresh() {
            return;
        }
        let _only_one = self.listing.lock().await;
        if self.projects_are_fresh() {
            return;
        }
        let begun = self.shared.client.begin_epoch().await;
        *epoch = Some(begun);
        match self.fetch_projects(begun, span).await {
            Ok(projects) => {
                let active = projects.into_iter().filter(|project| project.active);
                self.follow(active.map(|project| Some(project.id)).collect());
                let mut state = self.state();
                state.listed_at = Some(Instant::now());
                state.listing_failed = false;
            }
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

    async fn fetch_projects(&self, epoch: u64, span: Duration) -> Result<Vec<Project>, Error> {
        let client = &self.shared.client;
        let deadline = client.deadline(epoch, span, false);
        let mut projects: Vec<Project> = Vec::new();
        let mut offset = 0;
        let fail = |problem| {
            let error = Error::new(Endpoint::Projects, problem);
            client.observer().error(error.reason());
            error
        };
        for _ in 0..MAX_PROJECT_PAGES {
            let path = format!("/org/projects?limit=100&offset={offset}");
            let query = Query {
                endpoint: Endpoint::Projects,
                path: &path,
                project: None,
                max_body: MAX_BODY,
            };
            let answer = client.get(query, &deadline, Project::list).await?;
            projects.extend(answer.value);
            match next_page(offset, PageHeaders::read(&answer.headers)) {
                Ok(Page::Last) => return Ok(projects),
                Ok(Page::Next(next)) if projects.len() < MAX_PROJECTS => offset = next,
                Ok(Page::Next(_)) => break,
                Err(error) => return Err(fail(Problem::Paging(error))),
            }
        }
        Err(fail(Problem::TooManyPages {
            limit: MAX_PROJECT_PAGES,
        }))
    }

    /// Has a collector for each of these projects and for no other.
    fn follow(&self, projects: Vec<Option<Box<str>>>) {
        let mut state = self.state();
        let mut scopes = BTreeMap::new();
        for project in projects {
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
