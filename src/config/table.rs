//! The table of settings. A new setting is one row here and its use: the flag,
//! the key of the config file, the variable, the help text and the row in
//! docs/configuration.md follow from it.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use exporter_toolkit::listener::ListenAddress;
use tracing_subscriber::filter::LevelFilter;

use super::error::ConfigError;
use super::setting::{
    Row, Setting, Source, Text, count, duration, list, one_of, optional, path, path_or_empty,
    switch, text, texts, value,
};
use super::sources::Sources;
use super::values::{self, ApiUrl, ExternalUrl, LogFormat, Prefix};
use crate::model::{Collector, CollectorSet, ProfileNameMode, States};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Makes a struct of each section, with a field for each row, and the list of
/// all rows.
macro_rules! settings {
    ($(
        $(#[$meta:meta])*
        $section:ident, $heading:literal {
            $( $field:ident: $type:ty = $setting:expr; )+
        }
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug)]
            pub(crate) struct $section {
                $( pub(crate) $field: $type, )+
            }

            impl $section {
                pub(super) fn read(source: &impl Source) -> Result<Self, ConfigError> {
                    Ok(Self {
                        $( $field: source.read::<$type>(&$setting)?, )+
                    })
                }
            }
        )+

        fn sections() -> Vec<Row> {
            vec![$( $( Setting::<$type>::into_row($setting, $heading), )+ )+]
        }
    };
}

