//! How the values of options are read: each error says what is right.

use std::time::Duration;

use clap::ValueEnum;

use crate::duration;

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

/// A span of time in the rules. Longer ones than a year say nothing to an alert.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(span) if span <= Duration::from_hours(365 * 24) => Ok(span),
        Ok(_) => Err("the duration is longer than a year".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The beginning of a link, without a slash at its end.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    let Some(host) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return Err("a base URL begins with http:// or https://");
    };
    if host.is_empty() || host.starts_with('/') {
        return Err("a base URL names a host");
    }
    // The link stands in single quotes inside a template inside YAML.
    let odd = |c: char| !c.is_ascii_graphic() || "'\"\\{}<>`@?#".contains(c);
    if text.len() > 1024 || text.contains(odd) {
        return Err(
            "a base URL has neither spaces, quotes, braces, @, ? nor #; encode them with %",
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The value of label `job` under which Prometheus scrapes the exporter.
pub(super) fn job_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    if text.is_empty() || text.len() > 200 || !text.chars().all(plain) {
        return Err("a job name has 1 to 200 letters, digits and _ - . / :");
    }
    Ok(text.to_owned())
}

/// Host and port of something to scrape.
pub(super) fn target(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if port != Some(true) || text.len() > 300 || !text.chars().all(plain) {
        return Err("a target is a host and a port, like localhost:10077");
    }
    Ok(text.to_owned())
}

/// A part of a whole, above 0 and at most 1.
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok();
    share
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or("a share is a number above 0 and at most 1, like 0.05")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_bounded() {
        assert_eq!(span("1.5s"), Ok(Duration::from_millis(1500)));
        for text in ["", "5", "1s1m", "2y", "99999999999999999999s"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn base_urls_lose_their_last_slash_and_refuse_what_breaks_yaml() {
        assert_eq!(
            base_url("https://runbooks.example.org/auth/").as_deref(),
            Ok("https://runbooks.example.org/auth")
        );
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
            assert!(base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn jobs_and_shares_are_bounded() {
        for text in ["kernel-auth-exporter", "monitoring/kernel_auth.1:2"] {
            assert!(job_name(text).is_ok(), "{text}");
        }
        for text in ["", "a b", "a\"b", "a'b", "a\\b", "a\nb", "$job", "@job@"] {
            assert!(job_name(text).is_err(), "{text}");
        }
        for text in ["localhost:10077", "[::1]:1", "exporter.example:65535"] {
            assert!(target(text).is_ok(), "{text}");
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
            assert!(target(text).is_err(), "{text}");
        }
        for text in ["0", "-0.1", "1.1", "NaN", "inf", "5%", ""] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(share("1"), Ok(1.0));
    }
}
