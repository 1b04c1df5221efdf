//! What the scopes of an account share.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::flows::CountedFlows;
use super::settings::Settings;
use crate::kernel::{Client, Unknowns};
use crate::model::{Field, Scope, Snapshot, WaitReason, first_of};
use crate::redact;

/// So many configured connections that are not there are named in the log.
const NAMED: usize = 10;

/// Unknown values that are logged, once each.
const MAX_LOGGED: usize = 256;

/// The account's way to the API, and what was said about it.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) settings: Arc<Settings>,
    /// Shared with the other accounts.
    pub(super) flows: Arc<CountedFlows>,
    logged: Mutex<HashSet<(Field, Box<str>)>>,
}

impl Shared {
    /// Goes on with what `previous` has logged.
    pub(super) fn new(
        client: Client,
        settings: Arc<Settings>,
        flows: Arc<CountedFlows>,
        previous: Option<&Self>,
    ) -> Self {
        let logged = previous.map(|previous| previous.logged.lock().clone());
        Self {
            client,
            settings,
            flows,
            logged: Mutex::new(logged.unwrap_or_default()),
        }
    }

    /// Whether not even one request fits into the quota now.
    pub(super) fn is_out_of_quota(&self) -> bool {
        self.client.would_wait(1) == Some(WaitReason::Quota)
    }

    /// Counts values that this build does not know, and logs each once.
    pub(super) fn tell_unknown(&self, unknown: &Unknowns) {
        let mut logged = self.logged.lock();
        for (field, value, times) in unknown.iter() {
            self.client.observer().unknown_value(field, times);
            if logged.len() < MAX_LOGGED && logged.insert((field, value.into())) {
                tracing::warn!(
                    %field,
                    value = shown(value),
                    "the API sent a value that this version does not know; is there a newer one?"
                );
            }
        }
    }
}

/// Logs which configured connections Kernel does not know that it may have
/// known `before`.
pub(super) fn tell_not_found(scope: &Scope, before: Option<&Snapshot>, now: &Snapshot) {
    let told = |id: &&str| before.and_then(|before| before.found.get(*id)) == Some(&false);
    let new: Vec<&str> = now.not_found().filter(|id| !told(id)).collect();
    if new.is_empty() {
        return;
    }
    tracing::warn!(
        account = scope.account(),
        project = scope.project(),
        ids = first_of(new.iter().copied(), NAMED, new.len()),
        "Kernel does not know these connections, which the configuration names"
    );
}

/// A value that may be logged: an enum's, a code, a time. Anything else, such
/// as a sentence or a URL, may be what nobody should read.
fn shown(value: &str) -> String {
    let of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:+".contains(&byte);
    if value.bytes().all(of_a_word) {
        redact::foreign(value)
    } else {
        "(not shown: not a word)".to_owned()
    }
}
