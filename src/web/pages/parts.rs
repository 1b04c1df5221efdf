//! What several pages show.

use std::borrow::Cow;
use std::time::Duration;

use maud::{Markup, html};
use unicode_width::UnicodeWidthStr;

use crate::model::{
    Attention, ClockOffset, Fleet, LabelBlock, Scope, ScopeView, Timestamp, span_words, visible,
};

/// What a page is about.
pub(in crate::web) struct View<'a> {
    /// The last snapshots.
    pub(in crate::web) fleet: &'a Fleet,
    /// Nobody has scraped yet.
    pub(in crate::web) untouched: bool,
    /// This machine's time.
    pub(in crate::web) now: Timestamp,
    /// Path of the metrics.
    pub(in crate::web) telemetry_path: &'a str,
    /// Between two looks at the same page.
    pub(in crate::web) refresh: Duration,
}

impl View<'_> {
    /// The metrics, from a page: relative, so that it also works behind a
    /// proxy that serves it under a path.
    pub(super) fn metrics_link(&self) -> &str {
        self.telemetry_path.trim_start_matches('/')
    }
}

/// The class and the sign of a level: a colour never says it alone.
const fn look(level: Attention) -> (&'static str, &'static str) {
    match level {
        Attention::Waiting => ("waiting", "!"),
        Attention::NeedsPerson => ("person", "\u{2715}"),
        Attention::NeedsAuth => ("out", "\u{21bb}"),
        Attention::Unknown => ("unknown", "?"),
        Attention::Fine => ("fine", "\u{2713}"),
    }
}

pub(super) const fn class(level: Attention) -> &'static str {
    look(level).0
}

/// A sign, for eyes only.
pub(super) fn sign(of: &str) -> Markup {
    html! { span.sign aria-hidden="true" { (of) } }
}

pub(super) fn level_sign(level: Attention) -> Markup {
    sign(look(level).1)
}

pub(super) fn badge(level: Attention) -> Markup {
    html! { span.badge.(class(level)) { (level_sign(level)) " " (level.words()) } }
}

/// What a level means for who reads it.
pub(super) const fn hint(level: Attention) -> &'static str {
    match level {
        Attention::Waiting => "a login flow stands still until somebody acts",
        Attention::NeedsPerson => "logged out, and nothing will change that by itself",
        Attention::NeedsAuth => "a re-login is possible or under way",
        Attention::Unknown => "a state that this version does not know",
        Attention::Fine => "when last checked",
    }
}

/// A name that somebody else chose: what turns the writing direction ends with
/// it.
pub(super) fn name(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// The name of a profile, where it has one that can be seen.
pub(super) fn profile(labels: &LabelBlock) -> Option<Cow<'_, str>> {
    let name = labels.profile_name();
    name.filter(|name| name.trim().width() > 0)
}

/// A domain, that rather breaks at a dot than within a word.
pub(super) fn domain(text: &str) -> Markup {
    html! {
        bdi {
            @for (at, part) in text.split('.').enumerate() {
                @if at > 0 { "." wbr; }
                (visible(part))
            }
        }
    }
}

/// The account and the project, as people call them, as far as they are named.
pub(super) fn place(view: &ScopeView) -> Markup {
    html! {
        @match (view.scope.account(), view.project()) {
            (Some(account), Some(project)) => { (name(account)) " / " (name(project)) }
            (Some(only), None) | (None, Some(only)) => { (name(only)) }
            (None, None) => { "no project named" }
        }
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A point in time, shown as `words`.
pub(super) fn time(at: Timestamp, words: &str) -> Markup {
    html! {
        @match at.rfc3339() {
            Some(text) => { time datetime=(text) { (words) } }
            None => { (words) }
        }
    }
}

/// A point in time as the clock shows it, `03:14:07Z`; in full unless it is of
/// the same day as `now`.
pub(super) fn clock(at: Timestamp, now: Timestamp) -> Markup {
    let [at_text, now_text] = [at, now].map(|at| at.rfc3339().unwrap_or_default());
    match (at_text.split_once('T'), now_text.split_once('T')) {
        (Some((day, clock)), Some((today, _))) if day == today => time(at, clock),
        _ => date(at),
    }
}

/// Says whose times are shown, where the API's clock is another one.
pub(super) fn clock_words(offset: ClockOffset) -> Option<String> {
    let seconds = offset.as_seconds();
    let way = if seconds > 0.0 { "ahead" } else { "behind" };
    (seconds != 0.0).then(|| {
        let span = span_words(seconds.abs());
        format!("The API's clock is {span} {way}; times of connections are told on it.")
    })
}

/// A point in time in full.
pub(super) fn date(at: Timestamp) -> Markup {
    let text = at
        .rfc3339()
        .unwrap_or_else(|| "outside of the calendar".to_owned());
    time(at, &text.replace('T', " "))
}

/// An address with a query string: `page?name=value&…`, of what is there.
pub(super) fn link(page: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut link = format!("{page}?");
    let start = link.len();
    let mut query = form_urlencoded::Serializer::for_suffix(std::mem::take(&mut link), start);
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// The page of a connection of a scope.
pub(super) fn connection_link(id: &str, scope: &Scope, paused: bool) -> String {
    link(
        "connection",
        &[
            ("id", Some(id)),
            ("account", scope.account()),
            ("project", scope.project()),
            ("refresh", paused.then_some("0")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn times_are_told_with_their_zone() {
        let at = Timestamp::from_micros(1_795_341_600_250_000);
        assert_eq!(
            clock(at, at).into_string(),
            "<time datetime=\"2026-11-22T10:00:00Z\">10:00:00Z</time>"
        );
        let tomorrow = Timestamp::from_micros(1_795_428_000_250_000);
        assert_eq!(clock(at, tomorrow).into_string(), date(at).into_string());
        assert_eq!(
            date(at).into_string(),
            "<time datetime=\"2026-11-22T10:00:00Z\">2026-11-22 10:00:00Z</time>"
        );
    }

    #[test]
    fn links_carry_what_is_there() {
        let parameters = [("id", Some("a&b")), ("account", None)];
        assert_eq!(link("probe", &parameters), "probe?id=a%26b");
    }

    proptest! {
        #[test]
        fn no_name_becomes_markup(text in any::<String>()) {
            let html = name(&text).into_string();
            let inside = html.strip_prefix("<bdi>").and_then(|html| html.strip_suffix("</bdi>"));
            let found = inside.unwrap().contains(['<', '>', '"', '\n', '\0', '\u{202e}']);
            prop_assert!(!found);
        }
    }
}
