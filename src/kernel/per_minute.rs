//! How often something may happen in a minute.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

/// At most so many times within any minute.
#[derive(Clone, Debug)]
pub(crate) struct PerMinute {
    most: usize,
    /// When it happened lately, oldest first.
    latest: VecDeque<Instant>,
}

impl PerMinute {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            latest: VecDeque::new(),
        }
    }

    /// The same past under another bound.
    #[must_use]
    pub(crate) fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Whether it has happened as often as it may.
    pub(crate) fn is_spent(&self) -> bool {
        // The last `most` of them count, and have all to be within a minute.
        let first = self.latest.len().checked_sub(self.most);
        first.is_some_and(|first| {
            let oldest = self.latest.get(first);
            oldest.is_none_or(|at| at.elapsed() < MINUTE)
        })
    }

    /// Takes note that it happens, whether it may or not.
    pub(crate) fn note(&mut self) {
        self.latest.push_back(Instant::now());
        while self.latest.len() > self.most {
            self.latest.pop_front();
        }
    }

    /// Takes note that it happens, if it may; whether it does.
    pub(crate) fn take(&mut self) -> bool {
        let may = !self.is_spent();
        if may {
            self.note();
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn any_minute_counts_and_not_that_of_the_clock() {
        let mut limit = PerMinute::new(2);
        let half = Duration::from_secs(30);
        assert!(limit.take());
        advance(half).await;
        assert!(limit.take() && !limit.take());
        advance(half).await;
        assert!(limit.take() && !limit.take());
        limit.note();
        advance(half).await;
        assert!(limit.is_spent(), "what happened all the same counts");
        // What happened is kept when the bound moves.
        limit = limit.at_most(3);
        assert!(limit.take() && !limit.take());
        limit = limit.at_most(1);
        advance(half).await;
        assert!(limit.is_spent());
        assert!(!PerMinute::new(0).take());
    }
}
