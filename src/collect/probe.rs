//! One connection, fetched now: what `/probe` asks for.
//!
//! A probe shows what the API says at this moment or nothing; it is neither
//! served from a snapshot nor does it change one. It obeys the same budget as
//! a collection, and probes of the same connection that overlap share one
//! request.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use thiserror::Error;
use tokio::time::timeout_at;

use super::account::Account;
use super::ceiling::ProbeCeiling;
use super::gathered::Gathered;
use super::probes::Outcome;
use super::request::Request;
use super::scope::ScopeWatcher;
use super::watcher::Watcher;
use crate::kernel::{Deadline, Error, Problem};
use crate::model::{
    AccountView, Endpoint, ErrorReason, Fleet, ScopeView, Selection, Snapshot, Timestamp,
    WaitReason,
};

/// What a probe found.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    /// The connection, where the API told about it, in its scope; and whether
    /// the API knows its id, where it said so.
    pub fleet: Arc<Fleet>,
    /// Whether the connection was fetched now.
    pub success: bool,
    /// Why it was not, in words without a secret.
    pub why: Option<String>,
}

/// Why it is not clear what to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum ProbeError {
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
    /// As many requests were sent within a minute as probes may cost.
    #[error(
        "probes have sent as many requests within a minute as --kernel.probe-requests allows; \
         scrapes of /metrics go on"
    )]
    Spent,
}

impl Watcher {
    /// Fetches the connection `id` now, by the request's deadline.
    ///
    /// Where `request` does not name the place and there are several, the
    /// latest snapshots tell; an id that they do not know is
    /// [`ProbeError::Ambiguous`].
    pub(crate) async fn probe(&self, id: &str, request: Request<'_>) -> Result<Probed, ProbeError> {
        let accounts: Vec<_> = self.wanted(&request).collect();
        let mut places = places(&accounts, request.project);
        let named = request.project.is_some() && places.len() == 1;
        if !named && !places.iter().any(|(_, scope)| scope.knows(id)) {
            let listed = accounts
                .iter()
                .map(|account| account.follow_projects(&request));
            // Without a list of projects in time there are those of before.
            let _ = timeout_at(request.deadline, join_all(listed)).await;
            places = self::places(&accounts, request.project);
        }
        let chosen = match choose(id, &places) {
            // Who would know it cannot tell at the moment.
            Err(ProbeError::Ambiguous) if places.iter().any(|(_, scope)| has_failed(scope)) => {
                let why = "it is not known where this connection is: the API fails for an account \
                           or project of several; name its own with account= and project=";
                return Ok(Probed::nothing(&why));
            }
            chosen => chosen?,
        };
        let Some((account, scope)) = chosen else {
            // Without a list of projects nobody can tell.
            return match request.project {
                None => Ok(Probed::nothing(&"the projects could not be listed")),
                Some(_) => Err(ProbeError::UnknownProject),
            };
        };
        if let Selection::Ids(ids) = scope.selection()
            && !ids.iter().any(|known| **known == *id)
        {
            return Err(ProbeError::NotSelected);
        }
        // Whoever joins later may wait longer than who asked first.
        let span = request.span(account.shared().settings.timeout);
        let begun = OnceLock::new();
        let probe = account.probes().share(scope.scope(), id, || {
            fetch(account, scope, &self.ceiling, id, span, &begun)
        });
        let Ok(outcome) = timeout_at(request.deadline, probe).await else {
            // Counted by the one that asked.
            if let Some(deadline) = begun.get() {
                late(account, scope, deadline);
            }
            return Ok(Probed::nothing(&"no answer in time"));
        };
        Ok(probed(
            scope,
            account,
            id,
            outcome.ok_or(ProbeError::Spent)?,
        ))
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

/// Whether its last collection failed; before the first one nothing has.
fn has_failed(scope: &ScopeWatcher) -> bool {
    scope
        .failure()
        .is_some_and(|reason| reason != ErrorReason::Starting)
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
    fn nothing(why: &impl ToString) -> Self {
        Self {
            fleet: Arc::default(),
            success: false,
            why: Some(why.to_string()),
        }
    }
}

/// Counts and tells why a probe has nothing in time.
fn late(account: &Account, scope: &ScopeWatcher, deadline: &Deadline) {
    let client = &account.shared().client;
    let problem = match client.would_wait(1) {
        _ if deadline.was_asked() => Problem::Timeout,
        Some(WaitReason::RetryAfter) => Problem::Blocked,
        Some(_) => Problem::OverQuota,
        None => Problem::Timeout,
    };
    let error = client.fail(Endpoint::Connection, problem);
    account.probes().failed(scope.scope(), &error);
}

/// What a probe shows that ended like this.
fn probed(
    scope: &ScopeWatcher,
    account: &Account,
    id: &str,
    outcome: Result<Arc<Gathered>, Arc<Error>>,
) -> Probed {
    let gathered = match outcome {
        Ok(gathered) => gathered,
        Err(error) => return Probed::nothing(&error),
    };
    let connections = gathered.connections.clone();
    let success = !connections.is_empty();
    let gone = gathered.gone.iter().any(|gone| **gone == *id);
    let why = match &gathered.failure {
        _ if success => None,
        Some(error) => Some(error.to_string()),
        None if gone => Some("Kernel does not know this connection".to_owned()),
        None if gathered.unreadable() > 0 => Some("the answer cannot be read".to_owned()),
        None => Some("the configuration does not select this connection".to_owned()),
    };
    let found = (success || gone).then(|| (id.into(), success));
    let snapshot = Snapshot {
        fetched_at: Timestamp::from(SystemTime::now()),
        clock: account.shared().client.clock().unwrap_or_default(),
        connections,
        found: found.into_iter().collect(),
        ..Snapshot::default()
    };
    Probed {
        fleet: Arc::new(Fleet {
            accounts: vec![AccountView::default()],
            scopes: vec![ScopeView {
                scope: Arc::clone(scope.scope()),
                project_name: None,
                failure: None,
                snapshot: Some(Arc::new(snapshot)),
            }],
        }),
        success,
        why,
    }
}

async fn fetch(
    account: &Account,
    scope: &ScopeWatcher,
    ceiling: &ProbeCeiling,
    id: &str,
    span: Duration,
    begun: &OnceLock<Arc<Deadline>>,
) -> Outcome {
    if !scope.knows(id) && ceiling.is_unknown(scope.scope(), id) {
        let mut gathered = Gathered::default();
        gathered.gone.push(id.into());
        return Some(Ok(Arc::new(gathered)));
    }
    if !ceiling.take() {
        return None;
    }
    let probes = account.probes();
    let deadline = probes
        .attempt(&account.shared().client, span)
        .await
        .lasting(span)
        .trying(2 * account.shared().settings.timeout)
        .aside()
        .deadline();
    let deadline = Arc::new(deadline);
    let _ = begun.set(Arc::clone(&deadline));
    let mut gathered = Gathered::default();
    let mut gathering = scope.gathering(&deadline);
    gathering.ceiling = Some(&ceiling.requests);
    let result = gathering.by_id(&[id], &mut gathered).await;
    if let Err(error) = result {
        probes.failed(scope.scope(), &error);
        return Some(Err(Arc::new(error)));
    }
    let shared = account.shared();
    shared.client.count_malformed(gathered.unreadable());
    shared.tell_unknown(&gathered.unknown);
    if !gathered.gone.is_empty() {
        ceiling.unknown(scope.scope(), id);
    }
    Some(Ok(Arc::new(gathered)))
}
