//! What of the rules may differ from one installation to the next: the flags
//! of `assets`.

mod values;

use std::time::Duration;

use clap::{Args, FromArgMatches};

use crate::duration;

use self::values::{SignUp, base_url, job_name, share, span, target};

/// The placeholder that the repository's own rules and dashboards have.
pub(super) const RUNBOOKS: &str = "https://example.com/kernel-auth-exporter/docs/runbooks";

/// Everything that `assets` lets a user choose.
#[derive(Clone, Debug, PartialEq, Args)]
pub(crate) struct Options {
    /// Where the runbook pages are published
    /// [default: a placeholder at example.com].
    #[arg(
        long,
        value_name = "URL",
        value_parser = base_url,
        hide_default_value = true,
        default_value = RUNBOOKS
    )]
    pub runbook_base_url: String,

    /// Where Grafana is [default: a placeholder at example.com].
    #[arg(
        long,
        value_name = "URL",
        value_parser = base_url,
        hide_default_value = true,
        default_value = "https://grafana.example.com"
    )]
    pub dashboard_base_url: String,

    /// Label `job` of the exporter's targets in Prometheus.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = job_name,
        default_value = "kernel-auth-exporter"
    )]
    pub job: String,

    /// Where the exporter is, for the sample configuration of Prometheus.
    #[arg(long, value_name = "HOST:PORT", value_parser = target, default_value = "localhost:10077")]
    pub target: String,

    /// How often the rules are evaluated, and the sample configuration scrapes.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "30s")]
    pub interval: Duration,

    /// How long a connection is logged out before somebody is called.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5m")]
    pub needs_auth_for: Duration,

    /// The same, where nothing but a person can log in.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "3m")]
    pub human_login_for: Duration,

    /// How long a login waits for a person before somebody is called; its
    /// time to answer is ten minutes, and the whole login has twenty.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "1m")]
    pub flow_awaiting_for: Duration,

    /// Whether to alert on a connection that has gone an hour without a first login.
    #[arg(long, value_name = "HOW", default_value = "warning")]
    pub never_logged_in: SignUp,

    /// Whether to alert on a login that a person started and that has waited for
    /// five minutes, except one that repairs a logout of the last day.
    #[arg(long, value_name = "HOW", default_value = "warning")]
    pub person_login: SignUp,

    /// How long an exporter does not answer.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5m")]
    pub exporter_down_for: Duration,

    /// How long the API does not answer.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "5m")]
    pub api_down_for: Duration,

    /// How long a condition that is not urgent must last before it alerts.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "10m")]
    pub warning_for: Duration,

    /// How long an alert outlives its last sample; longer than `--kernel.hold`,
    /// so that a bad hour of the API resolves nothing.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "10m")]
    pub keep_firing_for: Duration,

    /// A health check is stale after this many of its intervals.
    #[arg(long, value_name = "N", default_value = "3",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub staleness_factor: u32,

    /// Failed re-logins of a connection in six hours that are too many.
    #[arg(long, value_name = "N", default_value = "3",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub reauth_failures: u32,

    /// Changes between logged in and logged out in six hours that are too many.
    #[arg(long, value_name = "N", default_value = "4",
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub flapping_changes: u32,

    /// How old the data may be while the API answers; longer than
    /// `--kernel.cache`.
    #[arg(long, value_name = "DURATION", value_parser = span, default_value = "10m")]
    pub snapshot_max_age: Duration,

    /// Share of requests refused with 429 that is too much.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.05")]
    pub rate_limited_share: f64,

    /// Logged-out share of the fleet, over five minutes and an hour, that is
    /// urgent.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.144")]
    pub burn_share: f64,

    /// Logged-out share of the fleet, over half an hour and six, that is too
    /// much.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.06")]
    pub burn_slow_share: f64,

    /// Fewer logged-out connections than this never count as the fleet's.
    #[arg(long, value_name = "N", default_value = "3",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub burn_min_connections: u32,

    /// Days before the API key expires: a warning.
    #[arg(long, value_name = "DAYS", default_value = "14",
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub key_expiry_warning_days: u32,

    /// Days before the API key expires: critical.
    #[arg(long, value_name = "DAYS", default_value = "2",
          value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub key_expiry_critical_days: u32,

    /// Share of the allowed connections that is nearly all.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.9")]
    pub connections_limit_share: f64,
}

