//! The HTTP server: HTTP/1.0, HTTP/1.1 and HTTP/2 over bound listeners, with a
//! bound on everything a stranger can make it spend.
//!
//! # Floods
//! A connection that has not yet sent a whole request head is *fresh*, and
//! fresh connections have places of their own: when those are taken, the
//! oldest goes of those that have sent a part, or else the oldest. So ten
//! thousand clients that send a byte a second push out each other, while a
//! scraper, whose head arrives at once, is fresh for one round trip only. The
//! silent are given a moment before they may be chosen, and newcomers wait in
//! the system's queue meanwhile, or else a storm would sweep the scraper along.
//!
//! Among the others, who has taken nothing of its response for two seconds goes
//! first, then the longest idle; one whose response is being made or read is
//! never taken away for a newcomer. [`RequestLimit`] does the same for requests.

// `accept` takes connections, `admission` says how many there may be and which
// one goes first, `activity` when one has had its time, `watched` tells them
// what moves on the socket, `service` answers one request.
mod accept;
mod activity;
mod admission;
mod connection;
mod handler;
mod limits;
mod request_limit;
mod seldom;
mod service;
mod shared;
mod watched;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use tokio_util::sync::CancellationToken;

pub use self::handler::{Handler, Peer, RequestBody};
pub use self::limits::Limits;
pub use self::request_limit::{RequestLimit, RequestPermit};
pub use crate::response::{Body, BoxError, full, plain, plain_with};

use self::shared::Shared;
use crate::listener::Listener;
use crate::web_config::WebConfigHandle;

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still answering at the deadline and were cut off.
    pub aborted: usize,
}

/// Serves `listeners` until `shutdown`, then lets running responses finish for
/// at most [`Limits::drain`]. Logs one `listening` line per listener.
pub async fn serve<H: Handler>(
    listeners: Vec<Listener>,
    handler: Arc<H>,
    limits: Limits,
    web_config: WebConfigHandle,
    shutdown: CancellationToken,
) -> Drained {
    let server = Arc::new(Shared::new(handler, limits, web_config, shutdown));
    let scheme = if server.web_config.last_good().has_tls() {
        "https"
    } else {
        "http"
    };
    let mut accepting = Vec::with_capacity(listeners.len());
    for listener in listeners {
        tracing::info!(address = %format_args!("{scheme}://{}", listener.address()), "listening");
        accepting.push(tokio::spawn(accept::accept(Arc::clone(&server), listener)));
    }
    let sweeper = tokio::spawn(Arc::clone(&server.admission).sweep());
    server.shutdown.cancelled().await;
    for task in accepting {
        // Joined so that every socket is closed, and its port free, from here.
        if let Err(error) = task.await {
            tracing::error!(%error, "an accepting task died");
        }
    }
    let drained = drain(&server).await;
    sweeper.abort();
    drained
}

/// After the drain deadline connections are told to go; this is for their
/// tasks to notice.
const ABORT_GRACE: Duration = Duration::from_secs(1);

async fn drain<H>(server: &Shared<H>) -> Drained {
    server.admission.drain(Instant::now());
    server.tracker.close();
    let drained = tokio::time::timeout(server.limits.drain, server.tracker.wait()).await;
    if drained.is_ok() {
        return Drained { aborted: 0 };
    }
    let aborted = server.admission.evict_all();
    tracing::warn!(
        connections = aborted,
        seconds = server.limits.drain.as_secs_f64(),
        "shutdown deadline missed: connections that were still answering are cut off"
    );
    // Nothing is left to wait for when this runs out too.
    let _ = tokio::time::timeout(ABORT_GRACE, server.tracker.wait()).await;
    Drained { aborted }
}
