//! One runs, the others join or wait.

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Something of which there is one at a time.
#[derive(Debug, Default)]
pub(super) struct Flight(Mutex<Option<Running>>);

/// It is under way; whoever has this can wait for its end.
#[derive(Clone, Debug)]
pub(super) struct Running(watch::Receiver<()>);

/// Held by what runs; dropping it is the end.
pub(super) type Begun = watch::Sender<()>;

impl Flight {
    /// What is under way, which is begun here where it was not: then the caller
    /// is the one to run it.
    pub(super) fn begin(&self) -> (Option<Begun>, Running) {
        let mut current = self.0.lock();
        if let Some(running) = current.as_ref().filter(|running| running.is_running()) {
            return (None, running.clone());
        }
        let (begun, running) = watch::channel(());
        let running = Running(running);
        *current = Some(running.clone());
        (Some(begun), running)
    }

    /// What is under way.
    pub(super) fn running(&self) -> Option<Running> {
        let current = self.0.lock();
        current
            .as_ref()
            .filter(|running| running.is_running())
            .cloned()
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        if let Some(running) = self.running() {
            running.over().await;
        }
    }
}

impl Running {
    fn is_running(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// Waits for the end.
    pub(super) async fn over(mut self) {
        // Nothing is ever sent: the channel closes at the end.
        let _ = self.0.changed().await;
    }

    /// Waits for the end, not beyond `deadline`; whether it has come.
    pub(super) async fn over_by(self, deadline: Instant) -> bool {
        timeout_at(deadline, self.over()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_runs_and_the_others_wait_for_its_end() {
        let flight = Flight::default();
        flight.idle().await;
        let (begun, _) = flight.begin();
        let (second, joined) = flight.begin();
        assert!(begun.is_some() && second.is_none() && flight.running().is_some());
        assert!(!joined.clone().over_by(Instant::now()).await);
        drop(begun);
        joined.over().await;
        assert!(flight.running().is_none());
        assert!(flight.begin().0.is_some());
    }
}
