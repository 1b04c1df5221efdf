//! The list of an organisation's projects.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::flight::Flight;
use super::memory::COLLECTIONS;
use super::rows::FRUITLESS;
use crate::kernel::{
    Attempt, Client, Deadline, Error, PageError, PerMinute, Problem, Project, Query, next_page,
};
use crate::model::{Endpoint, ErrorReason, Failure, Timestamp};

/// How long a list of projects is good for. A project that answers that it is
/// gone has it read again at once.
const GOOD_FOR: Duration = Duration::from_mins(1);

/// How long it does where the quota has nothing left. Then it is read all the
/// same, at the pace the quota allows; else the scopes always go first.
const DOES_FOR: Duration = Duration::from_mins(3);

/// How long a scrape that has something to show waits for the list.
const PATIENCE: Duration = Duration::from_secs(2);

/// Projects that are followed, and pages of their list.
const MAX_PROJECTS: usize = 10_000;
const MAX_PAGES: usize = 200;

/// So many of those that came or went are named in the log.
const NAMED: usize = 10;

/// How often the list is walked, at most, where projects move between its pages.
const WALKS: usize = 3;

/// By id: what people call it.
type Names = BTreeMap<Box<str>, Option<Arc<str>>>;

/// What is known of an account's projects, where the API is asked for them.
pub(super) struct ProjectList {
    state: Mutex<State>,
    pub(super) reading: Flight,
    readings: Mutex<PerMinute>,
    /// Until the first list is there.
    starting: Arc<Failure>,
}

#[derive(Clone, Default)]
struct State {
    /// When the list was last read whole.
    read_at: Option<Instant>,
    /// What made the last try fail.
    failure: Option<Arc<Failure>>,
    names: Names,
    /// Those among them that the last list lacked.
    absent: BTreeSet<Box<str>>,
}

impl ProjectList {
    /// Goes on with what `previous` knows.
    pub(super) fn new(previous: Option<&Self>) -> Self {
        let state = previous.map(|previous| previous.state.lock().clone());
        Self {
            state: Mutex::new(state.unwrap_or_default()),
            reading: Flight::default(),
            readings: Mutex::new(PerMinute::new(COLLECTIONS)),
            starting: Arc::new(Failure::starting(SystemTime::now().into())),
        }
    }

    /// Whether nobody has tried to read it yet.
    pub(super) fn is_untouched(&self) -> bool {
        let state = self.state.lock();
        state.read_at.is_none() && state.failure.is_none()
    }

    /// Whether it was read once.
    pub(super) fn is_known(&self) -> bool {
        self.state.lock().read_at.is_some()
    }

    /// When it was last read, on this machine's clock.
    pub(super) fn read_at(&self) -> Option<Timestamp> {
        let ago = self.state.lock().read_at?.elapsed();
        Some(Timestamp::from(SystemTime::now() - ago))
    }

    /// Until when a scrape waits for it, by its own `deadline`: not for long
    /// where projects are known.
    pub(super) fn patience(&self, deadline: Instant) -> Instant {
        if self.is_known() {
            deadline.min(Instant::now() + PATIENCE)
        } else {
            deadline
        }
    }

    /// Whether it need not be read again yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_younger_than(GOOD_FOR)
    }

    /// Whether it does for now where the quota has nothing left.
    pub(super) fn does(&self) -> bool {
        self.is_younger_than(DOES_FOR)
    }

    fn is_younger_than(&self, span: Duration) -> bool {
        let read_at = self.state.lock().read_at;
        read_at.is_some_and(|at| at.elapsed() < span)
    }

    /// Why there may be projects that nobody looks at.
    pub(super) fn failure(&self) -> Option<Arc<Failure>> {
        let state = self.state.lock();
        match (&state.failure, state.read_at) {
            (None, None) => Some(Arc::clone(&self.starting)),
            (failure, _) => failure.clone(),
        }
    }

    /// Whether it has not been read too often to be read again.
    pub(super) fn may_read(&self) -> bool {
        !self.readings.lock().is_spent()
    }

    /// What people call this project.
    pub(super) fn name_of(&self, project: &str) -> Option<Arc<str>> {
        self.state.lock().names.get(project)?.clone()
    }

    /// The ids of the active ones.
    pub(super) fn ids(&self) -> Vec<Box<str>> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// Reads it anew. `is_gone`: whether the API says of a project, asked for
    /// its connections, that it is not there.
    ///
    /// A project ends when it is listed as archived, when it is gone, and when
    /// a second list in a row lacks it: one list may be wrong.
    pub(super) async fn read(
        &self,
        client: &Client,
        attempt: Attempt,
        account: Option<&str>,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        self.readings.lock().note();
        let listed = fetch(client, attempt).await.inspect_err(|error| {
            if !error.was_held_back() {
                let message = format!("the projects cannot be listed: {error}");
                self.state.lock().fail(error.reason(), message.into());
            }
        })?;
        let mut state = self.state.lock();
        state.read_at = Some(Instant::now());
        let unreadable = listed.unreadable;
        client.count_malformed(unreadable);
        let lists_none = !listed.projects.values().any(|project| project.active);
        let before = state.names.clone();
        state.take(listed.projects, is_gone, lists_none || unreadable > 0);
        tell(account, &before, &state.names);
        if unreadable > 0 {
            let message = format!("{unreadable} of the projects in the list cannot be read");
            state.fail(ErrorReason::MalformedRow, message.into());
        } else if lists_none {
            // Every organisation has one, so this key is not meant to see any.
            let message = "the API lists no active project for this key; use a key of the \
                           organisation, or name the projects";
            state.fail(ErrorReason::ProjectNotFound, message.into());
        } else {
            state.failure = None;
        }
        Ok(())
    }
}

