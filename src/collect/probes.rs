//! The probes of one account that are under way: those of the same connection
//! share one request, and all of them one look at the key.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::flight::Flight;
use super::gathered::Gathered;
use crate::kernel::{Attempt, Client, Error};
use crate::model::Scope;

/// How long probes share one look at the key, so that a key that is refused
/// costs one request in this time, however many connections are probed.
const ATTEMPT_AGE: Duration = Duration::from_secs(10);

/// At most one log line about failing probes in this time and account.
const LOG_PAUSE: Duration = Duration::from_mins(1);

/// What a probe brought; `None`: as many were sent as may.
pub(super) type Outcome = Option<Result<Arc<Gathered>, Arc<Error>>>;

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

impl Probes {
    /// The probe of `id` that is under way, or a new one. It goes on as long
    /// as somebody waits for it.
    pub(super) async fn share<F: Future<Output = Outcome>>(
        &self,
        scope: &Scope,
        id: &str,
        fetch: impl Fn() -> F,
    ) -> Outcome {
        let current = self.current(scope, id);
        loop {
            let (begun, running) = current.flight.begin();
            if let Some(begun) = begun {
                let outcome = fetch().await;
                let outcome = current.outcome.get_or_init(|| outcome).clone();
                drop(begun);
                return outcome;
            }
            running.over().await;
            // Nothing, where the one that was asking went away.
            if let Some(outcome) = current.outcome.get() {
                return outcome.clone();
            }
        }
    }

    fn current(&self, scope: &Scope, id: &str) -> Arc<Current> {
        let key: Key = (scope.project().map(Into::into), id.into());
        let mut all = self.current.lock();
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

    /// The look at the key that probes share.
    pub(super) async fn attempt(&self, client: &Client, span: Duration) -> Attempt {
        let mut shared = self.attempt.lock().await;
        if let Some((attempt, since)) = *shared
            && since.elapsed() < ATTEMPT_AGE
        {
            return attempt;
        }
        let begun = client.begin(span).await;
        *shared = Some((begun, Instant::now()));
        begun
    }

    /// Says that probes fail, not oftener than somebody wants to read it.
    pub(super) fn failed(&self, scope: &Scope, error: &Error) {
        let mut failures = self.failures.lock();
        failures.count += 1;
        if failures.told.is_some_and(|at| at.elapsed() < LOG_PAUSE) {
            return;
        }
        tracing::warn!(
            account = scope.account(),
            project = scope.project(),
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
