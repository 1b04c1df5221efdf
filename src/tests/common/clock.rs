//! Time that only moves when a test says so.

use std::future::Future;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;

/// How far the stopped clock goes at a time in [`fast`].
pub(crate) const STEP: Duration = Duration::from_millis(25);

/// Nothing here takes that long in real time, on a busy machine either.
const PATIENCE: Duration = Duration::from_mins(1);

/// Stops tokio's clock; it moves by `advance` and inside [`fast`] only.
///
/// By itself a paused clock runs ahead whenever every task waits, and a socket
/// that is about to be read looks just like that. A blocking task keeps it from
/// doing so.
pub(crate) struct StoppedClock(#[expect(dead_code)] mpsc::Sender<()>);

impl StoppedClock {
    pub(crate) fn new() -> Self {
        let (keep, kept) = mpsc::channel::<()>();
        spawn_blocking(move || {
            // Ends when the test does.
            let _ = kept.recv();
        });
        tokio::time::pause();
        Self(keep)
    }
}

/// Runs `future` while the stopped clock goes on in small steps, each after a
/// moment in which sockets can be served.
pub(crate) async fn fast<T>(future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = &mut future => return done,
            () = moment() => tokio::time::advance(STEP).await,
        }
    }
}

/// A real millisecond, in which everything that can run does.
pub(crate) async fn moment() {
    spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
        .await
        .unwrap();
}

/// Polls until `condition` holds, whether the clock stands still or not.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain");
        moment().await;
    }
}
