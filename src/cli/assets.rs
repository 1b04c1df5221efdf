//! Flags of `assets`.

use std::path::PathBuf;

use clap::Args;

use crate::assets::{BaseUrl, JobName, Options, PromDuration, Share};

/// Dashboards, rules, runbooks and sample configurations, written to a
/// directory. Without flags the files are as they stand in the repository.
#[derive(Debug, Args)]
pub(crate) struct AssetsArgs {
    /// Where to write; created where it is missing.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Where the runbook pages are published
    /// [default: a placeholder at example.com].
    #[arg(long, value_name = "URL")]
    pub runbook_base_url: Option<BaseUrl>,

    /// Where Grafana is [default: a placeholder at example.com].
    #[arg(long, value_name = "URL")]
    pub dashboard_base_url: Option<BaseUrl>,

    /// Label `job` of the exporter's targets in Prometheus.
    #[arg(long, value_name = "NAME", default_value_t = Options::default().job)]
    pub job: JobName,

    /// How often the rules are evaluated.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().interval)]
    pub interval: PromDuration,

    /// How long a connection is logged out before somebody is called.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().needs_auth_for)]
    pub needs_auth_for: PromDuration,

    /// The same, where nothing but a person can log in.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().human_login_for)]
    pub human_login_for: PromDuration,

    /// How long a login waits for a person before somebody is called; it lives
    /// ten minutes.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().flow_awaiting_for)]
    pub flow_awaiting_for: PromDuration,

    /// How long an exporter does not answer.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().exporter_down_for)]
    pub exporter_down_for: PromDuration,

    /// How long the API does not answer.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().api_down_for)]
    pub api_down_for: PromDuration,

    /// How long what is not urgent lasts before it is told.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().warning_for)]
    pub warning_for: PromDuration,

    /// How long an alert outlives its last sample; longer than `--kernel.hold`,
    /// so that a bad hour of the API resolves nothing.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().keep_firing_for)]
    pub keep_firing_for: PromDuration,

    /// A health check is stale after this many of its intervals.
    #[arg(long, value_name = "N", default_value_t = Options::default().staleness_factor,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub staleness_factor: u32,

    /// Failed re-logins of a connection in six hours that are too many.
    #[arg(long, value_name = "N", default_value_t = Options::default().reauth_failures,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub reauth_failures: u32,

    /// Changes between logged in and logged out in six hours that are too many.
    #[arg(long, value_name = "N", default_value_t = Options::default().flapping_changes,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub flapping_changes: u32,

    /// How old the data may be while the API answers; longer than
    /// `--kernel.cache`.
    #[arg(long, value_name = "DURATION", default_value_t = Options::default().snapshot_max_age)]
    pub snapshot_max_age: PromDuration,

    /// Share of requests refused with 429 that is too much.
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().rate_limited_share)]
    pub rate_limited_share: Share,

    /// Logged-out share of the fleet, over five minutes and an hour, that is
    /// urgent.
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().burn_share)]
    pub burn_share: Share,

    /// Logged-out share of the fleet, over half an hour and six, that is too
    /// much.
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().burn_slow_share)]
    pub burn_slow_share: Share,

    /// Fewer logged-out connections than this never count as the fleet's.
    #[arg(long, value_name = "N", default_value_t = Options::default().burn_min_connections,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub burn_min_connections: u32,

    /// Days before the API key expires: a warning.
    #[arg(long, value_name = "DAYS", default_value_t = Options::default().key_expiry_warning_days,
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub key_expiry_warning_days: u32,

    /// Days before the API key expires: critical.
    #[arg(long, value_name = "DAYS", default_value_t = Options::default().key_expiry_critical_days,
          value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub key_expiry_critical_days: u32,

    /// Share of the allowed connections that is nearly all.
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().connections_limit_share)]
    pub connections_limit_share: Share,
}

impl AssetsArgs {
    /// The options, each valid; [`Options::check`] looks at them together.
    pub(crate) fn options(&self) -> Options {
        let default = Options::default();
        Options {
            runbook_base_url: self
                .runbook_base_url
                .clone()
                .unwrap_or(default.runbook_base_url),
            dashboard_base_url: self
                .dashboard_base_url
                .clone()
                .unwrap_or(default.dashboard_base_url),
            job: self.job.clone(),
            interval: self.interval,
            needs_auth_for: self.needs_auth_for,
            human_login_for: self.human_login_for,
            flow_awaiting_for: self.flow_awaiting_for,
            exporter_down_for: self.exporter_down_for,
            api_down_for: self.api_down_for,
            warning_for: self.warning_for,
            keep_firing_for: self.keep_firing_for,
            staleness_factor: self.staleness_factor,
            reauth_failures: self.reauth_failures,
            flapping_changes: self.flapping_changes,
            snapshot_max_age: self.snapshot_max_age,
            rate_limited_share: self.rate_limited_share,
            burn_share: self.burn_share,
            burn_slow_share: self.burn_slow_share,
            burn_min_connections: self.burn_min_connections,
            key_expiry_warning_days: self.key_expiry_warning_days,
            key_expiry_critical_days: self.key_expiry_critical_days,
            connections_limit_share: self.connections_limit_share,
        }
    }
}
