//! Taking connections from a listener, as many as there are places.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::{Admission, Admitted};
use super::connection;
use super::handler::Handler;
use super::shared::Shared;
use crate::listener::Listener;

/// Pause after an accept that failed for want of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a connection that waits for a place looks again: another may have
/// become free.
const ADMIT_PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn accept<H: Handler>(server: Arc<Shared<H>>, listener: Listener) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => return,
            accepted = async {
                let place = Arc::clone(&server.sockets).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        let (stream, address, place) = match accepted {
            (Ok(place), Ok((stream, address))) => (stream, address, place),
            (Err(_closed), _) => return,
            (_, Err(error)) if of_one_connection(&error) => continue,
            (_, Err(error)) => {
                if server.failed_accepts.may(Instant::now()) {
                    tracing::warn!(%error, "accepting a connection failed, trying on");
                }
                // Out of files, most likely: one that nobody waits for is ours,
                // and free as soon as its task has run.
                let made = server.admission.make_room(Instant::now());
                tokio::time::sleep(if made { ADMIT_PAUSE } else { ACCEPT_PAUSE }).await;
                continue;
            }
        };
        let slot = loop {
            match server.admission.admit(Instant::now()) {
                Admitted::Placed(slot) => break Some(slot),
                Admitted::Refused => break None,
                Admitted::Later(wait) => tokio::select! {
                    () = server.shutdown.cancelled() => return,
                    () = tokio::time::sleep(wait.min(ADMIT_PAUSE)) => {}
                },
            }
        };
        // Every place is answering: this one is closed by dropping it.
        let Some(slot) = slot else {
            tracing::debug!(peer = %address, "connection refused: all are busy");
            continue;
        };
        let task = Arc::clone(&server);
        server.tracker.spawn(async move {
            let _released = Release(&task.admission, slot.id());
            tokio::select! {
                biased;
                () = slot.evicted() => {}
                () = connection::serve(&task, &slot, stream, address) => {}
            }
            drop(place);
        });
    }
}

/// Whether an accept error concerns the one connection that was at the head of
/// the queue, so that the next accept may work at once.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Gives a place back, also when the task panics.
struct Release<'a>(&'a Admission, u64);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.release(self.1);
    }
}
