//! The world's clock: a start, and time that passes faster, slower or only by
//! hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Microseconds since the Unix epoch, on the world's clock.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;
pub(crate) const DAY: Micros = 24 * HOUR;

/// Later than anything that happens.
pub(crate) const NEVER: Micros = Micros::MAX;

/// Tokio's clock underneath, so that tests which pause it pause the world too.
#[derive(Debug)]
pub(crate) struct Clock {
    base: Micros,
    since: Instant,
    speed: f64,
}

impl Clock {
    /// A clock that shows `start` now; a `speed` of 0 moves only by hand.
    pub(crate) fn new(start: SystemTime, speed: f64) -> Self {
        let start = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            // Whole milliseconds: what every form of timestamp can show.
            base: micros(start) / 1000 * 1000,
            since: Instant::now(),
            speed,
        }
    }

    pub(crate) fn now(&self) -> Micros {
        // At a speed of 0 nothing is read, so nothing moves.
        if self.speed <= 0.0 {
            return self.base;
        }
        let elapsed = self.since.elapsed().as_secs_f64() * self.speed;
        self.base.saturating_add(micros(
            Duration::try_from_secs_f64(elapsed).unwrap_or_default(),
        ))
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.base = self.base.saturating_add(micros(by));
    }

    /// How long it takes until the clock shows `then`; `None` when it does not
    /// get there by itself.
    pub(crate) fn until(&self, then: Micros) -> Option<Duration> {
        if self.speed <= 0.0 || then == NEVER {
            return None;
        }
        let ahead = then.saturating_sub(self.now()).max(0) as f64 / 1e6 / self.speed;
        Duration::try_from_secs_f64(ahead).ok()
    }
}

/// A duration on the world's clock.
pub(crate) fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// The same as a point in time of the system's clock.
pub(crate) fn system_time(time: Micros) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(time).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_at_its_speed_or_by_hand() {
        let fast = Clock::new(UNIX_EPOCH, 60.0);
        let mut still = Clock::new(UNIX_EPOCH, 0.0);
        assert_eq!(fast.until(MINUTE), Some(Duration::from_secs(1)));
        assert_eq!(still.until(MINUTE), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(fast.now(), MINUTE);
        assert_eq!(still.now(), 0);
        still.advance(Duration::from_secs(1));
        assert_eq!(still.now(), SECOND);
    }
}
