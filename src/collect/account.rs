//! One account: its key, its projects, and a watcher for each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::timeout_at;

use super::flight::Running;
use super::flows::CountedFlows;
use super::org::Org;
use super::probes::Probes;
use super::projects::ProjectList;
use super::request::Request;
use super::scope::ScopeWatcher;
use super::settings::{AccountSettings, Settings};
use super::shared::Shared;
use super::showing::Part;
use crate::kernel::{Attempt, Client};
use crate::model::{
    AccountView, ErrorReason, Projects, Scope, ScopeView, ScrapeOutcome, Selection, Timestamp,
    WaitReason,
};

/// Watches one account.
pub(super) struct Account {
    settings: AccountSettings,
    shared: Arc<Shared>,
    scopes: Mutex<Scopes>,
    projects: ProjectList,
    probes: Probes,
    org: Arc<Org>,
}

/// By project.
type Scopes = BTreeMap<Option<Box<str>>, Arc<ScopeWatcher>>;

impl Account {
    /// Goes on with what `previous` knows, where it is the same that this would
    /// know.
    pub(super) fn new(
        settings: AccountSettings,
        client: Client,
        shared: Arc<Settings>,
        flows: Arc<CountedFlows>,
        previous: Option<&Self>,
    ) -> Self {
        let previous_shared = previous.map(|previous| &*previous.shared);
        let shared = Shared::new(client, shared, flows, previous_shared);
        // Another key may be of another organisation.
        let same_key = previous.filter(|old| shared.client.has_key_of(&old.shared.client));
        // A reload asks for nothing anew.
        let org = same_key.map(|previous| Arc::clone(&previous.org));
        let org = org.unwrap_or_default();
        let list = previous.filter(|previous| previous.lists_projects());
        let account = Self {
            settings,
            shared: Arc::new(shared),
            scopes: Mutex::default(),
            projects: ProjectList::new(list.map(|previous| &previous.projects)),
            probes: Probes::default(),
            org,
        };
        let projects = match &account.settings.projects {
            Projects::Unscoped => vec![None],
            Projects::Listed(ids) => ids.iter().cloned().map(Some).collect(),
            Projects::All => account.projects.ids().into_iter().map(Some).collect(),
        };
        let since = account.shared.settings.started;
        account.follow(projects, previous, since);
        account
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.settings.name.as_deref()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Whether no collection has ended yet.
    pub(super) fn is_untouched(&self) -> bool {
        let scopes = self.scopes();
        let untouched = |scope: &Arc<ScopeWatcher>| scope.failure() == Some(ErrorReason::Starting);
        scopes.iter().all(untouched) && self.projects.is_untouched()
    }

    /// Its scopes, as far as they are known.
    pub(super) fn scopes(&self) -> Vec<Arc<ScopeWatcher>> {
        self.scopes.lock().values().cloned().collect()
    }

    /// Whether `project` is one of those; `None` before they are known.
    pub(super) fn has_project(&self, project: &str) -> Option<bool> {
        let followed = self.scopes.lock().contains_key(&Some(project.into()));
        (followed || !self.lists_projects() || self.projects.is_known()).then_some(followed)
    }

    /// Whether its projects are those that the API names.
    pub(super) fn lists_projects(&self) -> bool {
        self.settings.projects == Projects::All
    }

    /// Has the projects that the API names, in time for `request` if at all.
    pub(super) async fn follow_projects(self: &Arc<Self>, request: &Request<'_>) {
        if let Some(listing) = self.listing(request, &mut None).await {
            listing.over_by(request.deadline).await;
        }
    }

    /// What `request` shows of this account, by its deadline at the latest.
    pub(super) async fn collect(
        self: &Arc<Self>,
        request: &Request<'_>,
    ) -> Vec<(ScopeView, ScrapeOutcome)> {
        // Begun with the first request to the API.
        let mut attempt = None;
        let (deadline, project) = (request.deadline, request.project);
        // The projects that are known do not wait for the list of them.
        let listing = self.listing(request, &mut attempt).await;
        let wanted = |scope: &Arc<ScopeWatcher>| {
            project.is_none_or(|id| scope.scope().project() == Some(id))
        };
        let known: Vec<_> = self
            .scopes()
            .into_iter()
            .filter(|scope| wanted(scope) && (listing.is_none() || !scope.is_gone()))
            .collect();
        let mut scopes = match listing {
            None => self.collect_scopes(known, request, &mut attempt).await,
            Some(listing) => {
                let patience = self.projects.patience(deadline);
                let (mut scopes, _) = tokio::join!(
                    self.collect_scopes(known.clone(), request, &mut attempt),
                    listing.over_by(patience)
                );
                let now = self.scopes();
                let is_there = |scope: &Arc<Scope>| now.iter().any(|other| other.scope() == scope);
                scopes.retain(|(view, _)| is_there(&view.scope));
                let is_new = |scope: &Arc<ScopeWatcher>| {
                    !known.iter().any(|other| other.scope() == scope.scope())
                };
                let new = now
                    .iter()
                    .filter(|scope| wanted(scope) && is_new(scope))
                    .cloned();
                let new = self.collect_scopes(new.collect(), request, &mut attempt);
                scopes.extend(new.await);
                scopes
            }
        };
        scopes.sort_by(|(a, _), (b, _)| a.scope.project().cmp(&b.scope.project()));
        if let Some(attempt) = attempt {
            self.ask_of_org(attempt);
        }
        if project.is_none()
            && let Some(unknown) = self.unknown_projects()
        {
            scopes.push((unknown, ScrapeOutcome::Empty));
        }
        scopes
    }

    pub(super) fn org(&self) -> &Org {
        &self.org
    }

    /// Asks about the organisation where that is wanted and due, once these
    /// collections are over. Nobody waits for it.
    fn ask_of_org(self: &Arc<Self>, attempt: Attempt) {
        let all = self.shared.settings.org;
        let Some(asking) = self.org.due(&self.shared.client, all) else {
            return;
        };
        let scopes = self.scopes();
        let running: Vec<_> = scopes.iter().filter_map(|scope| scope.running()).collect();
        let this = Arc::clone(self);
        tokio::spawn(async move {
            join_all(running.into_iter().map(Running::over)).await;
            let client = &this.shared.client;
            let deadline = attempt.deadline();
            let exported = this.exported();
            let ask = this.org.ask(client, this.name(), &deadline, all, exported);
            ask.await;
            drop(asking);
        });
    }

    /// Whether all that the organisation has is meant to be shown.
    fn shows_all(&self) -> bool {
        self.lists_projects() && self.settings.selection == Selection::default()
    }

    /// How many connections are shown, where that is all there are and none is
    /// missing.
    fn exported(&self) -> Option<u64> {
        if !self.shows_all() || self.projects.failure().is_some() {
            return None;
        }
        let count = |view: ScopeView| {
            let snapshot = view.snapshot.as_ref().filter(|_| view.is_up())?;
            Some(snapshot.connections.len() as u64)
        };
        self.last().into_iter().map(count).sum()
    }

    /// Begins to ask the API, in time for `request` if at all.
    async fn begin(&self, request: &Request<'_>) -> Option<Attempt> {
        let timeout = self.shared.settings.timeout;
        let begun = self.shared.client.begin(request.span(timeout));
        let begun = timeout_at(request.deadline, begun).await.ok()?;
        Some(begun.trying(2 * timeout))
    }

    async fn collect_scopes(
        &self,
        mut scopes: Vec<Arc<ScopeWatcher>>,
        request: &Request<'_>,
        attempt: &mut Option<Attempt>,
    ) -> Vec<(ScopeView, ScrapeOutcome)> {
        // Those that hang hold the places of the others for as long as they may; of
        // them those first that have waited longest for one.
        scopes.sort_by_key(|scope| scope.silent());
        let parts: Vec<_> = scopes.iter().map(|scope| scope.part()).collect();
        if attempt.is_none() && parts.contains(&Part::Start) {
            *attempt = self.begin(request).await;
        }
        let attempt = *attempt;
        let under_way = scopes.into_iter().zip(parts).map(async |(scope, part)| {
            let (running, outcome) = match (part, attempt) {
                (Part::Ready(outcome), _) => (None, outcome),
                (Part::Join, _) => (scope.running(), ScrapeOutcome::Shared),
                (Part::Start, Some(attempt)) => (Some(scope.start(attempt)), ScrapeOutcome::Fresh),
                (Part::Start, None) => (None, ScrapeOutcome::Held),
            };
            let over = match running {
                Some(running) => running.over_by(request.deadline).await,
                None => true,
            };
            let outcome = match over {
                true => outcome,
                false if self.shared.is_out_of_quota() => ScrapeOutcome::Budgeted,
                false => ScrapeOutcome::Held,
            };
            let (view, outcome) = scope.view(outcome, request.arrived);
            (self.named(view), outcome)
        });
        join_all(under_way).await
    }

    /// With what people call its project.
    fn named(&self, view: ScopeView) -> ScopeView {
        let project = view.scope.project();
        let project_name = project.and_then(|project| self.projects.name_of(project));
        ScopeView {
            project_name,
            ..view
        }
    }

    /// The last snapshots, however old.
    pub(super) fn last(&self) -> Vec<ScopeView> {
        let scopes = self.scopes().into_iter();
        let views = scopes.map(|scope| self.named(scope.last()));
        views.chain(self.unknown_projects()).collect()
    }

    pub(super) fn rate_view(&self, now: Timestamp) -> AccountView {
        let rate = self.shared.client.rate();
        let mut org = self.org.view();
        // It may have been found out for another selection.
        org.connections_unseen = org.connections_unseen.filter(|_| self.shows_all());
        AccountView {
            account: self.settings.name.clone(),
            ratelimit_limit: rate.limit,
            ratelimit_remaining: rate.remaining,
            blocked_until: rate.blocked_for.map(|span| now.plus(span)),
            clock: self.shared.client.clock(),
            org,
        }
    }

    /// With `projects: all`, a list that could not be read means that there may
    /// be projects nobody looks at: shown as an account that is not up.
    fn unknown_projects(&self) -> Option<ScopeView> {
        if !self.lists_projects() {
            return None;
        }
        Some(ScopeView {
            scope: Arc::new(Scope::new(self.name(), None)),
            project_name: None,
            failure: Some(self.projects.failure()?),
            snapshot: None,
        })
    }

    /// The reading of the list of projects that is under way, or is started
    /// because the list is followed and not fresh. It goes on when the scrape
    /// that started it does not wait any longer.
    async fn listing(
        self: &Arc<Self>,
        request: &Request<'_>,
        attempt: &mut Option<Attempt>,
    ) -> Option<Running> {
        let gone = || self.scopes().iter().any(|scope| scope.is_gone());
        if !self.lists_projects() || (self.projects.is_fresh() && !gone()) {
            return None;
        }
        if let Some(running) = self.projects.reading.running() {
            return Some(running);
        }
        // What is known does for as long as there is nothing to ask with.
        let does = match self.shared.client.would_wait(1) {
            Some(WaitReason::RetryAfter) => self.projects.is_known(),
            Some(_) => self.projects.does(),
            None => false,
        };
        if does || !self.projects.may_read() {
            return None;
        }
        let begun = *attempt.insert(self.begin(request).await?);
        let (listing, running) = self.projects.reading.begin();
        let Some(listing) = listing else {
            return Some(running);
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            this.list_projects(begun).await;
            drop(listing);
        });
        Some(running)
    }

