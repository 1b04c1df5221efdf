//! One connection, fetched now: what `/probe` asks for.
//!
//! A probe shows what the API says at this moment or nothing; it is neither
//! served from a snapshot nor does it change one. It obeys the same budget as
//! a collection, and probes of the same connection that overlap share one
//! request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::account::Account;
use super::flight::Flight;
use super::gather::Gathered;
use super::scope::ScopeWatcher;
use super::{Request, Watcher};
use crate::kernel::{Attempt, Error};
use crate::model::{AccountView, Fleet, Found, ScopeView, Selection, Snapshot, Timestamp};

/// How long probes share one look at the key, so that a key that is refused
/// costs one request in this time, however many connections are probed.
const ATTEMPT_AGE: Duration = Duration::from_secs(10);

/// At most one log line about failing probes in this time and account.
const LOG_PAUSE: Duration = Duration::from_mins(1);

/// What a probe found.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    /// The connection, where the API told about it, in its scope; and whether
    /// the API knows its id, where it said so.
    pub fleet: Arc<Fleet>,
    /// Whether the connection was fetched now.
    pub success: bool,
}

/// Why it is not clear what to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum ProbeError {
    /// No such account.
    #[error("no such account in the configuration")]
    UnknownAccount,
    /// The project is none of the configured ones.
    #[error("no such project in the configuration")]
    UnknownProject,
    /// It could be in several places.
    #[error(
        "there are several accounts or projects; name the connection's own with account= and project="
    )]
    Ambiguous,
    /// The configuration names connections by id, and not this one.
    #[error("the configuration does not select this connection")]
    NotSelected,
}

type Outcome = Result<Arc<Gathered>, Arc<Error>>;

/// A project and a connection's id.
type Key = (Option<Box<str>>, Box<str>);

/// The probes of one account.
#[derive(Default)]
pub(super) struct Probes {
    /// Those that somebody waits for.
    current: Mutex<HashMap<Key, Weak<Current>>>,
    /// The look at the key that probes share, and since when.
    attempt: tokio::sync::Mutex<Option<(Attempt, Instant)>>,
    failures: Mutex<Failures>,
}

/// A probe, and what it brought.
#[derive(Default)]
struct Current {
    flight: Flight,
    outcome: OnceLock<Outcome>,
}

/// Failures since the last log line about them.
#[derive(Default)]
struct Failures {
    count: u64,
    told: Option<Instant>,
}

impl Watcher {
    /// Fetches the connection `id` now, by the request's deadline.
    ///
    /// Where `request` does not name the place and there are several, the
    /// latest snapshots tell; an id that they do not know is
    /// [`ProbeError::Ambiguous`].
    pub(crate) async fn probe(&self, id: &str, request: Request<'_>) -> Result<Probed, ProbeError> {
        let accounts: Vec<_> = self.wanted(&request).collect();
        if accounts.is_empty() {
            return Err(ProbeError::UnknownAccount);
        }
        let mut places = places(&accounts, request.project);
        let named = request.project.is_some() && places.len() == 1;
        if !named && !places.iter().any(|(_, scope)| scope.knows(id)) {
            let listed = accounts
                .iter()
                .map(|account| account.follow_projects(request.deadline));
            // Without a list of projects in time there are those of before.
            let _ = timeout_at(request.deadline, join_all(listed)).await;
            places = self::places(&accounts, request.project);
        }
        let Some((account, scope)) = choose(id, &places)? else {
            let listed = accounts.iter().any(|account| account.lists_projects());
            return if listed {
                Ok(Probed::nothing())
            } else {
                Err(ProbeError::UnknownProject)
            };
        };
        if let Selection::Ids(ids) = scope.selection()
            && !ids.iter().any(|known| **known == *id)
        {
            return Err(ProbeError::NotSelected);
        }
        let probe = account.probes().share(account, scope, id, request.deadline);
        let outcome = timeout_at(request.deadline, probe).await;
        Ok(probed(scope, account, id, outcome.ok()))
    }
}

/// Where a connection can be.
type Place<'a> = (&'a Arc<Account>, Arc<ScopeWatcher>);

fn places<'a>(accounts: &[&'a Arc<Account>], project: Option<&str>) -> Vec<Place<'a>> {
    accounts
        .iter()
        .flat_map(|account| {
            let scopes = account.scopes();
            scopes.into_iter().map(move |scope| (*account, scope))
        })
        .filter(|(_, scope)| project.is_none_or(|id| scope.scope().project() == Some(id)))
        .collect()
}