settings! {
    /// Where the rest may stand.
    ConfigFile, "Configuration" {
        path: Option<PathBuf> = path().flag("config.file")
            .help("Config file in YAML; flags and environment win over it");
    }

    /// What to watch: of flags and environment, or of one account of the file.
    Watch, "Kernel API" {
        name: Option<Text> = text("NAME").key("accounts.name")
            .help("The label account: 1 to 128 bytes, unique")
            .note("Required for each account of the file.");
        api_key_file: Option<Text> = text("FILE")
            .flag("kernel.api-key-file").key("accounts.api_key_file").env("KERNEL_API_KEY_FILE")
            .help("File that holds the API key, read again when it changes; the key itself only \
                   in KERNEL_API_KEY");
        api_key_env: Option<Text> = text("NAME").key("accounts.api_key_env")
            .help("Environment variable that holds the API key");
        projects: Vec<Text> = texts("ID")
            .flag("kernel.project").key("accounts.projects").env("KERNEL_PROJECT").or_word("all")
            .help("Project to watch, by ID, or `all`; repeatable. None: no project header")
            .note("Without a project header the API answers for what the key sees without one.");
        connections: Vec<Text> = texts("ID").flag("kernel.connection").key("accounts.connections")
            .help("Connection to watch, by ID; repeatable. None: every connection of the project")
            .note("They belong to one project at most.");
        domains: Vec<Text> = texts("DOMAIN").flag("kernel.domain").key("accounts.domains")
            .help("Only connections of this domain, exact match; repeatable")
            .note("Not together with connections by ID.");
        profiles: Vec<Text> = texts("NAME").flag("kernel.profile").key("accounts.profiles")
            .help("Only connections of this profile, exact match; repeatable")
            .note("Not together with connections by ID.");
        exclude_domains: Vec<Text> = texts("DOMAIN").key("accounts.exclude.domains")
            .help("Not connections of these domains; exact, or with one `*` at either end")
            .note("Not together with connections by ID.");
        exclude_profiles: Vec<Text> = texts("NAME").key("accounts.exclude.profiles")
            .help("Not connections of these profiles; exact, or with one `*` at either end")
            .note("Not together with connections by ID.");
    }

    /// The API, and how hard to press it.
    Api, "Kernel API" {
        url: ApiUrl = value("URL", ApiUrl::parse)
            .flag("kernel.api-url").key("api.url").env("KERNEL_BASE_URL")
            .default("https://api.onkernel.com")
            .help("Base URL of the API")
            .note("Plain `http://` is refused unless the host is `localhost`, in 127.0.0.0/8 or \
                   `::1`.");
        allow_http: bool = switch().flag("kernel.allow-http").key("api.allow_http")
            .help("Allow a plain http:// URL to a host other than this machine")
            .note("The key then travels in the clear.");
        timeout: Duration = duration(Duration::from_millis(100)..=10 * MINUTE)
            .flag("kernel.timeout").key("api.timeout").default("10s")
            .help("Budget of one collection when the scraper names none");
        concurrency: usize = count(1..=256)
            .flag("kernel.concurrency").key("api.concurrency").default("8")
            .help("Requests in flight to the API, over all scrapes and accounts");
        cache: Duration = duration(Duration::ZERO..=HOUR)
            .flag("kernel.cache").key("api.cache").default("0s")
            .help("Scrapes within this age share one collection");
        hold: Duration = duration(Duration::ZERO..=WEEK)
            .flag("kernel.hold").key("api.hold").default("5m")
            .help("How long the last known state is still served while the API fails; 0s: not at \
                   all")
            .note("Several scrape intervals at least: a shorter one is over before the next scrape, \
                   and the log says so.");
        quota_share: f64 = value("SHARE", values::share)
            .flag("kernel.quota-share").key("api.quota_share").default("0.5")
            .help("Share of the organisation's published per-minute limit that the exporter may \
                   use; above 0, at most 1");
        ca_file: Option<PathBuf> = path_or_empty().key("api.ca_file")
            .help("Roots to trust instead of the system's, in PEM");
        max_connections: usize = count(1..=10_000_000)
            .flag("kernel.max-connections").key("api.max_connections").default("250000")
            .help("More connections than this in one collection are an error");
        probe_requests: usize = count(0..=100_000)
            .flag("kernel.probe-requests").key("api.probe_requests").default("600")
            .help("Requests a minute that `/probe` may cost; beyond that it answers 503. 0: none")
            .note("Scrapes of the metrics have a ceiling of their own and never wait for this one.");
        timeline_requests: usize = count(0..=1000)
            .flag("kernel.timeline-requests").key("api.timeline_requests").default("20")
            .help("Timelines asked for per collection, at most");
    }

    /// How connections become series.
    Metrics, "Metrics" {
        states: States = one_of("WHICH", States::ALL, States::LABELS)
            .flag("metrics.states").key("metrics.states").default("all")
            .help("States of an enum to show: `all` as 0 or 1, or only the `active` one");
        profile_name: ProfileNameMode = one_of("HOW", ProfileNameMode::ALL, ProfileNameMode::LABELS)
            .flag("metrics.profile-name").key("metrics.profile_name").default("keep")
            .help("The label profile_name: `keep`, `hash` (16 hex digits of its SHA-256) or `drop`");
    }

    /// The server.
    Web, "Web" {
        listen_address: Vec<ListenAddress> = list("ADDRESS", str::parse::<ListenAddress>)
            .flag("web.listen-address").default(":10077")
            .help("Where to listen, HOST:PORT or :PORT; repeatable")
            .note("An IPv6 address stands in brackets.");
        systemd_socket: bool = switch().flag("web.systemd-socket")
            .help("Take the listening sockets from systemd");
        telemetry_path: String = value("PATH", values::telemetry_path)
            .flag("web.telemetry-path").default("/metrics")
            .help("Path of the metrics");
        external_url: Option<ExternalUrl> = optional("URL", ExternalUrl::parse)
            .flag("web.external-url")
            .help("URL under which others reach the exporter, through a proxy for example; its path \
                   stands before every path");
        route_prefix: Option<Prefix> = optional("PATH", Prefix::parse)
            .flag("web.route-prefix")
            .help("What stands before every path. None: the path of --web.external-url")
            .note("`/` where a proxy takes the prefix away.");
        config_file: Option<PathBuf> = path().flag("web.config.file")
            .help("TLS and authentication, the web config of Prometheus' exporters");
        max_requests: usize = count(1..=10_000)
            .flag("web.max-requests").default("40")
            .help("Scrapes at once; more get 503");
        timeout_offset: Duration = duration(Duration::ZERO..=MINUTE)
            .flag("web.timeout-offset").default("0.5s")
            .help("Taken off the scraper's timeout");
        enable_lifecycle: bool = switch().flag("web.enable-lifecycle")
            .help("Reload the configuration on POST or PUT to /-/reload; SIGHUP always does");
    }

    /// The log, of every command.
    Log, "Logging" {
        level: LevelFilter = one_of("LEVEL", values::LOG_LEVELS, values::LOG_LEVEL_LABELS)
            .flag("log.level").default("info")
            .help("Least severity: debug, info, warn or error");
        format: LogFormat = one_of("FORMAT", LogFormat::ALL, LogFormat::LABELS)
            .flag("log.format").default("logfmt")
            .help("Format of the log on stderr: logfmt or json");
    }
}