    async fn list_projects(&self, attempt: Attempt) {
        let is_gone = |id: &str| {
            let scope = self.scopes.lock().get(&Some(id.into())).cloned();
            scope.is_some_and(|scope| scope.is_gone())
        };
        let client = &self.shared.client;
        // New ones were not there when it was last read.
        let since = self
            .projects
            .read_at()
            .unwrap_or(self.shared.settings.started);
        let projects = &self.projects;
        match projects.read(client, attempt, self.name(), is_gone).await {
            Ok(()) => {
                let ids = self.projects.ids().into_iter();
                self.follow(ids.map(Some).collect(), None, since);
            }
            Err(error) if error.was_held_back() => {}
            Err(error) => tracing::warn!(
                account = self.name(),
                endpoint = %error.endpoint(),
                reason = %error.reason(),
                %error,
                "the projects cannot be listed"
            ),
        }
    }

    /// Has a watcher for each of these projects and for no other; new ones go
    /// on with what `previous` knows of their project, or watch it from `since`
    /// on.
    fn follow(&self, projects: Vec<Option<Box<str>>>, previous: Option<&Self>, since: Timestamp) {
        let previous = previous.map(|previous| previous.scopes.lock().clone());
        let mut followed = self.scopes.lock();
        let mut scopes = Scopes::new();
        for project in projects {
            let scope = followed.remove(&project).unwrap_or_else(|| {
                let previous = previous.as_ref().and_then(|scopes| scopes.get(&project));
                Arc::new(ScopeWatcher::new(
                    Scope::new(self.name(), project.as_deref()),
                    self.settings.selection.clone(),
                    Arc::clone(&self.shared),
                    previous.map(|previous| &**previous),
                    since,
                ))
            });
            scopes.insert(project, scope);
        }
        *followed = scopes;
    }
}
