//! Which answers are worth a second try, and when. Pure.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::error::Problem;
use crate::model::{ErrorReason, RetryReason};

/// Tries after the first one, as the official clients have it.
pub(super) const MAX_RETRIES: u32 = 2;

/// The longest wait that `Retry-After` can ask for.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// The wait after a 429 that names none.
pub(super) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a request with this problem is sent again, if it is.
///
/// The official clients retry connection errors, time-outs, 408, 409, 429 and
/// 5xx, and obey `x-should-retry`. A conflict is pointless to repeat for a
/// `GET`, and so is a certificate that was refused.
pub(super) fn reason(problem: &Problem, headers: Option<&HeaderMap>) -> Option<RetryReason> {
    let asked = headers.and_then(|headers| headers.get("x-should-retry"));
    match asked.map(http::HeaderValue::as_bytes) {
        Some(b"true") => return Some(RetryReason::Asked),
        Some(b"false") => return None,
        _ => {}
    }
    match problem {
        Problem::Timeout => Some(RetryReason::Timeout),
        Problem::Unreachable {
            reason: ErrorReason::Transport,
            ..
        } => Some(RetryReason::Transport),
        Problem::Unreachable {
            reason: ErrorReason::Dns | ErrorReason::Connect,
            ..
        } => Some(RetryReason::Connect),
        Problem::Status {
            status: StatusCode::REQUEST_TIMEOUT,
            ..
        } => Some(RetryReason::RequestTimeout),
        Problem::Status {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..
        } => Some(RetryReason::RateLimited),
        Problem::Status { status, .. } if status.as_u16() >= 500 => Some(RetryReason::ServerError),
        _ => None,
    }
}

/// The pause before retry number `retry` (from 0): half a second, doubled each
/// time, up to eight seconds, times `jitter` in 0.75–1.0.
pub(super) fn backoff(retry: u32, jitter: f64) -> Duration {
    let base = Duration::from_millis(500 << retry.min(4));
    base.min(Duration::from_secs(8))
        .mul_f64(jitter.clamp(0.75, 1.0))
}

/// What the headers ask to wait: `retry-after-ms`, else `Retry-After` in
/// seconds (fractions tolerated) or as an HTTP date (RFC 9110 section 10.2.3),
/// at most [`MAX_RETRY_AFTER`]. `None` where they name nothing readable; zero
/// for a moment that has passed.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let span = |seconds: f64| {
        seconds
            .is_finite()
            .then(|| Duration::from_secs_f64(seconds.clamp(0.0, MAX_RETRY_AFTER.as_secs_f64())))
    };
    if let Some(wait) = text("retry-after-ms")
        .and_then(|value| value.parse::<f64>().ok())
        .and_then(|ms| span(ms / 1e3))
    {
        return Some(wait);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return span(seconds);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // The date is on the API's clock, so it is measured against the API's own
    // `Date` where there is one.
    let from = text("date")
        .and_then(|value| httpdate::parse_http_date(value).ok())
        .unwrap_or(now);
    Some(
        date.duration_since(from)
            .unwrap_or_default()
            .min(MAX_RETRY_AFTER),
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    fn status(code: u16) -> Problem {
        Problem::Status {
            status: StatusCode::from_u16(code).unwrap(),
            code: None,
            by: None,
        }
    }

    #[test]
    fn what_the_official_clients_retry_is_retried() {
        for code in [408, 429, 500, 502, 503, 504, 529] {
            assert!(reason(&status(code), None).is_some(), "{code}");
        }
        for code in [301, 400, 401, 403, 404, 409, 410, 422] {
            assert_eq!(reason(&status(code), None), None, "{code}");
        }
        assert!(reason(&Problem::Timeout, None).is_some());
        assert!(reason(&Problem::BodyTooLarge { limit: 1 }, None).is_none());
    }

    #[test]
    fn the_server_has_the_last_word() {
        let yes = headers(&[("x-should-retry", "true")]);
        let no = headers(&[("x-should-retry", "false")]);
        assert_eq!(reason(&status(404), Some(&yes)), Some(RetryReason::Asked));
        assert_eq!(reason(&status(503), Some(&no)), None);
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let wait = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), now);
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(
            wait(&[("retry-after", "0.25")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(wait(&[("retry-after", "3600")]), Some(MAX_RETRY_AFTER));
        assert_eq!(wait(&[("retry-after", "-3")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "NaN")]), None);
        assert_eq!(wait(&[]), None);
        assert_eq!(
            wait(&[("retry-after-ms", "1500"), ("retry-after", "9")]),
            Some(Duration::from_millis(1500))
        );
        let later = httpdate::fmt_http_date(now + Duration::from_secs(12));
        assert_eq!(
            wait(&[("retry-after", &later)]),
            Some(Duration::from_secs(12))
        );
        // A server whose clock is an hour ahead still means twelve seconds.
        let hour = Duration::from_hours(1);
        let (date, later) = (
            httpdate::fmt_http_date(now + hour),
            httpdate::fmt_http_date(now + hour + Duration::from_secs(12)),
        );
        assert_eq!(
            wait(&[("retry-after", &later), ("date", &date)]),
            Some(Duration::from_secs(12))
        );
    }

    proptest! {
        #[test]
        fn no_header_asks_for_more_than_a_minute(value in "\\PC{0,40}") {
            if let Ok(value) = HeaderValue::from_str(&value) {
                let mut map = HeaderMap::new();
                map.insert("retry-after", value);
                let wait = retry_after(&map, SystemTime::UNIX_EPOCH);
                prop_assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER));
            }
        }

        #[test]
        fn backoff_stays_in_its_bounds(retry in 0_u32..100, jitter in 0.0_f64..2.0) {
            let pause = backoff(retry, jitter);
            prop_assert!(pause >= Duration::from_millis(375) && pause <= Duration::from_secs(8));
        }
    }
}