/// Logs which projects came and went.
fn tell(account: Option<&str>, before: &Names, now: &Names) {
    let those = |of: &Names, not_in: &Names| {
        let mut ids: Vec<_> = of
            .keys()
            .filter(|id| !not_in.contains_key(*id))
            .cloned()
            .collect();
        let count = ids.len();
        ids.truncate(NAMED);
        (count, ids.join(" "))
    };
    let ((came, new), (went, old)) = (those(now, before), those(before, now));
    if before.is_empty() {
        tracing::debug!(account, projects = came, ids = new, "projects are followed");
    } else if came + went > 0 {
        tracing::info!(account, came, new, went, old, "other projects are followed");
    }
}

impl State {
    /// Follows what is listed as active, and of the others those that may still
    /// be there: all of them after a list that `is_doubtful`, of which nothing is
    /// active, or not all can be read.
    fn take(
        &mut self,
        listed: BTreeMap<Box<str>, Project>,
        is_gone: impl Fn(&str) -> bool,
        is_doubtful: bool,
    ) {
        let absent_before = mem::take(&mut self.absent);
        self.names.retain(|id, _| {
            if listed.contains_key(id) || is_gone(id) {
                return false;
            }
            is_doubtful || (!absent_before.contains(id) && self.absent.insert(id.clone()))
        });
        let active = listed.into_values().filter(|project| project.active);
        let name = |project: Project| (project.id, project.name.map(Arc::from));
        self.names.extend(active.map(name));
    }

    fn fail(&mut self, reason: ErrorReason, message: Box<str>) {
        let failure = Failure {
            reason,
            since: Timestamp::from(SystemTime::now()),
            message,
            unread: 0,
        };
        let before = self.failure.take();
        self.failure = Some(Arc::new(failure.following(before.as_deref())));
    }
}

/// A list of projects, read to its end.
#[derive(Default)]
pub(crate) struct Listed {
    /// By id.
    pub(crate) projects: BTreeMap<Box<str>, Project>,
    /// Rows whose id cannot be read.
    unreadable: usize,
}

/// Reads the list to its end, by id; from the start again where projects moved
/// from page to page meanwhile.
pub(crate) async fn fetch(client: &Client, attempt: Attempt) -> Result<Listed, Error> {
    let deadline = attempt.stretching();
    for _ in 0..WALKS {
        if let Some(listed) = walk(client, &deadline).await? {
            return Ok(listed);
        }
    }
    Err(client.fail(Endpoint::Projects, Problem::Shifting { walks: WALKS }))
}

/// Reads the list once. Each page without gaps has its last project once more
/// on the next one; `None` where it is not there.
async fn walk(client: &Client, deadline: &Deadline) -> Result<Option<Listed>, Error> {
    let too_many = |limit| client.fail(Endpoint::Projects, Problem::TooManyPages { limit });
    let mut listed = Listed::default();
    let mut offset = 0;
    let mut last: Option<Box<str>> = None;
    let mut fruitless = 0;
    for _ in 0..MAX_PAGES {
        let path = format!("/org/projects?limit=100&offset={offset}");
        let query = Query::new(Endpoint::Projects, &path);
        let answer = client.get(query, deadline, Project::list).await?;
        let rows = answer.value;
        let overlaps = last.is_some();
        if last.is_some_and(|last| rows.iter().all(|row| row.id != last)) {
            return Ok(None);
        }
        let count = rows.len() as u64;
        let new = rows.iter().skip(usize::from(overlaps));
        listed.unreadable += new.filter(|row| row.id.is_empty()).count();
        last = rows.last().map(|row| row.id.clone());
        let usable = rows.into_iter().filter(|row| !row.id.is_empty());
        let projects = &mut listed.projects;
        let before = projects.len();
        projects.extend(usable.map(|row| (row.id.clone(), row)));
        fruitless = if projects.len() > before {
            0
        } else {
            fruitless + 1
        };
        if fruitless == FRUITLESS {
            let error = PageError::NothingNew { pages: FRUITLESS };
            return Err(client.fail(Endpoint::Projects, Problem::Paging(error)));
        }
        if projects.len() > MAX_PROJECTS {
            return Err(too_many(MAX_PROJECTS / 100));
        }
        match next_page(offset, &answer.headers) {
            Ok(None) => return Ok(Some(listed)),
            Ok(Some(next)) if next == offset + count && count > 1 => offset = next - 1,
            Ok(Some(next)) => (offset, last) = (next, None),
            Err(error) => return Err(client.fail(Endpoint::Projects, Problem::Paging(error))),
        }
    }
    Err(too_many(MAX_PAGES))
}
