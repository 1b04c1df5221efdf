//! What of the rules may differ from one installation to the next.

use std::fmt;
use std::str::FromStr;

/// A value that cannot be put into the rules: what is wrong, and what is right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidOption(String);

fn invalid<T>(message: impl Into<String>) -> Result<T, InvalidOption> {
    Err(InvalidOption(message.into()))
}

/// A span as Prometheus writes it: `300ms`, `5m`, `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PromDuration {
    millis: u64,
}

/// Units of a Prometheus duration, largest first, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl PromDuration {
    /// Longer ones say nothing to an alert, and stay far from overflow.
    const MAX_MILLIS: u64 = 365 * 86_400_000;

    /// From whole seconds.
    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self {
            millis: seconds * 1_000,
        }
    }

    /// How long a missing sample is bridged before an alert that waits
    /// `self`: less than that, so that nothing fires on an old sample alone,
    /// two minutes at most, and never less than one evaluation.
    #[must_use]
    pub(crate) fn bridge(self, interval: Self) -> Self {
        let most = self.millis / 4 * 3;
        Self {
            millis: most.min(120_000).max(interval.millis),
        }
    }
}

impl FromStr for PromDuration {
    type Err = InvalidOption;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            InvalidOption(
                "not a duration: write it like 300ms, 5m or 1h30m, at most a year".to_owned(),
            )
        };
        if text == "0" {
            return Ok(Self { millis: 0 });
        }
        let (mut rest, mut millis, mut units) = (text, 0_u64, UNITS.iter());
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            let letters = after.len()
                - after
                    .trim_start_matches(|c: char| c.is_ascii_lowercase())
                    .len();
            let (unit, next) = after.split_at(letters);
            // `find` goes on where it stopped: each unit once, largest first.
            let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let number: u64 = number.parse().map_err(|_| wrong())?;
            millis = number
                .checked_mul(*factor)
                .and_then(|part| millis.checked_add(part))
                .filter(|sum| *sum <= Self::MAX_MILLIS)
                .ok_or_else(wrong)?;
            rest = next;
        }
        if text.is_empty() {
            return Err(wrong());
        }
        Ok(Self { millis })
    }
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millis == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.millis;
        // From hours down: `90m` reads as 1h30m, and a day as 24h or 1d alike.
        for (name, factor) in UNITS.iter().skip(2) {
            let count = rest / factor;
            if count > 0 {
                write!(f, "{count}{name}")?;
                rest %= factor;
            }
        }
        Ok(())
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

/// Everything that `assets` lets a user choose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Where the runbook pages are published; annotation `runbook_url`.
    pub runbook_base_url: BaseUrl,
    /// Where Grafana is; annotation `dashboard_url`.
    pub dashboard_base_url: BaseUrl,
    /// Label `job` of the exporter's targets.
    pub job: JobName,
    /// How often rules are evaluated.
    pub interval: PromDuration,
    /// How long logged out before somebody is called.
    pub needs_auth_for: PromDuration,
    /// How long, where nothing but a person can log in.
    pub human_login_for: PromDuration,
    /// How long a flow waits for a person; it lives ten minutes.
    pub flow_awaiting_for: PromDuration,
    /// How long no exporter answers.
    pub exporter_down_for: PromDuration,
    /// How long the API does not answer.
    pub api_down_for: PromDuration,
    /// How long what is not urgent lasts.
    pub warning_for: PromDuration,
    /// How long an alert outlives its last sample.
    pub keep_firing_for: PromDuration,
    /// A health check is stale after this many of its intervals.
    pub staleness_factor: u32,
    /// Failed re-logins in six hours.
    pub reauth_failures: u32,
    /// Changes between logged in and logged out in six hours.
    pub flapping_changes: u32,
    /// How old the data may be while the API answers.
    pub snapshot_max_age: PromDuration,
    /// Share of requests that the API refuses with 429.
    pub rate_limited_share: Share,
    /// Logged-out share of the fleet that is urgent.
    pub burn_share: Share,
    /// Logged-out share of the fleet that is not urgent and goes on.
    pub burn_slow_share: Share,
    /// Fewer logged-out connections than this are never the fleet's problem.
    pub burn_min_connections: u32,
    /// Days before the API key expires: warning.
    pub key_expiry_warning_days: u32,
    /// Days before the API key expires: critical.
    pub key_expiry_critical_days: u32,
    /// Share of the allowed connections in use.
    pub connections_limit_share: Share,
}

impl Default for Options {
    fn default() -> Self {
        let url = |text: &str| BaseUrl(text.to_owned());
        Self {
            runbook_base_url: url("https://example.com/kernel-auth-exporter/docs/runbooks"),
            dashboard_base_url: url("https://grafana.example.com"),
            job: JobName("kernel-auth-exporter".to_owned()),
            interval: PromDuration::from_secs(30),
            needs_auth_for: PromDuration::from_secs(300),
            human_login_for: PromDuration::from_secs(180),
            flow_awaiting_for: PromDuration::from_secs(60),
            exporter_down_for: PromDuration::from_secs(300),
            api_down_for: PromDuration::from_secs(300),
            warning_for: PromDuration::from_secs(600),
            keep_firing_for: PromDuration::from_secs(600),
            staleness_factor: 3,
            reauth_failures: 3,
            flapping_changes: 4,
            snapshot_max_age: PromDuration::from_secs(600),
            rate_limited_share: Share(0.05),
            burn_share: Share(0.144),
            burn_slow_share: Share(0.06),
            burn_min_connections: 3,
            key_expiry_warning_days: 14,
            key_expiry_critical_days: 2,
            connections_limit_share: Share(0.9),
        }
    }
}

