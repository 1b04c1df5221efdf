//! How often one may ask.

use std::time::Duration;

use super::schema;
use crate::yaml::Problem;

/// A token bucket: `burst` requests at once, then one per `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Time between two requests; more than zero.
    pub(crate) interval: Duration,
    /// Requests at once. With 0, every request is refused.
    pub(crate) burst: u32,
}

pub(super) fn parse(written: &schema::RateLimit) -> Result<Option<RateLimit>, Problem> {
    let burst = match written.burst.text() {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            let what = "expected a whole number, not below zero";
            written.burst.problem("rate_limit.burst", what)
        })?,
    };
    let interval = match written.interval.text() {
        None => Duration::ZERO,
        Some(text) => duration(text).ok_or_else(|| {
            let what = "expected a duration with a unit, as in 100ms, 1s or 1m30s; 0 is no limit";
            written.interval.problem("rate_limit.interval", what)
        })?,
    };
    Ok((!interval.is_zero()).then_some(RateLimit { interval, burst }))
}

/// A duration as Go writes it, without a sign: numbers, with a fraction or
/// not, each with a unit.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("1s", Some(1_000_000)),
            ("1m30s", Some(90_000_000)),
            ("1.5s", Some(1_500_000)),
            (".5s", Some(500_000)),
            ("100ms", Some(100_000)),
            ("20us", Some(20)),
            ("20\u{b5}s", Some(20)),
            ("2h", Some(7_200_000_000)),
            ("", None),
            ("1", None),
            ("1.2.3s", None),
            (".s", None),
            ("s", None),
            ("1d", None),
            ("-1s", None),
            ("1 s", None),
            ("1e3s", None),
            ("99999999999999999999999h", None),
        ] {
            let micros = duration(text).map(|found| found.as_micros());
            assert_eq!(micros, expected, "{text:?}");
        }
    }
}
