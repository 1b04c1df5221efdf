//! The exporter's flags, as typed.

// What documents a flag is its help text, plain and without Markdown.
#![allow(clippy::doc_markdown, rustdoc::bare_urls)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::switches::{CollectorFlags, KernelSwitches, WebSwitches};
use crate::model::Collector;

/// The flags that `serve`, `once`, `demo` and `check-config` share.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Flags {
    /// Config file in YAML; flags and environment win over it
    #[arg(id = "config.file", long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub kernel: KernelFlags,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub metrics: MetricsFlags,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub collectors: CollectorFlags,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub web: WebFlags,
}

/// `--kernel.…`
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Kernel API")]
#[allow(missing_docs)] // The help texts say it.
pub(crate) struct KernelFlags {
    /// Base URL of the API [default: https://api.onkernel.com]
    /// [env: KERNEL_BASE_URL]
    #[arg(id = "kernel.api-url", long = "kernel.api-url", value_name = "URL")]
    pub api_url: Option<String>,

    #[command(flatten)]
    pub switches: KernelSwitches,

    /// File that holds the API key, read again when it changes
    /// [env: KERNEL_API_KEY_FILE; the key itself only in KERNEL_API_KEY]
    #[arg(
        id = "kernel.api-key-file",
        long = "kernel.api-key-file",
        value_name = "FILE"
    )]
    pub api_key_file: Option<PathBuf>,

    /// Project to watch, by ID, or `all`; repeatable. None: no project header
    /// [env: KERNEL_PROJECT]
    #[arg(id = "kernel.project", long = "kernel.project", value_name = "ID")]
    pub project: Vec<String>,

    /// Connection to watch, by ID; repeatable. None: every connection of the
    /// project
    #[arg(
        id = "kernel.connection",
        long = "kernel.connection",
        value_name = "ID"
    )]
    pub connection: Vec<String>,

    /// Only connections of this domain, exact match; repeatable
    #[arg(id = "kernel.domain", long = "kernel.domain", value_name = "DOMAIN")]
    pub domain: Vec<String>,

    /// Only connections of this profile, exact match; repeatable
    #[arg(id = "kernel.profile", long = "kernel.profile", value_name = "NAME")]
    pub profile: Vec<String>,

    /// Budget of one collection when the scraper names none [default: 10s]
    #[arg(
        id = "kernel.timeout",
        long = "kernel.timeout",
        value_name = "DURATION"
    )]
    pub timeout: Option<String>,

    /// Requests in flight to the API, over all scrapes [default: 8]
    #[arg(
        id = "kernel.concurrency",
        long = "kernel.concurrency",
        value_name = "N"
    )]
    pub concurrency: Option<String>,

    /// Scrapes within this age share one collection [default: 0s]
    #[arg(id = "kernel.cache", long = "kernel.cache", value_name = "DURATION")]
    pub cache: Option<String>,

    /// How long the last known state is still served while the API fails; 0s:
    /// not at all [default: 5m]
    #[arg(id = "kernel.hold", long = "kernel.hold", value_name = "DURATION")]
    pub hold: Option<String>,

    /// Share of the organisation's published per-minute limit that the exporter
    /// may use [default: 0.5]
    #[arg(
        id = "kernel.quota-share",
        long = "kernel.quota-share",
        value_name = "SHARE"
    )]
    pub quota_share: Option<String>,

    /// More connections than this in one collection are an error
    /// [default: 250000]
    #[arg(
        id = "kernel.max-connections",
        long = "kernel.max-connections",
        value_name = "N"
    )]
    pub max_connections: Option<String>,

    /// Timelines asked for per collection, at most [default: 20]
    #[arg(
        id = "kernel.timeline-requests",
        long = "kernel.timeline-requests",
        value_name = "N"
    )]
    pub timeline_requests: Option<String>,
}

/// `--metrics.…`
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Metrics")]
#[allow(missing_docs)] // The help texts say it.
pub(crate) struct MetricsFlags {
    /// States of an enum to show: `all` as 0 or 1, or only the `active` one
    /// [default: all]
    #[arg(id = "metrics.states", long = "metrics.states", value_name = "WHICH")]
    pub states: Option<String>,

    /// The label profile_name: `keep`, `hash` (16 hex digits of its SHA-256) or
    /// `drop` [default: keep]
    #[arg(
        id = "metrics.profile-name",
        long = "metrics.profile-name",
        value_name = "HOW"
    )]
    pub profile_name: Option<String>,
}