impl Default for Options {
    /// What the committed files are made with.
    fn default() -> Self {
        Self::augment_args(clap::Command::new("assets"))
            .try_get_matches_from(["assets"])
            .and_then(|matches| Self::from_arg_matches(&matches))
            .expect("every option has a default that is right, as a test holds")
    }
}

impl Options {
    /// Checks what no option can tell alone.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.interval.is_zero() {
            return Err("--interval must be above 0");
        }
        if self.interval > Duration::from_mins(1) {
            return Err("--interval must be at most 1m: alerts bridge two minutes");
        }
        // A scrape and an evaluation come before it.
        if self.flow_awaiting_for + 2 * self.interval > Duration::from_mins(3) {
            return Err(
                "--flow-awaiting-for and twice --interval must be at most 3m: a flow waits ten",
            );
        }
        if self.key_expiry_critical_days >= self.key_expiry_warning_days {
            return Err("--key-expiry-critical-days must be below --key-expiry-warning-days");
        }
        if self.burn_slow_share > self.burn_share {
            return Err("--burn-slow-share must not be above --burn-share");
        }
        Ok(())
    }

    /// What stands for `@name@` in a template.
    pub(super) fn value_of(&self, name: &str) -> Option<String> {
        let short = self.human_login_for.min(self.needs_auth_for);
        let unauthorized = self.human_login_for.min(self.api_down_for);
        let written = duration::format;
        let bridge = |span| written(bridged(span, self.interval));
        Some(match name {
            "runbook_base_url" => self.runbook_base_url.clone(),
            "dashboard_base_url" => self.dashboard_base_url.clone(),
            "job" => self.job.clone(),
            "target" => self.target.clone(),
            "interval" => written(self.interval),
            // Large fleets take several requests.
            "scrape_timeout" => written(self.interval.min(Duration::from_secs(15))),
            // Two samples at least, where scrapes are at most twice as rare as
            // evaluations.
            "visible_window" => written(self.interval * 4),
            "needs_auth_for" | "missing_for" => written(self.needs_auth_for),
            "needs_auth_bridge" => bridge(self.needs_auth_for),
            "human_login_for" => written(self.human_login_for),
            "human_login_bridge" => bridge(self.human_login_for),
            "flow_awaiting_for" => written(self.flow_awaiting_for),
            "flow_awaiting_bridge" => bridge(self.flow_awaiting_for),
            "flow_failed_for" | "burn_for" => written(short),
            "flow_failed_bridge" | "burn_bridge" => bridge(short),
            "never_logged_in" => self.never_logged_in.recorded().to_string(),
            "person_login" => self.person_login.recorded().to_string(),
            "exporter_down_for" => written(self.exporter_down_for),
            "api_unreachable_for" => written(self.api_down_for),
            "api_unreachable_bridge" => bridge(self.api_down_for),
            "api_unauthorized_for" => written(unauthorized),
            "api_unauthorized_bridge" => bridge(unauthorized),
            "warning_for" => written(self.warning_for),
            "warning_bridge" => bridge(self.warning_for),
            "keep_firing_for" => written(self.keep_firing_for),
            "short_keep_firing_for" => written(self.keep_firing_for.min(Duration::from_mins(2))),
            "staleness_factor" => self.staleness_factor.to_string(),
            "reauth_failures" => self.reauth_failures.to_string(),
            "flapping_changes" => self.flapping_changes.to_string(),
            "snapshot_max_age_seconds" => {
                let millis = self.snapshot_max_age.as_millis();
                millis.div_ceil(1_000).to_string()
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

/// How long a missing sample is bridged before an alert that waits `span`: less
/// than that, so that nothing fires on an old sample alone, two minutes at most,
/// and never less than one evaluation.
fn bridged(span: Duration, interval: Duration) -> Duration {
    let most = span / 4 * 3;
    most.min(Duration::from_mins(2)).max(interval)
}

#[cfg(test)]
mod tests;