impl Options {
    /// Checks what no option can tell alone.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        if self.interval.millis == 0 {
            return invalid("--interval must be above 0");
        }
        if self.interval.millis > 60_000 {
            return invalid("--interval must be at most 1m: alerts bridge two minutes");
        }
        // A scrape and an evaluation come before it.
        if self.flow_awaiting_for.millis + 2 * self.interval.millis > 180_000 {
            return invalid(
                "--flow-awaiting-for and twice --interval must be at most 3m: a flow waits ten",
            );
        }
        if self.key_expiry_critical_days >= self.key_expiry_warning_days {
            return invalid("--key-expiry-critical-days must be below --key-expiry-warning-days");
        }
        if self.burn_slow_share > self.burn_share {
            return invalid("--burn-slow-share must not be above --burn-share");
        }
        Ok(())
    }

    /// What stands for `@name@` in a template.
    pub(super) fn value_of(&self, name: &str) -> Option<String> {
        let short = self.human_login_for.min(self.needs_auth_for);
        let unauthorized = self.human_login_for.min(self.api_down_for);
        let bridge = |span: PromDuration| span.bridge(self.interval).to_string();
        Some(match name {
            "runbook_base_url" => self.runbook_base_url.to_string(),
            "dashboard_base_url" => self.dashboard_base_url.to_string(),
            "job" => self.job.to_string(),
            "interval" => self.interval.to_string(),
            // Two samples at least, where scrapes are at most twice as rare as
            // evaluations.
            "visible_window" => PromDuration {
                millis: self.interval.millis * 4,
            }
            .to_string(),
            "needs_auth_for" | "missing_for" => self.needs_auth_for.to_string(),
            "needs_auth_bridge" => bridge(self.needs_auth_for),
            "human_login_for" => self.human_login_for.to_string(),
            "human_login_bridge" => bridge(self.human_login_for),
            "flow_awaiting_for" => self.flow_awaiting_for.to_string(),
            "flow_awaiting_bridge" => bridge(self.flow_awaiting_for),
            "flow_failed_for" | "burn_for" => short.to_string(),
            "flow_failed_bridge" | "burn_bridge" => bridge(short),
            "exporter_down_for" => self.exporter_down_for.to_string(),
            "api_unreachable_for" => self.api_down_for.to_string(),
            "api_unreachable_bridge" => bridge(self.api_down_for),
            "api_unauthorized_for" => unauthorized.to_string(),
            "api_unauthorized_bridge" => bridge(unauthorized),
            "warning_for" => self.warning_for.to_string(),
            "warning_bridge" => bridge(self.warning_for),
            "keep_firing_for" => self.keep_firing_for.to_string(),
            "short_keep_firing_for" => self
                .keep_firing_for
                .min(PromDuration::from_secs(120))
                .to_string(),
            "staleness_factor" => self.staleness_factor.to_string(),
            "reauth_failures" => self.reauth_failures.to_string(),
            "flapping_changes" => self.flapping_changes.to_string(),
            "snapshot_max_age_seconds" => {
                (self.snapshot_max_age.millis.div_ceil(1_000)).to_string()
            }
            "rate_limited_share" => self.rate_limited_share.to_string(),
            "burn_share" => self.burn_share.to_string(),
            "burn_slow_share" => self.burn_slow_share.to_string(),
            "burn_min_connections" => self.burn_min_connections.to_string(),
            "key_expiry_warning_days" => self.key_expiry_warning_days.to_string(),
            "key_expiry_critical_days" => self.key_expiry_critical_days.to_string(),
            "connections_limit_share" => self.connections_limit_share.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_prometheus_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("300ms", 300),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("1d12h", 129_600_000),
        ] {
            assert_eq!(text.parse(), Ok(PromDuration { millis }), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "5 m",
            "1s1m",
            "1m1m",
            "-1m",
            "1.5m",
            "5M",
            "2y",
            "99999999999999999999s",
        ] {
            assert!(text.parse::<PromDuration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn durations_survive_their_text(millis in 0..=PromDuration::MAX_MILLIS) {
            let duration = PromDuration { millis };
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

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
        for text in ["0", "-0.1", "1.1", "NaN", "inf", "5%", ""] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!("1".parse(), Ok(Share(1.0)));
    }

    #[test]
    fn contradictions_are_named() {
        let default = Options::default();
        assert_eq!(default.check(), Ok(()));
        for (wrong, flag) in [
            (
                Options {
                    interval: PromDuration::from_secs(0),
                    ..default.clone()
                },
                "--interval",
            ),
            (
                Options {
                    interval: PromDuration::from_secs(61),
                    ..default.clone()
                },
                "--interval",
            ),
            (
                Options {
                    flow_awaiting_for: PromDuration::from_secs(121),
                    ..default.clone()
                },
                "--flow-awaiting-for",
            ),
            (
                Options {
                    key_expiry_critical_days: 14,
                    ..default.clone()
                },
                "--key-expiry-critical-days",
            ),
            (
                Options {
                    burn_slow_share: Share(0.5),
                    ..default.clone()
                },
                "--burn-slow-share",
            ),
        ] {
            let error = wrong.check().expect_err("a contradiction").to_string();
            assert!(error.starts_with(flag), "{error}");
        }
    }
}
