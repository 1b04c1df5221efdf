//! Points in time, as the API names them and as Prometheus wants them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch.
    #[cfg(test)]
    pub(crate) const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub(crate) const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, with their fraction.
    #[cfg(test)]
    pub(crate) fn as_seconds(self) -> f64 {
        micros_to_seconds(self.0)
    }

    /// RFC 3339, to the second, in UTC; `None` outside of the calendar.
    pub(crate) fn rfc3339(self) -> Option<String> {
        let at = jiff::Timestamp::from_microsecond(self.0).ok()?;
        Some(format!("{at:.0}"))
    }

    /// Seconds from `earlier` to `self`; negative where `earlier` is later.
    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        micros_to_seconds(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self`; none where `earlier` is later.
    pub(crate) fn span_since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }

    /// `self` moved forward by `by`.
    #[must_use]
    pub(crate) fn plus(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// One division, so that the result is the f64 nearest to the decimal value
/// and prints as briefly as the API wrote it.
fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// How far the API's clock is ahead of this machine's, in microseconds.
///
/// Taken from the `Date` header of the answers (RFC 9110 section 6.6.1). Ages
/// and remaining times compare the API's timestamps with the API's clock, so a
/// host whose clock is an hour off does not see every flow as expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct ClockOffset(i64);

impl ClockOffset {
    /// Offsets up to this are noise: `Date` has whole seconds and the answer
    /// was under way for a while.
    const NOISE_MICROS: i64 = 5_000_000;

    /// From the API's time and this machine's at about the same moment; zero
    /// when they differ by no more than the header's resolution explains.
    pub(crate) fn between(api: Timestamp, local: Timestamp) -> Self {
        let offset = api.0.saturating_sub(local.0);
        Self(if offset.saturating_abs() <= Self::NOISE_MICROS {
            0
        } else {
            offset
        })
    }

    /// This machine's `local` time on the API's clock.
    #[must_use]
    pub(crate) fn apply(self, local: Timestamp) -> Timestamp {
        Timestamp(local.0.saturating_add(self.0))
    }

    /// Seconds; positive where the API is ahead.
    pub(crate) fn as_seconds(self) -> f64 {
        micros_to_seconds(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_survive_and_print_shortest() {
        let time = Timestamp::from_micros(1_763_798_565_318_000);
        assert_eq!(format!("{}", time.as_seconds()), "1763798565.318");
    }

    #[test]
    fn a_later_start_gives_a_negative_age() {
        let now = Timestamp::from_seconds(100);
        let later = now.plus(Duration::from_millis(1500));
        assert_eq!(now.seconds_since(later).to_bits(), (-1.5_f64).to_bits());
    }

    #[test]
    fn small_offsets_are_noise_and_large_ones_are_applied() {
        let local = Timestamp::from_seconds(1_000);
        let noise = ClockOffset::between(Timestamp::from_seconds(1_004), local);
        assert_eq!(noise.apply(local), local);
        let hour = ClockOffset::between(Timestamp::from_seconds(4_600), local);
        assert_eq!(hour.apply(local), Timestamp::from_seconds(4_600));
    }
}
