//! What requests and the control handle share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::clock::Micros;
use super::fault::Faults;
use super::keys::{Bucket, Keys};
use super::log::Log;
use super::world::World;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) keys: Mutex<Keys>,
    pub(crate) bucket: Mutex<Option<Bucket>>,
    pub(crate) organization: Mutex<Organization>,
    pub(crate) latency: Mutex<Duration>,
    pub(crate) log: Log,
    /// Moves when something is changed by hand.
    pub(crate) changed: watch::Sender<u64>,
}

/// Locks, also after a panic elsewhere: a simulated world has nothing to lose.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Members set by hand over the organisation's objects.
#[derive(Debug, Default)]
pub(crate) struct Organization {
    pub(crate) limits: Map<String, Value>,
    pub(crate) plan: Map<String, Value>,
    /// When the key in use expires.
    pub(crate) key_expires: KeyExpiry,
}

/// When a key expires.
#[derive(Debug, Default)]
pub(crate) enum KeyExpiry {
    /// 90 days after the start.
    #[default]
    Usual,
    Never,
    At(Micros),
}
