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

/// Beyond this, dates leave the range that HTTP can write.
const LONGEST: Duration = Duration::from_hours(3650 * 24);

/// Reads `300ms`, `1.5s`, `2m`, `1h30m`, `1d`; a bare number is seconds.
///
/// # Errors
/// One line that says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 300ms, 1.5s or 1h30m");
    if text.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "" if rest.len() + digits == text.len() => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = &rest[letters..];
    }
    if seconds > LONGEST.as_secs_f64() {
        return Err(format!("`{text}` is longer than ten years"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("300ms", 300),
            ("1.5s", 1_500),
            ("2", 2_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "s", "1x", "-1s", "1s2", "1..2s", "1e400d", "3651d"] {
            assert!(
                parse_duration(text).is_err_and(|error| error.contains(text)),
                "{text}"
            );
        }
    }

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
