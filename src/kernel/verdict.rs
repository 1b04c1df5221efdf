//! What the API thinks of the key: while nobody knows, one request finds out
//! and the others wait for its answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use super::error::Problem;

/// The API's opinion of an account's key.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    state: Mutex<State>,
    first_request: Arc<AsyncMutex<()>>,
}

/// Which key, by its generation, and what is thought of it.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    generation: u64,
    opinion: Opinion,
}

#[derive(Clone, Copy, Debug, Default)]
enum Opinion {
    /// Not known: one request at a time finds out.
    #[default]
    Untested,
    /// No reason to doubt it.
    Good,
    /// Refused with 401 in this epoch.
    Refused(u64),
}

/// Held by the request that finds out.
pub(super) type First = OwnedMutexGuard<()>;

impl Verdict {
    /// Until it is known what the API thinks of the key of `generation`, or
    /// `deadline`. With a guard, the caller is the one to find out.
    pub(super) async fn wait(
        &self,
        epoch: u64,
        generation: impl Fn() -> u64,
        deadline: Instant,
    ) -> Result<Option<First>, Problem> {
        if let Some(known) = self.known(epoch, generation()) {
            return known.map(|()| None);
        }
        let first = Arc::clone(&self.first_request).lock_owned();
        let first = timeout_at(deadline, first)
            .await
            .map_err(|_| Problem::Timeout)?;
        match self.known(epoch, generation()) {
            Some(known) => known.map(|()| None),
            None => Ok(Some(first)),
        }
    }

    fn known(&self, epoch: u64, generation: u64) -> Option<Result<(), Problem>> {
        let state = *self.state();
        match state.opinion {
            // What was thought of another key says nothing of this one.
            _ if state.generation != generation => None,
            Opinion::Good => Some(Ok(())),
            Opinion::Refused(refused) if refused >= epoch => {
                Some(Err(Problem::Refused(StatusCode::UNAUTHORIZED)))
            }
            Opinion::Refused(_) | Opinion::Untested => None,
        }
    }

    /// The key of `generation` was not refused.
    pub(super) fn good(&self, generation: u64) {
        self.set(generation, Opinion::Good);
    }

    /// The key of `generation` was refused; whether there is a newer one is
    /// still to be seen.
    pub(super) fn doubt(&self, generation: u64) {
        self.set(generation, Opinion::Untested);
    }

    /// The key of `generation` was refused, and there is no newer one.
    pub(super) fn refused(&self, generation: u64, epoch: u64) {
        self.set(generation, Opinion::Refused(epoch));
    }

    /// A late answer to an older key changes nothing.
    fn set(&self, generation: u64, opinion: Opinion) {
        let mut state = self.state();
        if generation >= state.generation {
            *state = State {
                generation,
                opinion,
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_answer_to_the_old_key_says_nothing_of_the_new_one() {
        let verdict = Verdict::default();
        let known = |generation| verdict.known(1, generation).map(|known| known.is_ok());
        assert_eq!(known(0), None);
        verdict.refused(0, 1);
        assert_eq!((known(0), known(1)), (Some(false), None));
        verdict.good(1);
        verdict.refused(0, 1);
        verdict.doubt(0);
        assert_eq!(known(1), Some(true));
        // A refused key has another chance in the next epoch.
        verdict.refused(1, 1);
        assert_eq!(known(1), Some(false));
        assert!(verdict.known(2, 1).is_none());
    }

    #[tokio::test]
    async fn one_request_finds_out() {
        let verdict = Verdict::default();
        let soon = Instant::now();
        let first = verdict.wait(1, || 0, soon).await.unwrap();
        assert!(first.is_some());
        let second = verdict.wait(1, || 0, soon).await;
        assert!(matches!(second, Err(Problem::Timeout)));
        verdict.good(0);
        drop(first);
        assert!(verdict.wait(1, || 0, soon).await.unwrap().is_none());
    }
}