/// The switch of a collector.
fn collector(collector: Collector) -> Setting<bool> {
    macro_rules! row {
        ($name:literal, $default:literal, $help:literal) => {
            switch()
                .flag(concat!("collector.", $name))
                .key(concat!("collectors.", $name))
                .default($default)
                .help($help)
        };
    }
    match collector {
        Collector::Status => row!("status", "true", "Whether each connection is logged in"),
        Collector::Auth => row!("auth", "true", "When each connection was last checked"),
        Collector::Flow => row!(
            "flow",
            "true",
            "The latest login flow: state, step, expiry, error"
        ),
        Collector::Reauth => row!(
            "reauth",
            "true",
            "Whether an unattended re-login is possible, and why"
        ),
        Collector::Settings => row!("settings", "true", "How each connection is configured"),
        Collector::Timeline => row!(
            "timeline",
            "false",
            "Login history; costs requests of its own"
        ),
        Collector::Org => row!(
            "org",
            "false",
            "Limits, plan and key expiry of the organisation"
        ),
    }
}

/// The collectors that are on; of those that nobody switched, the ones of
/// `default`.
pub(super) fn collectors(
    source: &impl Source,
    default: CollectorSet,
) -> Result<CollectorSet, ConfigError> {
    let mut set = default;
    for &name in Collector::ALL {
        let setting = collector(name);
        let given = source.texts(setting.row())?;
        if !given.is_empty() {
            set = set.with(name, setting.read(given)?);
        }
    }
    Ok(set)
}

/// Every row, in the order of the help text.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let mut rows = sections();
        let web = rows.iter().position(|row| row.heading == "Web");
        let at = web.unwrap_or(rows.len());
        let switches = Collector::ALL.iter();
        let switches = switches.map(|name| collector(*name).into_row("Collectors"));
        rows.splice(at..at, switches);
        rows
    });
    &ROWS
}

/// The row of a flag.
pub(super) fn row(flag: &str) -> &'static Row {
    let mut rows = rows().iter();
    rows.find(|row| row.flag == Some(flag))
        .expect("only flags of the table are asked for")
}

/// The row of a key.
pub(super) fn row_of_key(key: &str) -> &'static Row {
    let mut rows = rows().iter();
    rows.find(|row| row.key == Some(key))
        .expect("only keys of the table are asked for")
}

impl Log {
    /// The same with errors alone.
    pub(crate) fn quiet(self) -> Self {
        Self {
            level: LevelFilter::ERROR,
            ..self
        }
    }

    /// Of the flags alone: the log starts before anything else is read.
    pub(crate) fn of_flags(flags: &super::Flags) -> Result<Self, ConfigError> {
        Self::read(&Sources {
            flags,
            env: &|_: &str| None,
            file: None,
        })
    }
}
