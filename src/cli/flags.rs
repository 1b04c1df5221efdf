//! The exporter's flags, as typed.

// What documents a flag is its help text, plain and without Markdown.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use crate::model::{Collector, CollectorSet};

/// The flags that `serve`, `once`, `demo` and `check-config` share.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct Flags {
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
pub struct KernelFlags {
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
pub struct MetricsFlags {
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
pub struct WebFlags {
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
pub struct LogFlags {
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
pub enum LogLevel {
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
pub enum LogFormat {
    /// `key=value` pairs.
    #[default]
    Logfmt,
    /// One object per line.
    Json,
}

/// The switches of the API.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelSwitches {
    /// `--kernel.allow-http`.
    pub allow_http: Option<bool>,
}

/// The switches of the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSwitches {
    /// `--web.systemd-socket`.
    pub systemd_socket: Option<bool>,
    /// `--web.enable-lifecycle`.
    pub enable_lifecycle: Option<bool>,
}

/// `--collector.NAME` and `--no-collector.NAME`.
#[derive(Clone, Copy, Debug)]
pub struct CollectorFlags {
    given: CollectorSet,
    on: CollectorSet,
}

impl Default for CollectorFlags {
    fn default() -> Self {
        Self {
            given: CollectorSet::EMPTY,
            on: CollectorSet::EMPTY,
        }
    }
}

impl CollectorFlags {
    /// Whether a flag switched it, and how.
    pub fn given(&self, collector: Collector) -> Option<bool> {
        self.given.has(collector).then(|| self.on.has(collector))
    }

    /// The same with `collector` switched by a flag.
    #[must_use]
    pub fn with(self, collector: Collector, on: bool) -> Self {
        Self {
            given: self.given.with(collector, true),
            on: self.on.with(collector, on),
        }
    }
}

/// A flag with a `--no-` twin, of which the last one given wins.
pub(super) struct Switch {
    pub(super) name: &'static str,
    no: &'static str,
    help: &'static str,
}

macro_rules! switch {
    ($name:literal, $help:literal) => {
        Switch {
            name: $name,
            no: concat!("no-", $name),
            help: $help,
        }
    };
}

const ALLOW_HTTP: Switch = switch!(
    "kernel.allow-http",
    "Allow a plain http:// URL to a host other than this machine [default: off]"
);
const SYSTEMD_SOCKET: Switch = switch!(
    "web.systemd-socket",
    "Take the listening sockets from systemd [default: off]"
);
const ENABLE_LIFECYCLE: Switch = switch!(
    "web.enable-lifecycle",
    "Reload the configuration on POST or PUT to /-/reload; SIGHUP always does [default: off]"
);

const fn collector_switch(collector: Collector) -> Switch {
    match collector {
        Collector::Status => {
            switch!(
                "collector.status",
                "Whether each connection is logged in [default: on]"
            )
        }
        Collector::Auth => switch!("collector.auth", "When that was last checked [default: on]"),
        Collector::Flow => switch!(
            "collector.flow",
            "The latest login flow: state, step, expiry, error [default: on]"
        ),
        Collector::Reauth => switch!(
            "collector.reauth",
            "Whether an unattended re-login is possible, and why [default: on]"
        ),
        Collector::Settings => {
            switch!(
                "collector.settings",
                "How each connection is configured [default: on]"
            )
        }
        Collector::Timeline => switch!(
            "collector.timeline",
            "Login history; costs requests of its own [default: off]"
        ),
        Collector::Org => switch!(
            "collector.org",
            "Limits, plan and key expiry of the organisation [default: off]"
        ),
    }
}

/// All switches.
pub(super) fn switches() -> impl Iterator<Item = Switch> {
    let collectors = Collector::ALL
        .iter()
        .map(|collector| collector_switch(*collector));
    [ALLOW_HTTP, SYSTEMD_SOCKET, ENABLE_LIFECYCLE]
        .into_iter()
        .chain(collectors)
}

impl Switch {
    fn define(self, command: Command) -> Command {
        let yes = Arg::new(self.name)
            .long(self.name)
            .action(ArgAction::SetTrue)
            .overrides_with_all([self.name, self.no])
            .help(self.help);
        let no = Arg::new(self.no)
            .long(self.no)
            .action(ArgAction::SetTrue)
            .overrides_with_all([self.name, self.no])
            .hide(true);
        command.arg(yes).arg(no)
    }

    fn read(self, matches: &ArgMatches) -> Option<bool> {
        if matches.get_flag(self.name) {
            return Some(true);
        }
        matches.get_flag(self.no).then_some(false)
    }
}

/// [`Args`] for a type with `define(Command) -> Command` and
/// `read(&ArgMatches) -> Self`.
macro_rules! args_by_hand {
    ($($name:ident),+) => {$(
        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                Self::define(command)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::define(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self::read(matches))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::read(matches);
                Ok(())
            }
        }
    )+};
}

args_by_hand!(KernelSwitches, WebSwitches, CollectorFlags);

impl KernelSwitches {
    fn define(command: Command) -> Command {
        ALLOW_HTTP.define(command)
    }

    fn read(matches: &ArgMatches) -> Self {
        Self {
            allow_http: ALLOW_HTTP.read(matches),
        }
    }
}

impl WebSwitches {
    fn define(command: Command) -> Command {
        ENABLE_LIFECYCLE.define(SYSTEMD_SOCKET.define(command))
    }

    fn read(matches: &ArgMatches) -> Self {
        Self {
            systemd_socket: SYSTEMD_SOCKET.read(matches),
            enable_lifecycle: ENABLE_LIFECYCLE.read(matches),
        }
    }
}

impl CollectorFlags {
    fn define(command: Command) -> Command {
        let command = command.next_help_heading("Collectors");
        Collector::ALL.iter().fold(command, |command, collector| {
            collector_switch(*collector).define(command)
        })
    }

    fn read(matches: &ArgMatches) -> Self {
        let read =
            |flags: Self, collector: &Collector| match collector_switch(*collector).read(matches) {
                Some(on) => flags.with(*collector, on),
                None => flags,
            };
        Collector::ALL.iter().fold(Self::default(), read)
    }
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