/// `--web.…`
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Web")]
#[allow(missing_docs)] // The help texts say it.
pub(crate) struct WebFlags {
    /// Where to listen, HOST:PORT or :PORT; repeatable [default: :10077]
    #[arg(
        id = "web.listen-address",
        long = "web.listen-address",
        value_name = "ADDRESS"
    )]
    pub listen_address: Vec<String>,

    #[command(flatten)]
    pub switches: WebSwitches,

    /// Path of the metrics [default: /metrics]
    #[arg(
        id = "web.telemetry-path",
        long = "web.telemetry-path",
        value_name = "PATH"
    )]
    pub telemetry_path: Option<String>,

    /// TLS and authentication, the web config of Prometheus' exporters
    #[arg(id = "web.config.file", long = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Scrapes at once; more get 503 [default: 40]
    #[arg(id = "web.max-requests", long = "web.max-requests", value_name = "N")]
    pub max_requests: Option<String>,

    /// Taken off the scraper's timeout [default: 0.5s]
    #[arg(
        id = "web.timeout-offset",
        long = "web.timeout-offset",
        value_name = "DURATION"
    )]
    pub timeout_offset: Option<String>,
}

/// `--log.…`, before and behind every command.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Logging")]
#[allow(missing_docs)] // The help texts say it.
pub(crate) struct LogFlags {
    /// Least severity: debug, info, warn or error [default: info]
    #[arg(
        id = "log.level",
        long = "log.level",
        global = true,
        value_name = "LEVEL",
        hide_possible_values = true
    )]
    pub level: Option<LogLevel>,

    /// Format of the log on stderr: logfmt or json [default: logfmt]
    #[arg(
        id = "log.format",
        long = "log.format",
        global = true,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub format: Option<LogFormat>,
}

/// `--log.level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Every decision.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What will need a look.
    Warn,
    /// What needs a look now.
    Error,
}

/// `--log.format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// `key=value` pairs.
    #[default]
    Logfmt,
    /// One object per line.
    Json,
}

impl Flags {
    /// Adds flags that were given later: they win, lists grow.
    pub(super) fn absorb(&mut self, later: Self) {
        let Self {
            config_file,
            kernel,
            metrics,
            collectors,
            web,
        } = later;
        replace(&mut self.config_file, config_file);
        self.kernel.absorb(kernel);
        let MetricsFlags {
            states,
            profile_name,
        } = metrics;
        replace(&mut self.metrics.states, states);
        replace(&mut self.metrics.profile_name, profile_name);
        for collector in Collector::ALL {
            if let Some(on) = collectors.given(*collector) {
                self.collectors = self.collectors.with(*collector, on);
            }
        }
        self.web.absorb(web);
    }
}

impl KernelFlags {
    fn absorb(&mut self, later: Self) {
        let Self {
            api_url,
            switches: KernelSwitches { allow_http },
            api_key_file,
            project,
            connection,
            domain,
            profile,
            timeout,
            concurrency,
            cache,
            hold,
            quota_share,
            max_connections,
            timeline_requests,
        } = later;
        replace(&mut self.api_url, api_url);
        replace(&mut self.switches.allow_http, allow_http);
        replace(&mut self.api_key_file, api_key_file);
        self.project.extend(project);
        self.connection.extend(connection);
        self.domain.extend(domain);
        self.profile.extend(profile);
        replace(&mut self.timeout, timeout);
        replace(&mut self.concurrency, concurrency);
        replace(&mut self.cache, cache);
        replace(&mut self.hold, hold);
        replace(&mut self.quota_share, quota_share);
        replace(&mut self.max_connections, max_connections);
        replace(&mut self.timeline_requests, timeline_requests);
    }
}

impl WebFlags {
    fn absorb(&mut self, later: Self) {
        let Self {
            listen_address,
            switches:
                WebSwitches {
                    systemd_socket,
                    enable_lifecycle,
                },
            telemetry_path,
            config_file,
            max_requests,
            timeout_offset,
        } = later;
        self.listen_address.extend(listen_address);
        replace(&mut self.switches.systemd_socket, systemd_socket);
        replace(&mut self.switches.enable_lifecycle, enable_lifecycle);
        replace(&mut self.telemetry_path, telemetry_path);
        replace(&mut self.config_file, config_file);
        replace(&mut self.max_requests, max_requests);
        replace(&mut self.timeout_offset, timeout_offset);
    }
}

fn replace<T>(value: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *value = later;
    }
}
