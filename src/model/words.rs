//! The same words for the same thing wherever people read of it.

use super::Connection;

/// A label value in plain words: `AWAITING_INPUT` is `awaiting input`.
pub(crate) fn plain_words(label: &str) -> String {
    label.to_lowercase().replace('_', " ")
}

/// Whether the connection can log in again unattended, and why; empty where
/// the API says neither.
pub(crate) fn relogin_words(connection: &Connection) -> String {
    let reason = connection
        .can_reauth_reason
        .map(|reason| plain_words(reason.as_str()));
    match (connection.can_reauth, reason) {
        (Some(can), Some(reason)) => format!("{}: {reason}", if can { "yes" } else { "no" }),
        (Some(can), None) => if can { "yes" } else { "no" }.to_owned(),
        (None, Some(reason)) => reason,
        (None, None) => String::new(),
    }
}

/// A span of seconds in its two largest units: `42s`, `9m05s`, `3h12m`,
/// `2d04h`.
pub(crate) fn span_words(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let whole = seconds.abs().round() as i64;
    let sign = if seconds <= -0.5 { "-" } else { "" };
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    match whole {
        ..60 => format!("{sign}{whole}s"),
        60..3_600 => format!("{sign}{minutes}m{:02}s", whole % 60),
        3_600..86_400 => format!("{sign}{hours}h{minutes:02}m"),
        _ => format!("{sign}{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, expected) in [
            (0.2, "0s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (-42.0, "-42s"),
            (3_599.0, "59m59s"),
            (11_520.0, "3h12m"),
            (187_200.0, "2d04h"),
        ] {
            assert_eq!(span_words(seconds), expected);
        }
    }
}
