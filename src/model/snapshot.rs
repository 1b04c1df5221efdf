//! What one collection saw, immutable, shared behind an `Arc`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{ClockOffset, Connection, ErrorReason, OrgView, Timestamp, labels};

/// Where connections were looked for: an account and one of its projects, each
/// only where the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Scope {
    account: Option<Box<str>>,
    project: Option<Box<str>>,
    suffix: Box<str>,
}

impl Scope {
    /// The scope of an account and a project.
    pub(crate) fn new(account: Option<&str>, project: Option<&str>) -> Self {
        let mut suffix = String::new();
        for (name, value) in [("project", project), ("account", account)] {
            if let Some(value) = value {
                suffix.push(',');
                suffix.push_str(name);
                suffix.push_str("=\"");
                labels::escape_label_into(&mut suffix, &labels::bound_label(value));
                suffix.push('"');
            }
        }
        Self {
            account: account.map(Into::into),
            project: project.map(Into::into),
            suffix: suffix.into(),
        }
    }

    /// Label `account`.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Label `project`: the project's id.
    pub(crate) fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// `,project="…",account="…"`, escaped; empty where neither is named.
    pub(crate) fn label_suffix(&self) -> &str {
        &self.suffix
    }
}

/// The connections of one scope at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// When the oldest page of it was asked for, on this machine's clock.
    pub fetched_at: Timestamp,
    /// How long it took from then on until all of it was there.
    pub took: Duration,
    /// How far the API's clock was ahead.
    pub clock: ClockOffset,
    /// The connections, sorted by escaped id, each id once.
    pub connections: Vec<Connection>,
    /// For each configured id that the API has answered for, whether it knows it.
    pub found: BTreeMap<Box<str>, bool>,
    /// How many configured ids the API has not answered for.
    pub unanswered: usize,
    /// Rows that could not be read at that moment and are shown as before: by
    /// escaped id, when they were asked for.
    pub kept: HashMap<Box<str>, Timestamp>,
}

impl Snapshot {
    /// Where the connection with this id stands.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        let mut escaped = String::with_capacity(id.len());
        labels::escape_label_into(&mut escaped, &labels::bound_label(id));
        let rows = &self.connections;
        rows.binary_search_by(|row| row.labels.escaped_id().cmp(&escaped))
            .ok()
    }

    /// When this one of its connections was asked for, where that was before.
    pub(crate) fn kept_since(&self, row: &Connection) -> Option<Timestamp> {
        self.kept.get(row.labels.escaped_id()).copied()
    }

    /// The configured ids that the API does not know.
    pub(crate) fn not_found(&self) -> impl Iterator<Item = &str> {
        let not_found = self.found.iter().filter(|(_, found)| !**found);
        not_found.map(|(id, _)| &**id)
    }

    /// The connection with this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Connection> {
        self.position(id).map(|at| &self.connections[at])
    }
}

/// One scope as a scrape sees it.
#[derive(Clone, Debug)]
pub(crate) struct ScopeView {
    /// Which account and project.
    pub scope: Arc<Scope>,
    /// What people call the project, where the API was asked for it.
    pub project_name: Option<Arc<str>>,
    /// Why the most recent collection did not come whole from the API.
    pub failure: Option<Arc<Failure>>,
    /// What there is to show: fresh, or held within its bound; `None` once the
    /// bound has passed or nothing was ever seen.
    pub snapshot: Option<Arc<Snapshot>>,
}

impl ScopeView {
    /// What people call the project: its name, else its id.
    pub(crate) fn project(&self) -> Option<&str> {
        self.project_name.as_deref().or(self.scope.project())
    }

    /// Whether the most recent collection came whole from the API.
    pub(crate) fn is_up(&self) -> bool {
        self.failure.is_none()
    }
}

/// What made the most recent collection of a scope fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Label `reason` of `kernel_auth_failure_reason`.
    pub reason: ErrorReason,
    /// Since when no collection has come whole, on this machine's clock.
    pub since: Timestamp,
    /// What happened and what to do, in a line without a secret.
    pub message: Box<str>,
    /// Connections that could not be read, where at least as many were; else 0.
    pub unread: u64,
}

impl Failure {
    /// Before the first collection has ended.
    pub(crate) fn starting(since: Timestamp) -> Self {
        Self {
            reason: ErrorReason::Starting,
            since,
            message: "no collection has ended yet".into(),
            unread: 0,
        }
    }

    /// Some failure, unless it is `up`.
    #[cfg(test)]
    pub(crate) fn unless(up: bool) -> Option<Arc<Self>> {
        let failure = Self {
            reason: ErrorReason::Timeout,
            since: Timestamp::from_seconds(0),
            message: "no whole answer in time".into(),
            unread: 0,
        };
        (!up).then(|| Arc::new(failure))
    }

    /// The same trouble as `before`, or another that followed it: since then.
    #[must_use]
    pub(crate) fn following(self, before: Option<&Self>) -> Self {
        Self {
            since: before.map_or(self.since, |before| before.since),
            ..self
        }
    }
}

/// One account as a scrape sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountView {
    /// Label `account`, where the configuration names it.
    pub account: Option<Box<str>>,
    /// `X-RateLimit-Limit` of the latest answer that had one: requests a
    /// minute for the whole organisation.
    pub ratelimit_limit: Option<u64>,
    /// `X-RateLimit-Remaining` of the same answer.
    pub ratelimit_remaining: Option<u64>,
    /// When requests may be sent again, while a 429 or the quota holds them.
    pub blocked_until: Option<Timestamp>,
    /// How far the API's clock is ahead, once an answer has told.
    pub clock: Option<ClockOffset>,
    /// What the collector `org` knows; empty where it is off.
    pub org: OrgView,
}

/// Everything one scrape shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    /// In the order of the configuration.
    pub accounts: Vec<AccountView>,
    /// Sorted by account, then project.
    pub scopes: Vec<ScopeView>,
}

impl Fleet {
    /// Every connection with its scope and snapshot.
    pub(crate) fn connections(&self) -> impl Iterator<Item = (&ScopeView, &Snapshot, &Connection)> {
        self.scopes.iter().flat_map(|view| {
            view.snapshot
                .as_deref()
                .into_iter()
                .flat_map(move |snapshot| {
                    snapshot
                        .connections
                        .iter()
                        .map(move |connection| (view, snapshot, connection))
                })
        })
    }
}
