//! What of the rules may differ from one installation to the next: the flags
//! of `assets`.

mod values;

use std::time::Duration;

use clap::{Args, FromArgMatches};

use crate::duration;

use self::values::invalid;
pub(crate) use self::values::{
    BaseUrl, InvalidOption, JobName, PromDuration, Share, SignUp, Target,
};

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
        hide_default_value = true,
        default_value = RUNBOOKS
    )]
    pub runbook_base_url: BaseUrl,

    /// Where Grafana is [default: a placeholder at example.com].
    #[arg(
        long,
        value_name = "URL",
        hide_default_value = true,
        default_value = "https://grafana.example.com"
    )]
    pub dashboard_base_url: BaseUrl,

    /// Label `job` of the exporter's targets in Prometheus.
    #[arg(long, value_name = "NAME", default_value = "kernel-auth-exporter")]
    pub job: JobName,

    /// Where the exporter is, for the sample configuration of Prometheus.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:10077")]
    pub target: Target,

    /// How often the rules are evaluated, and the sample configuration scrapes.
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub interval: PromDuration,

    /// How long a connection is logged out before somebody is called.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub needs_auth_for: PromDuration,

    /// The same, where nothing but a person can log in.
    #[arg(long, value_name = "DURATION", default_value = "3m")]
    pub human_login_for: PromDuration,

    /// How long a login waits for a person before somebody is called; its
    /// time to answer is ten minutes, and the whole login has twenty.
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub flow_awaiting_for: PromDuration,

    /// Whether a connection that was never logged in, for an hour, is told.
    #[arg(long, value_name = "HOW", default_value = "warning")]
    pub never_logged_in: SignUp,

    /// Whether a login is told that a person began and that waits for five
    /// minutes, other than to repair what was logged out within the last day.
    #[arg(long, value_name = "HOW", default_value = "warning")]
    pub person_login: SignUp,

    /// How long an exporter does not answer.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub exporter_down_for: PromDuration,

    /// How long the API does not answer.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub api_down_for: PromDuration,

    /// How long what is not urgent lasts before it is told.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub warning_for: PromDuration,

    /// How long an alert outlives its last sample; longer than `--kernel.hold`,
    /// so that a bad hour of the API resolves nothing.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub keep_firing_for: PromDuration,

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
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    pub snapshot_max_age: PromDuration,

    /// Share of requests refused with 429 that is too much.
    #[arg(long, value_name = "SHARE", default_value = "0.05")]
    pub rate_limited_share: Share,

    /// Logged-out share of the fleet, over five minutes and an hour, that is
    /// urgent.
    #[arg(long, value_name = "SHARE", default_value = "0.144")]
    pub burn_share: Share,

    /// Logged-out share of the fleet, over half an hour and six, that is too
    /// much.
    #[arg(long, value_name = "SHARE", default_value = "0.06")]
    pub burn_slow_share: Share,

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
    #[arg(long, value_name = "SHARE", default_value = "0.9")]
    pub connections_limit_share: Share,
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
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        if self.interval.get().is_zero() {
            return invalid("--interval must be above 0");
        }
        if self.interval.get() > Duration::from_mins(1) {
            return invalid("--interval must be at most 1m: alerts bridge two minutes");
        }
        // A scrape and an evaluation come before it.
        if self.flow_awaiting_for.get() + 2 * self.interval.get() > Duration::from_mins(3) {
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
            "target" => self.target.to_string(),
            "interval" => self.interval.to_string(),
            // Large fleets take several requests.
            "scrape_timeout" => self.interval.min(PromDuration::from_secs(15)).to_string(),
            // Two samples at least, where scrapes are at most twice as rare as
            // evaluations.
            "visible_window" => duration::format(self.interval.get() * 4),
            "needs_auth_for" | "missing_for" => self.needs_auth_for.to_string(),
            "needs_auth_bridge" => bridge(self.needs_auth_for),
            "human_login_for" => self.human_login_for.to_string(),
            "human_login_bridge" => bridge(self.human_login_for),
            "flow_awaiting_for" => self.flow_awaiting_for.to_string(),
            "flow_awaiting_bridge" => bridge(self.flow_awaiting_for),
            "flow_failed_for" | "burn_for" => short.to_string(),
            "flow_failed_bridge" | "burn_bridge" => bridge(short),
            "never_logged_in" => self.never_logged_in.recorded().to_string(),
            "person_login" => self.person_login.recorded().to_string(),
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
                let millis = self.snapshot_max_age.get().as_millis();
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

#[cfg(test)]
mod tests;
