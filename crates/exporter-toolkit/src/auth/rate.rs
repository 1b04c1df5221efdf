//! The token bucket of `rate_limit`.

use std::time::{Duration, Instant};

use crate::web_config::RateLimit;

/// Holds up to `burst` tokens and gets one per `interval`; starts full, and
/// afresh when the limit is changed.
pub(super) struct Bucket {
    filled: Option<Filled>,
}

struct Filled {
    limit: RateLimit,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new() -> Self {
        Self { filled: None }
    }

    /// Takes a token, or says how long until there is one.
    pub(super) fn take(&mut self, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let burst = f64::from(limit.burst);
        let filled = match &mut self.filled {
            Some(filled) if filled.limit == limit => filled,
            stale => stale.insert(Filled {
                limit,
                tokens: burst,
                at: now,
            }),
        };
        let passed = now.saturating_duration_since(filled.at);
        let gained = passed.as_secs_f64() / limit.interval.as_secs_f64();
        filled.tokens = (filled.tokens + gained).min(burst);
        filled.at = filled.at.max(now);
        if filled.tokens >= 1.0 {
            filled.tokens -= 1.0;
            return Ok(());
        }
        Err(limit.interval.mul_f64(1.0 - filled.tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(millis: u64, burst: u32) -> RateLimit {
        RateLimit {
            interval: Duration::from_millis(millis),
            burst,
        }
    }

    #[test]
    fn a_burst_and_then_one_per_interval() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut bucket = Bucket::new();
        let second = limit(1000, 2);
        assert_eq!(bucket.take(second, at(0)), Ok(()));
        assert_eq!(bucket.take(second, at(0)), Ok(()));
        assert_eq!(bucket.take(second, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(
            bucket.take(second, at(750)),
            Err(Duration::from_millis(250))
        );
        assert_eq!(bucket.take(second, at(1000)), Ok(()));
        assert!(bucket.take(second, at(1000)).is_err());
        // Tokens do not pile up beyond the burst.
        assert_eq!(bucket.take(second, at(60_000)), Ok(()));
        assert_eq!(bucket.take(second, at(60_000)), Ok(()));
        assert!(bucket.take(second, at(60_000)).is_err());
    }

    #[test]
    fn a_new_limit_starts_afresh_and_no_burst_is_no_entry() {
        let start = Instant::now();
        let mut bucket = Bucket::new();
        assert_eq!(bucket.take(limit(1000, 1), start), Ok(()));
        assert!(bucket.take(limit(1000, 1), start).is_err());
        assert_eq!(bucket.take(limit(2000, 1), start), Ok(()));
        let late = start + Duration::from_hours(1);
        assert!(bucket.take(limit(1000, 0), late).is_err());
    }
}
