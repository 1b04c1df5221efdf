//! What probes may cost, whoever asks for them: anybody who reaches the port
//! can, and each is a request to the API.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::kernel::PerMinute;
use crate::model::Scope;

/// How long an id that Kernel does not know is not asked for again, and how
/// many such ids are remembered.
const UNKNOWN_FOR: Duration = Duration::from_mins(1);
const UNKNOWN: usize = 10_000;

/// The ceiling over the probes of all accounts.
#[derive(Debug)]
pub(super) struct ProbeCeiling {
    /// Requests, retries included.
    pub(super) requests: Mutex<PerMinute>,
    /// When Kernel said that it does not know an id, by a hash of the id and its
    /// place.
    unknown: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
}

impl ProbeCeiling {
    /// At most `requests` a minute, those of `previous` counted.
    pub(super) fn new(requests: usize, previous: Option<&Self>) -> Self {
        let before = previous.map(|previous| previous.requests.lock().clone());
        let before = before.unwrap_or_else(|| PerMinute::new(requests));
        Self {
            requests: Mutex::new(before.at_most(requests)),
            unknown: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Requests a minute.
    pub(super) fn most(&self) -> usize {
        self.requests.lock().most()
    }

    /// Takes one request; whether there is one left.
    pub(super) fn take(&self) -> bool {
        self.requests.lock().take()
    }

    /// Whether Kernel has just said that it does not know `id`.
    pub(super) fn is_unknown(&self, scope: &Scope, id: &str) -> bool {
        let unknown = self.unknown.lock();
        let since = unknown.get(&self.mark(scope, id));
        since.is_some_and(|at| at.elapsed() < UNKNOWN_FOR)
    }

    /// Takes note that Kernel does not know `id`. Once there are too many, not
    /// even that: they cost a request each then.
    pub(super) fn unknown(&self, scope: &Scope, id: &str) {
        let mut unknown = self.unknown.lock();
        if unknown.len() >= UNKNOWN {
            unknown.retain(|_, at| at.elapsed() < UNKNOWN_FOR);
        }
        if unknown.len() < UNKNOWN {
            unknown.insert(self.mark(scope, id), Instant::now());
        }
    }

    fn mark(&self, scope: &Scope, id: &str) -> u64 {
        let place = (scope.account(), scope.project());
        self.hasher.hash_one((place, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_ids_are_unknown_and_for_a_minute() {
        let ceiling = ProbeCeiling::new(1, None);
        let [here, there] = [None, Some("proj_1")].map(|project| Scope::new(None, project));
        for id in 0..=UNKNOWN {
            ceiling.unknown(&here, &format!("ma_{id}"));
        }
        assert_eq!(ceiling.unknown.lock().len(), UNKNOWN);
        assert!(ceiling.is_unknown(&here, "ma_0"));
        assert!(!ceiling.is_unknown(&there, "ma_0"));
        assert!(!ceiling.is_unknown(&here, &format!("ma_{UNKNOWN}")));
        tokio::time::advance(UNKNOWN_FOR).await;
        assert!(!ceiling.is_unknown(&here, "ma_0"));
        ceiling.unknown(&here, "ma_new");
        assert_eq!(ceiling.unknown.lock().len(), 1);
    }
}
