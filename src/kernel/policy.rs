//! How much a request is worth.

use parking_lot::Mutex;

use super::per_minute::PerMinute;
use super::retry;

/// How often a request is tried, and what of it is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestPolicy<'a> {
    /// Tries after the first one.
    pub retries: u32,
    /// Whether a 403 or a 404 is counted as an error.
    pub refusals_count: bool,
    /// What retries are taken from, beside the account's budget.
    pub ceiling: Option<&'a Mutex<PerMinute>>,
}

impl RequestPolicy<'_> {
    /// Whether there may be another try after so many retries; takes it.
    pub(super) fn takes_retry(&self, retries: u32) -> bool {
        let take = |ceiling: &Mutex<PerMinute>| {
            let mut ceiling = ceiling.lock();
            ceiling.take()
        };
        retries < self.retries && self.ceiling.is_none_or(take)
    }
}

impl Default for RequestPolicy<'_> {
    /// As the official clients have it.
    fn default() -> Self {
        Self {
            retries: retry::MAX_RETRIES,
            refusals_count: true,
            ceiling: None,
        }
    }
}