/// The one place where `id` can be; `None` where there is none at all.
fn choose<'a, 'b>(id: &str, places: &'a [Place<'b>]) -> Result<Option<&'a Place<'b>>, ProbeError> {
    if let [] | [_] = places {
        return Ok(places.first());
    }
    let mut known = places.iter().filter(|(_, scope)| scope.knows(id));
    match (known.next(), known.next()) {
        (Some(place), None) => Ok(Some(place)),
        _ => Err(ProbeError::Ambiguous),
    }
}

impl Probed {
    fn nothing() -> Self {
        Self {
            fleet: Arc::default(),
            success: false,
        }
    }
}

/// What a probe shows that ended like this; `None`: not in time.
fn probed(scope: &ScopeWatcher, account: &Account, id: &str, outcome: Option<Outcome>) -> Probed {
    let Some(Ok(gathered)) = outcome else {
        return Probed::nothing();
    };
    let connections = gathered.connections.clone();
    let success = !connections.is_empty();
    let gone = gathered.gone.iter().any(|gone| **gone == *id);
    let found = (success || gone).then(|| Found {
        id: id.into(),
        found: success,
    });
    let snapshot = Snapshot {
        fetched_at: Timestamp::from(SystemTime::now()),
        clock: account.shared().client.clock().unwrap_or_default(),
        connections,
        found: found.into_iter().collect(),
    };
    Probed {
        fleet: Arc::new(Fleet {
            accounts: vec![AccountView::default()],
            scopes: vec![ScopeView {
                scope: Arc::clone(scope.scope()),
                up: success,
                snapshot: Some(Arc::new(snapshot)),
            }],
        }),
        success,
    }
}

impl Probes {
    /// The probe of `id` that is under way, or a new one. It goes on as long
    /// as somebody waits for it.
    async fn share(
        &self,
        account: &Account,
        scope: &ScopeWatcher,
        id: &str,
        deadline: Instant,
    ) -> Outcome {
        let current = self.current(scope, id);
        loop {
            match current.flight.begin() {
                Ok(begun) => {
                    // Whoever joins later may wait longer than who asked first.
                    let left = deadline.saturating_duration_since(Instant::now());
                    let span = left.max(account.shared().settings.timeout);
                    let outcome = fetch(account, scope, id, span).await;
                    let outcome = current.outcome.get_or_init(|| outcome).clone();
                    drop(begun);
                    return outcome;
                }
                Err(running) => running.over().await,
            }
            // Nothing, where the one that was asking went away.
            if let Some(outcome) = current.outcome.get() {
                return outcome.clone();
            }
        }
    }

    fn current(&self, scope: &ScopeWatcher, id: &str) -> Arc<Current> {
        let key: Key = (scope.scope().project().map(Into::into), id.into());
        let mut all = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = all.get(&key).and_then(Weak::upgrade)
            && current.outcome.get().is_none()
        {
            return current;
        }
        all.retain(|_, current| current.strong_count() > 0);
        let current = Arc::new(Current::default());
        all.insert(key, Arc::downgrade(&current));
        current
    }

    async fn attempt(&self, account: &Account, span: Duration) -> Attempt {
        let mut shared = self.attempt.lock().await;
        if let Some((attempt, since)) = *shared
            && since.elapsed() < ATTEMPT_AGE
        {
            return attempt;
        }
        let begun = account.shared().client.begin(span).await;
        *shared = Some((begun, Instant::now()));
        begun
    }

    /// Says that probes fail, not oftener than somebody wants to read it.
    fn failed(&self, scope: &ScopeWatcher, error: &Error) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.count += 1;
        if failures.told.is_some_and(|at| at.elapsed() < LOG_PAUSE) {
            return;
        }
        tracing::warn!(
            account = scope.scope().account(),
            project = scope.scope().project(),
            reason = %error.reason(),
            failures = failures.count,
            %error,
            "probes fail"
        );
        *failures = Failures {
            count: 0,
            told: Some(Instant::now()),
        };
    }
}

async fn fetch(account: &Account, scope: &ScopeWatcher, id: &str, span: Duration) -> Outcome {
    let probes = account.probes();
    let deadline = probes.attempt(account, span).await.lasting(span).deadline();
    let mut gathered = Gathered::default();
    let result = scope
        .gathering(&deadline, true)
        .by_id(&[id], &mut gathered)
        .await;
    if let Err(error) = result {
        probes.failed(scope, &error);
        return Err(Arc::new(error));
    }
    let shared = account.shared();
    shared.client.count_malformed(gathered.malformed.len());
    shared.tell_unknown(&gathered.unknown);
    Ok(Arc::new(gathered))
}
