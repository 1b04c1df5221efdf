//! Flags, environment and config file become one [`Config`], which cannot be
//! invalid.
//!
//! Each setting is text with an origin until one function of `values` has read
//! it, so that a mistake gets the same words wherever it was made. Later wins:
//! defaults, config file, environment, flags.

mod accounts;
mod error;
mod file;
mod key;
mod load;
mod values;
mod yaml;

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use exporter_toolkit::listener::Listen;
use secrecy::SecretString;

pub(crate) use error::ConfigError;
pub(crate) use key::{KeyError, KeySource, read_key};
pub(crate) use load::{Simulated, load, load_demo, process_env};
pub(crate) use values::{AccountName, ApiUrl, QuotaShare};

use crate::model::{Collector, CollectorSet, ProfileNameMode, Projects, Selection, States};

/// All that the exporter is told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The API and how hard to press it.
    pub api: Api,
    /// One or more; where there are several, each has a name of its own.
    pub accounts: Vec<Account>,
    /// How connections become series.
    pub metrics: Metrics,
    /// Which families there are.
    pub collectors: CollectorSet,
    /// Timelines asked for per collection, at most.
    pub timeline_requests: u32,
    /// The server.
    pub web: Web,
}

/// The API and how hard to press it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    /// Base URL.
    pub url: ApiUrl,
    /// Budget of one collection when the scraper names none.
    pub timeout: Duration,
    /// Requests in flight, over all scrapes and accounts.
    pub concurrency: NonZeroUsize,
    /// Scrapes within this age share one collection; zero: only while it runs.
    pub cache: Duration,
    /// How long the last known state is served while the API fails; zero: not
    /// at all.
    pub hold: Duration,
    /// Share of the published per-minute limit.
    pub quota_share: QuotaShare,
    /// Roots to trust instead of the system's, PEM. A regular file at the time
    /// of loading.
    pub ca_file: Option<PathBuf>,
    /// More connections than this in one collection are an error.
    pub max_connections: usize,
}

/// One API key and what to watch with it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Label `account`; `None` for the account of flags and environment.
    pub name: Option<AccountName>,
    /// Where the key comes from.
    pub key: KeySource,
    /// Which projects.
    pub projects: Projects,
    /// Which connections of each.
    pub selection: Selection,
}

/// How connections become series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Which values of an enum are shown.
    pub states: States,
    /// What becomes of the profile's name.
    pub profile_name: ProfileNameMode,
}

/// The server.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    /// Where to listen.
    pub listen: Listen,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// TLS and authentication, in the format of Prometheus' exporter-toolkit.
    /// Not read here.
    pub config_file: Option<PathBuf>,
    /// Scrapes at once; more get 503.
    pub max_requests: usize,
    /// Taken off the scraper's timeout.
    pub timeout_offset: Duration,
    /// Whether `/-/reload` answers.
    pub enable_lifecycle: bool,
}

impl Config {
    /// What was understood, in one line, without secrets.
    pub(crate) fn summary(&self) -> String {
        let mut line = format!("configuration ok: {}", self.api.url);
        for account in &self.accounts {
            let name = account.name.as_ref().map_or("account", AccountName::as_str);
            let projects = match &account.projects {
                Projects::Unscoped => "no project header".to_owned(),
                Projects::Listed(ids) => counted(ids.len(), "project"),
                Projects::All => "all projects".to_owned(),
            };
            let connections = match &account.selection {
                Selection::Ids(ids) => counted(ids.len(), "connection"),
                Selection::Every { domains, profiles } => {
                    let filters = [(domains.len(), "domain"), (profiles.len(), "profile")];
                    let filters: Vec<String> = filters
                        .into_iter()
                        .filter(|(count, _)| *count > 0)
                        .map(|(count, what)| counted(count, what))
                        .collect();
                    match filters.as_slice() {
                        [] => "every connection".to_owned(),
                        filters => format!("every connection of {}", filters.join(" and ")),
                    }
                }
            };
            write_to(
                &mut line,
                format_args!("; {name}: {projects}, {connections}"),
            );
        }
        let collectors: Vec<&str> = Collector::ALL
            .iter()
            .filter(|collector| self.collectors.has(**collector))
            .map(|collector| collector.as_str())
            .collect();
        let collectors = match collectors.as_slice() {
            [] => "none".to_owned(),
            names => names.join(","),
        };
        let listen = &self.web.listen;
        write_to(
            &mut line,
            format_args!("; collectors {collectors}; listen on {listen}"),
        );
        line
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn write_to(line: &mut String, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("a String takes any text");
}

impl KeySource {
    /// The key now: the file read again, or the value from the environment.
    pub(crate) fn read(&self) -> Result<SecretString, KeyError> {
        match self {
            Self::File(path) => read_key(path),
            Self::Value(key) => Ok(key.clone()),
        }
    }
}
