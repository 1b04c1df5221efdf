//! Durations as text, in faults and commands.

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

/// Beyond this, dates leave the range that HTTP can write.
const LONGEST: Duration = Duration::from_hours(3650 * 24);

/// Reads `300ms`, `0.5s`, `1m30s`, `1w`: what Prometheus writes, and the other
/// friendly forms of `jiff`. A day has 24 hours; a bare number is an error.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed = SpanParser::new()
        .parse_span(text)
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok());
    match parsed {
        Some(duration) if duration <= LONGEST => Ok(duration),
        Some(_) => Err(format!("`{text}` is longer than ten years")),
        None => Err(format!(
            "`{text}` is not a duration such as 300ms, 1.5s or 1h30m"
        )),
    }
}
