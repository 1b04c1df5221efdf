//! What scrapes cost. Pure.

use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// Spans that a cache or an interval can have, for advice.
const SPANS: [u64; 9] = [15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/// Requests of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Of each scrape.
    pub(super) scrape: u64,
    /// For the list of projects, once a minute at most.
    pub(super) listing: u64,
    /// About the organisation, every five minutes at most.
    pub(super) org: u64,
}

impl Cost {
    /// Requests a minute, at most, where a collection is made `every` so often.
    pub(super) fn per_minute(self, every: Duration) -> u64 {
        let times = |requests: u64, every: Duration| {
            (requests as f64 * MINUTE.as_secs_f64() / every.as_secs_f64()).ceil()
        };
        let sum = times(self.scrape, every)
            + times(self.listing, every.max(MINUTE))
            + times(self.org, every.max(5 * MINUTE));
        // Rounded up, and no fleet comes near the end of it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sum = sum as u64;
        sum
    }

    /// The shortest span between collections that `allowed` requests a minute
    /// do for.
    pub(super) fn fits_every(self, allowed: u64) -> Option<Duration> {
        let spans = SPANS.iter().map(|seconds| Duration::from_secs(*seconds));
        let mut spans = spans.filter(|every| self.per_minute(*every) <= allowed);
        spans.next()
    }
}

/// A `scrape_timeout` that leaves room above `took`, in whole seconds.
pub(super) fn scrape_timeout(took: Duration) -> Duration {
    let seconds = took.as_secs() * 2 + 1;
    Duration::from_secs(seconds.next_multiple_of(5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::allowed;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn what_is_asked_for_rarely_counts_rarely() {
        let cost = Cost {
            scrape: 5,
            listing: 1,
            ..Cost::default()
        };
        assert_eq!(cost.per_minute(seconds(30)), 11);
        assert_eq!(cost.per_minute(seconds(15)), 21);
        assert_eq!(cost.per_minute(seconds(120)), 4, "2.5 and 0.5, rounded up");
        let org = Cost { org: 4, ..cost };
        assert_eq!(org.per_minute(seconds(30)), 12);
    }

    #[test]
    fn the_first_span_that_fits_is_advised() {
        let cost = Cost {
            scrape: 100,
            ..Cost::default()
        };
        assert_eq!(cost.fits_every(allowed(600, 0.5)), Some(seconds(30)));
        assert_eq!(cost.fits_every(allowed(100, 0.5)), Some(seconds(120)));
        assert_eq!(cost.fits_every(1), None, "not even once an hour");
    }

    #[test]
    fn a_timeout_has_room() {
        assert_eq!(scrape_timeout(seconds(6)), seconds(15));
        assert_eq!(scrape_timeout(seconds(14)), seconds(30));
    }
}
