//! What a scrape, or whoever asks in its stead, wants.

use std::time::Duration;

use tokio::time::Instant;

/// What a scrape wants to see, and until when it waits.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// What is seen from then on is fresh.
    pub(super) arrived: Instant,
    /// The scraper has its answer by then, whatever the API does.
    pub(super) deadline: Instant,
    /// Only this account.
    pub(super) account: Option<&'a str>,
    /// Only this project.
    pub(super) project: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Everything, by `deadline`.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            arrived: Instant::now(),
            deadline,
            account: None,
            project: None,
        }
    }

    /// Everything, within `budget` from now.
    pub(crate) fn everything(budget: Duration) -> Self {
        Self::new(Instant::now() + budget)
    }

    /// Only one account or project, where one is named.
    #[must_use]
    pub(crate) fn of(self, account: Option<&'a str>, project: Option<&'a str>) -> Self {
        Self {
            account,
            project,
            ..self
        }
    }

    /// What a collection may take that is started for it.
    pub(super) fn span(&self, timeout: Duration) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.max(timeout)
    }
}
