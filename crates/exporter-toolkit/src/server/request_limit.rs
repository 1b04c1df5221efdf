//! How many requests are answered at a time, where a handler wants a bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::admission::Slot;

/// For the task of a connection that was told to go.
const HANDOVER: Duration = Duration::from_secs(1);

/// A bound on requests at a time, for `--web.max-requests`: exporters' answers
/// cost, those of `/-/healthy` do not, so the handler says which ones count.
///
/// Peers that never read their answer cannot keep others out: when all permits
/// are taken, the connection that has been offered bytes and has taken none for
/// longest is closed, if that is more than two seconds. A request whose handler
/// is still at work keeps its permit.
#[derive(Debug)]
pub struct RequestLimit {
    permits: Arc<Semaphore>,
}

/// Keep it until the last byte of the response, best within its body.
pub struct RequestPermit {
    _permit: OwnedSemaphorePermit,
    slot: Option<Arc<Slot>>,
}

impl RequestLimit {
    /// At most `requests` at a time.
    pub fn new(requests: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(requests)),
        }
    }

    /// A permit for `request`, or `None` when all are taken by others who read
    /// what they get: 503 is the answer then.
    pub async fn take<B>(&self, request: &Request<B>) -> Option<RequestPermit> {
        // Absent only in a request that no server of this crate has received.
        let slot = request.extensions().get::<Arc<Slot>>();
        let free = Arc::clone(&self.permits).try_acquire_owned();
        let permit = match free {
            Ok(permit) => permit,
            Err(_) if slot?.admission().evict_stalled_holder(Instant::now()) => {
                let given_up = Arc::clone(&self.permits).acquire_owned();
                tokio::time::timeout(HANDOVER, given_up).await.ok()?.ok()?
            }
            Err(_) => return None,
        };
        if let Some(slot) = slot {
            slot.permit_taken();
        }
        Some(RequestPermit {
            _permit: permit,
            slot: slot.cloned(),
        })
    }
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        if let Some(slot) = &self.slot {
            slot.permit_returned();
        }
    }
}

impl std::fmt::Debug for RequestPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestPermit").finish_non_exhaustive()
    }
}
