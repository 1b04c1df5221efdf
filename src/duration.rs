//! Durations as Prometheus writes them, for every flag and key.

use std::time::Duration;

/// Largest first, the order in which they may be written; with milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// What Prometheus can hold: nanoseconds in 63 bits, about 292 years.
const MAX_MILLIS: u64 = i64::MAX as u64 / 1_000_000;

/// Why a text is no duration. The text itself may be a secret in a wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotADuration {
    #[error(
        "not a duration; write whole numbers with units, largest first, as in 300ms, 10s or 1m30s \
         (units: y w d h m s ms)"
    )]
    Syntax,
    #[error("the duration is longer than 292 years")]
    TooLong,
}

/// Reads what `model.ParseDuration` of Prometheus' `common` library reads:
/// each unit at most once, largest first, and a bare `0`.
///
/// Beyond it, the seconds may have up to three decimals (`0.5s`) when no
/// milliseconds follow.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(NotADuration::Syntax);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (decimals, after) = match after.strip_prefix('.') {
            Some(after) => {
                let (decimals, after) = split(after, |c| c.is_ascii_digit());
                (Some(decimals), after)
            }
            None => (None, after),
        };
        let (name, after) = split(after, |c| c.is_ascii_alphabetic());
        // Going on in one iterator enforces the order, and each unit once.
        let (unit, factor) = units
            .find(|(unit, _)| *unit == name)
            .ok_or(NotADuration::Syntax)?;
        if number.is_empty() {
            return Err(NotADuration::Syntax);
        }
        let fraction = match decimals {
            None => 0,
            Some(decimals) if *unit == "s" && after.is_empty() => thousandths(decimals)?,
            Some(_) => return Err(NotADuration::Syntax),
        };
        millis = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .and_then(|part| part.checked_add(fraction))
            .and_then(|part| millis.checked_add(part))
            .filter(|total| *total <= MAX_MILLIS)
            .ok_or(NotADuration::TooLong)?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn thousandths(decimals: &str) -> Result<u64, NotADuration> {
    if decimals.is_empty() || decimals.len() > 3 {
        return Err(NotADuration::Syntax);
    }
    format!("{decimals:0<3}")
        .parse()
        .map_err(|_| NotADuration::Syntax)
}

/// Writes it as Prometheus does: weeks and larger only where they fit whole.
/// What is below a millisecond is cut off.
pub(crate) fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in UNITS {
        let only_whole = matches!(unit, "y" | "w" | "d");
        if millis < factor || (only_whole && millis % factor != 0) {
            continue;
        }
        text += &(millis / factor).to_string();
        text += unit;
        millis %= factor;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(text: &str) -> Option<u128> {
        parse(text).ok().map(|duration| duration.as_millis())
    }

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("0w", 0),
            ("1s", 1_000),
            ("324ms", 324),
            ("3s", 3_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("4d", 345_600_000),
            ("4d1h", 349_200_000),
            ("14d", 1_209_600_000),
            ("3w", 1_814_400_000),
            ("3w2d1h", 1_990_800_000),
            ("10y", 315_360_000_000),
            ("1m30s", 90_000),
            ("007s", 7_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn reads_decimals_of_the_last_second() {
        assert_eq!(millis("0.5s"), Some(500));
        assert_eq!(millis("1m0.25s"), Some(60_250));
        assert_eq!(millis("1.001s"), Some(1_001));
        for text in ["0.5s1ms", ".5s", "1.s", "0.5m", "0.5", "0.0001s", "1.5.5s"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        for text in [
            "",
            "1",
            "1y1m1d",
            "-1w",
            "1.5d",
            "d",
            "294y",
            "200y10400w",
            "107675d",
            "2584200h",
            " 1s",
            "1s ",
            "1 s",
            "1S",
            "1µs",
            "1us",
            "1ns",
            "1s1s",
            "1s1m",
            "1ms1s",
            "+1s",
            "1e3s",
            "1mm",
            "99999999999999999999s",
            "१s",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_prometheus_writes() {
        for (text, expected) in [
            ("0", "0s"),
            ("90s", "1m30s"),
            ("1000ms", "1s"),
            ("7d", "1w"),
            ("8d", "8d"),
            ("25h", "25h"),
            ("24h", "1d"),
            ("365d", "1y"),
            ("0.5s", "500ms"),
        ] {
            assert_eq!(format(parse(text).unwrap()), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0..=MAX_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)).unwrap(), duration);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn ordered_units_add_up(h in 0u64..100, m in 0u64..100, s in 0u64..100, ms in 0u64..2000) {
            let text = format!("{h}h{m}m{s}s{ms}ms");
            let expected = h * 3_600_000 + m * 60_000 + s * 1_000 + ms;
            prop_assert_eq!(parse(&text).unwrap(), Duration::from_millis(expected));
        }
    }
}
