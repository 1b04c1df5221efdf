//! What the connections of one server share.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::Admission;
use super::limits::Limits;
use super::seldom::Seldom;
use crate::auth::Gate;
use crate::web_config::WebConfigHandle;

/// Sockets beyond the places for connections: one that was told to go keeps its
/// socket until its task has run.
const SPARE_SOCKETS: usize = 64;

/// Everything the connections of one server share.
pub(super) struct Shared<H> {
    pub(super) handler: Arc<H>,
    pub(super) limits: Limits,
    pub(super) web_config: WebConfigHandle,
    pub(super) gate: Gate,
    pub(super) admission: Arc<Admission>,
    pub(super) shutdown: CancellationToken,
    pub(super) tracker: TaskTracker,
    pub(super) sockets: Arc<Semaphore>,
    pub(super) failed_accepts: Seldom,
    pub(super) panics: Seldom,
}

impl<H> Shared<H> {
    pub(super) fn new(
        handler: Arc<H>,
        limits: Limits,
        web_config: WebConfigHandle,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            handler,
            gate: Gate::new(),
            admission: Arc::new(Admission::new(limits.clone())),
            sockets: Arc::new(Semaphore::new(limits.connections + SPARE_SOCKETS)),
            limits,
            web_config,
            shutdown,
            tracker: TaskTracker::new(),
            failed_accepts: Seldom::default(),
            panics: Seldom::default(),
        }
    }
}
