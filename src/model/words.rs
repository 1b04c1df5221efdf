//! The same words for the same thing wherever people read of it.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use super::{Collector, Connection, ErrorReason, Flow, FlowStatus, FlowStep, FlowType, Timestamp};

/// Whether it steers a terminal or turns the writing direction.
pub(crate) fn steers(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text from elsewhere, in which what [`steers`] is shown as what it is:
/// `\u{202e}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if steers(char) {
            let _ = write!(shown, "{}", char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// `1 project`, `2 projects`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The first `most` of so many names, and how many more there are.
pub(crate) fn first_of<N: Into<String>>(
    names: impl Iterator<Item = N>,
    most: usize,
    count: usize,
) -> String {
    let first: Vec<String> = names.take(most).map(Into::into).collect();
    match count - first.len() {
        0 => first.join(", "),
        others => format!("{} and {others} more", first.join(", ")),
    }
}

/// A label value in plain words: `AWAITING_INPUT` is `awaiting input`.
pub(crate) fn plain_words(label: &str) -> String {
    label.to_lowercase().replace('_', " ")
}

impl Collector {
    /// What it is about.
    #[cfg(test)]
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Status => "Whether each connection is logged in",
            Self::Auth => "When each connection was last checked",
            Self::Flow => "The most recent login flow: state, step, expiry, error",
            Self::Reauth => "Whether an unattended re-login is possible, and why",
            Self::Settings => "How each connection is configured",
            Self::Timeline => "Login history; costs requests of its own",
            Self::Org => "Limits, plan and key expiry of the organisation",
        }
    }
}

/// The most recent login flow at `now`, on the API's clock: what it is, and
/// where it stands; empty where there was none.
pub(crate) fn flow_words(flow: &Flow, now: Timestamp) -> String {
    let kind = match flow.kind {
        FlowType::Login => "login",
        FlowType::Reauth => "re-login",
        FlowType::None | FlowType::Unknown => "flow",
    };
    let state = match (flow.status, flow.step, flow.error_code) {
        (FlowStatus::None, ..) => return String::new(),
        (FlowStatus::InProgress, ..) if !flow.is_live(now) => "past its end".to_owned(),
        (FlowStatus::InProgress, FlowStep::None, _) => "in progress".to_owned(),
        (FlowStatus::InProgress, step, _) => plain_words(step.as_str()),
        (FlowStatus::Failed, _, Some(code)) => format!("failed, {}", plain_words(code.as_str())),
        (FlowStatus::Success, ..) => "succeeded".to_owned(),
        (status, ..) => plain_words(status.as_str()),
    };
    format!("{kind}: {state}")
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

/// Why the API is down for a scope, as what it did.
pub(crate) const fn failure_words(reason: ErrorReason) -> &'static str {
    match reason {
        ErrorReason::Dns => "cannot be found by its name",
        ErrorReason::Connect => "cannot be reached",
        ErrorReason::Tls => "cannot be reached securely",
        ErrorReason::Timeout => "did not answer in time",
        ErrorReason::Transport => "broke off its answer",
        ErrorReason::Unauthorized => "refused the key (401)",
        ErrorReason::Forbidden => "does not permit this key to do that (403)",
        ErrorReason::NotFound => "did not find what was asked for (404)",
        ErrorReason::ProjectNotFound => "knows no such active project",
        ErrorReason::RateLimited => "asked to wait (429)",
        ErrorReason::ClientError => "refused the request",
        ErrorReason::ServerError => "failed with a server error (5xx)",
        ErrorReason::Redirect => "answered with a redirect",
        ErrorReason::BodyTooLarge => "sent more than the exporter accepts",
        ErrorReason::Decode => "gave an answer that cannot be read",
        ErrorReason::Paging => "gave a list that cannot be read to its end",
        ErrorReason::MalformedRow => "gave rows that cannot be read",
        ErrorReason::TooManyConnections => "has more connections than are allowed for",
        ErrorReason::KeyFile => "was not asked: the key file cannot be read",
        ErrorReason::Proxy => "was not heard: something else answered in its place",
        ErrorReason::Quota => "was not asked, to stay within the quota",
        ErrorReason::Starting => "has not answered yet",
    }
}

/// How long ago `at` was at `now`, or how far ahead it is.
pub(crate) fn ago_words(at: Timestamp, now: Timestamp) -> String {
    let ago = now.seconds_since(at);
    if ago < -5.0 {
        return format!("in {}", span_words(-ago));
    }
    format!("{} ago", span_words(ago.max(0.0)))
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
    use crate::model::ErrorCode;

    #[test]
    fn a_flow_is_told_as_it_stands() {
        let now = Timestamp::from_seconds(1_000);
        let none = Flow {
            status: FlowStatus::None,
            step: FlowStep::None,
            kind: FlowType::None,
            expires_at: None,
            error_code: None,
            website_error: None,
            pending: [None; 5],
        };
        let waiting = Flow {
            status: FlowStatus::InProgress,
            step: FlowStep::AwaitingInput,
            kind: FlowType::Login,
            expires_at: Some(Timestamp::from_seconds(1_001)),
            ..none.clone()
        };
        let failed = Flow {
            status: FlowStatus::Failed,
            kind: FlowType::Reauth,
            error_code: Some(ErrorCode::CredentialsInvalid),
            ..none.clone()
        };
        for (flow, expected) in [
            (none.clone(), ""),
            (waiting.clone(), "login: awaiting input"),
            (
                Flow {
                    step: FlowStep::None,
                    ..waiting.clone()
                },
                "login: in progress",
            ),
            (
                Flow {
                    expires_at: Some(now),
                    ..waiting.clone()
                },
                "login: past its end",
            ),
            (failed.clone(), "re-login: failed, credentials invalid"),
            (
                Flow {
                    error_code: None,
                    ..failed.clone()
                },
                "re-login: failed",
            ),
            (
                Flow {
                    status: FlowStatus::Success,
                    ..none.clone()
                },
                "flow: succeeded",
            ),
            (
                Flow {
                    status: FlowStatus::Canceled,
                    ..failed.clone()
                },
                "re-login: canceled",
            ),
        ] {
            assert_eq!(flow_words(&flow, now), expected);
        }
    }

    #[test]
    fn nothing_steers_who_reads() {
        assert_eq!(visible("日本 \"x\" 😀"), "日本 \"x\" 😀");
        assert_eq!(
            visible("a\u{1b}[2Jb\nc\u{202e}d\u{61c}"),
            r"a\u{1b}[2Jb\u{a}c\u{202e}d\u{61c}"
        );
    }

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
