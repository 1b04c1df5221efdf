//! The API's clock, as its answers tell it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::{ClockOffset, Timestamp};

/// How long after the last answer that told the time it is still believed.
const KEPT: Duration = Duration::from_mins(10);

/// A clock that is off by more is not believed at once. One that was believed
/// and goes away bit by bit is the same clock, however far it gets.
const ABSURD_SECONDS: f64 = 86_400.0;

/// How far the API's clock is ahead, as the latest good answer told.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<(ClockOffset, Instant)>>);

impl Clock {
    /// Goes on with what `previous` knows.
    pub(super) fn succeeding(previous: &Self) -> Self {
        Self(Mutex::new(*previous.0.lock()))
    }

    /// How far it is ahead, while that is known.
    pub(super) fn offset(&self) -> Option<ClockOffset> {
        let (offset, heard) = (*self.0.lock())?;
        (heard.elapsed() < KEPT).then_some(offset)
    }

    /// Reads the time of a good answer: `Date` (RFC 9110 section 6.6.1), and
    /// the `Age` of one that was stored on its way (RFC 9111 section 5.1).
    /// A time that cannot be the API's is the error.
    pub(super) fn hear(&self, headers: &HeaderMap, now: SystemTime) -> Result<(), Timestamp> {
        let text = |name| headers.get(name)?.to_str().ok();
        let date = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
        let age = match text(AGE).map(|age| age.trim().parse()) {
            None => Some(0),
            Some(age) => age.ok(),
        };
        let (Some(date), Some(age)) = (date, age) else {
            return Ok(());
        };
        let api = Timestamp::from(date).plus(Duration::from_secs(age));
        let offset = ClockOffset::between(api, now.into());
        let believed = self.offset().unwrap_or_default().as_seconds();
        let offset_seconds = offset.as_seconds();
        let nearest = offset_seconds.abs().min((offset_seconds - believed).abs());
        if nearest > ABSURD_SECONDS {
            return Err(api);
        }
        *self.0.lock() = Some((offset, Instant::now()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pairs: &[(&'static str, String)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, String)| {
            (
                http::HeaderName::from_static(name),
                value.parse().expect("a header's value"),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_date_plus_age_and_not_believed_for_ever() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let date = |ahead: i64| {
            let at = if ahead < 0 {
                now - Duration::from_secs(ahead.unsigned_abs())
            } else {
                now + Duration::from_secs(ahead.unsigned_abs())
            };
            ("date", httpdate::fmt_http_date(at))
        };
        let clock = Clock::default();
        assert_eq!(clock.offset(), None);
        clock.hear(&answer(&[date(3_600)]), now).unwrap();
        let ahead = Timestamp::from(now + Duration::from_hours(1));
        let offset = ClockOffset::between(ahead, now.into());
        assert_eq!(clock.offset(), Some(offset));
        // Stored an hour ago, and as true as when it was made.
        let stored = answer(&[date(-3_600), ("age", "3600".into())]);
        clock.hear(&stored, now).unwrap();
        assert_eq!(clock.offset(), Some(ClockOffset::default()));
        for odd in [
            answer(&[]),
            answer(&[date(60), ("age", "soon".into())]),
            answer(&[("date", "yesterday".into())]),
        ] {
            clock.hear(&odd, now).unwrap();
            assert_eq!(clock.offset(), Some(ClockOffset::default()));
        }
        let absurd = answer(&[("date", "Thu, 01 Jan 1970 00:00:00 GMT".into())]);
        clock.hear(&absurd, now).unwrap_err();
        assert_eq!(clock.offset(), Some(ClockOffset::default()));
        // A world that is faster than this one, as in `demo`.
        let day = 86_400;
        for days in 1..10 {
            clock.hear(&answer(&[date(days * day)]), now).unwrap();
        }
        clock.hear(&answer(&[date(11 * day)]), now).unwrap_err();
        let ahead = |clock: &Clock| clock.offset().map(ClockOffset::as_seconds);
        assert_eq!(ahead(&clock), Some(9.0 * 86_400.0));
        // True time is believed again at any moment.
        clock.hear(&answer(&[date(60)]), now).unwrap();
        assert_eq!(ahead(&clock), Some(60.0));
        tokio::time::advance(KEPT).await;
        assert_eq!(clock.offset(), None);
    }
}
