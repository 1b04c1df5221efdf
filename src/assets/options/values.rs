//! The kinds of values that options have.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::duration;

/// A value that cannot be put into the rules: what is wrong, and what is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidOption(String);

pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, InvalidOption> {
    Err(InvalidOption(message.into()))
}

/// How a sign-up is told that goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignUp {
    /// Not at all.
    Off,
    /// It can wait for the morning.
    Warning,
    /// It calls somebody.
    Critical,
}

impl SignUp {
    /// As the rules record it.
    pub(super) const fn recorded(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Critical => 1,
            Self::Warning => 2,
        }
    }
}

/// A span of time in the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PromDuration(Duration);

impl PromDuration {
    /// Longer ones say nothing to an alert.
    const MAX: Duration = Duration::from_hours(365 * 24);

    pub(super) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(super) const fn get(self) -> Duration {
        self.0
    }

    /// How long a missing sample is bridged before an alert that waits
    /// `self`: less than that, so that nothing fires on an old sample alone,
    /// two minutes at most, and never less than one evaluation.
    #[must_use]
    pub(super) fn bridge(self, interval: Self) -> Self {
        let most = self.0 / 4 * 3;
        Self(most.min(Duration::from_mins(2)).max(interval.0))
    }
}

impl FromStr for PromDuration {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match duration::parse(text) {
            Ok(span) if span <= Self::MAX => Ok(Self(span)),
            Ok(_) => invalid("the duration is longer than a year"),
            Err(error) => invalid(error.to_string()),
        }
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::format(self.0))
    }
}

/// The beginning of a link, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl FromStr for BaseUrl {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(host) = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
        else {
            return invalid("a base URL begins with http:// or https://");
        };
        if host.is_empty() || host.starts_with('/') {
            return invalid("a base URL names a host");
        }
        // The link stands in single quotes inside a template inside YAML.
        let odd = |c: char| !c.is_ascii_graphic() || "'\"\\{}<>`@?#".contains(c);
        if text.len() > 1024 || text.contains(odd) {
            return invalid(
                "a base URL has neither spaces, quotes, braces, @, ? nor #; encode them with %",
            );
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of label `job` under which Prometheus scrapes the exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobName(String);

impl FromStr for JobName {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
        if text.is_empty() || text.len() > 200 || !text.chars().all(plain) {
            return invalid("a job name has 1 to 200 letters, digits and _ - . / :");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Host and port of something to scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl FromStr for Target {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
        let port = text
            .rsplit_once(':')
            .map(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if port != Some(true) || text.len() > 300 || !text.chars().all(plain) {
            return invalid("a target is a host and a port, like localhost:10077");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a whole, above 0 and at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Share(f64);

impl FromStr for Share {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(share) if share > 0.0 && share <= 1.0 => Ok(Self(share)),
            _ => invalid("a share is a number above 0 and at most 1, like 0.05"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_bounded() {
        assert_eq!(
            "1.5s".parse(),
            Ok(PromDuration(Duration::from_millis(1500)))
        );
        for text in ["", "5", "1s1m", "2y", "99999999999999999999s"] {
            assert!(text.parse::<PromDuration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_bridge_is_shorter_than_what_it_bridges(seconds in 41..10_000_u64) {
            let (span, interval) = (PromDuration::from_secs(seconds), PromDuration::from_secs(30));
            prop_assert!(span.bridge(interval) < span);
            prop_assert!(span.bridge(interval) >= interval);
            prop_assert!(span.bridge(interval) <= PromDuration::from_secs(120));
        }
    }

    #[test]
    fn base_urls_lose_their_last_slash_and_refuse_what_breaks_yaml() {
        let url: BaseUrl = "https://runbooks.example.org/auth/".parse().expect("a URL");
        assert_eq!(url.to_string(), "https://runbooks.example.org/auth");
        for text in [
            "",
            "runbooks.example.org",
            "ftp://example.org",
            "https://",
            "https:///path",
            "https://example.org/it's",
            "https://example.org/{{ x }}",
            "https://example.org/a b",
            "https://user@example.org",
            "https://example.org/\n",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn jobs_and_shares_are_bounded() {
        for text in ["kernel-auth-exporter", "monitoring/kernel_auth.1:2"] {
            assert!(text.parse::<JobName>().is_ok(), "{text}");
        }
        for text in ["", "a b", "a\"b", "a'b", "a\\b", "a\nb", "$job", "@job@"] {
            assert!(text.parse::<JobName>().is_err(), "{text}");
        }
        for text in ["localhost:10077", "[::1]:1", "exporter.example:65535"] {
            assert!(text.parse::<Target>().is_ok(), "{text}");
        }
        for text in [
            "",
            "localhost",
            ":1",
            "a:0",
            "a:65536",
            "a b:1",
            "a'b:1",
            "http://a:1",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        for text in ["0", "-0.1", "1.1", "NaN", "inf", "5%", ""] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!("1".parse(), Ok(Share(1.0)));
    }
}
