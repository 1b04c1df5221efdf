//! How often scrapes come, against how long the last known state is held.

use std::time::Duration;

use tokio::time::Instant;

/// One scrape that was missed says nothing of the interval; so many do.
const IN_A_ROW: u32 = 3;

/// Notices that a hold holds nothing, because it is over before the next scrape.
#[derive(Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    /// Times in a row that the hold was over before the next scrape.
    over: u32,
    /// The hold of which that was said.
    told: Option<Duration>,
}

impl Pace {
    /// A scrape comes at `now`. Returns the time since the one before it where
    /// `hold` turns out to be no longer, once for each hold.
    pub(super) fn scraped(&mut self, now: Instant, hold: Duration) -> Option<Duration> {
        let passed = now - self.last.replace(now)?;
        // Without a hold nothing is meant to be held.
        if hold.is_zero() || passed < hold {
            self.over = 0;
            return None;
        }
        self.over += 1;
        if self.over < IN_A_ROW || self.told == Some(hold) {
            return None;
        }
        self.told = Some(hold);
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_that_holds_nothing_is_told_once() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let (hold, half) = (Duration::from_secs(30), Duration::from_secs(15));
        let mut told = |scrape: u32, hold| pace.scraped(start + scrape * half, hold).is_some();
        // Every 15 s it holds, and one long pause is no interval.
        assert!(
            ![0, 1, 2, 9, 10, 11]
                .map(|at| told(at, hold))
                .contains(&true)
        );
        let every_30 = [13, 15, 17, 19, 21].map(|at| told(at, hold));
        assert_eq!(every_30, [false, false, true, false, false]);
        // Another hold that is too short is told, and none is none.
        assert!(told(23, half));
        assert!(!told(25, Duration::ZERO));
    }
}
