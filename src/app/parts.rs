//! The parts that a configuration describes.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;

use crate::collect::{self, AccountSettings, Watcher};
use crate::config::{Account, Config, KeySource};
use crate::kernel::{Client, ClientSettings, Http, Key, Reread};
use crate::model::{Collector, Endpoint, Projects, Timestamp};
use crate::telemetry::Telemetry;
use crate::version::Build;
use crate::web::routes::Reloadable;
use exporter_toolkit::listener::ListenError;
use exporter_toolkit::web_config::WebConfigError;

/// Why the exporter cannot start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// No way to the API.
    #[error("{0}")]
    Http(String),
    /// A key that is none.
    #[error("{account}: {error}")]
    Key { account: String, error: String },
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// What cannot be read again on SIGHUP.
    #[error("config file {0}: not a regular file, so that a reload would find another one or none")]
    ConfigFile(String),
    /// The web configuration.
    #[error("--web.config.file: {0}")]
    WebConfig(#[from] WebConfigError),
    /// Signals, threads.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// The exporter's own metrics, for the endpoints that `config` uses.
pub(crate) fn telemetry(config: &Config) -> Telemetry {
    let telemetry = Telemetry::new(Build::current(), &endpoints(config));
    expect_flows(&telemetry, config);
    telemetry
}

/// Has the metrics of logins where they are collected.
pub(super) fn expect_flows(telemetry: &Telemetry, config: &Config) {
    if config.collectors.has(Collector::Timeline) {
        telemetry.expect_flows();
    }
}

pub(super) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let mut endpoints = vec![Endpoint::Connections, Endpoint::Connection];
    if config
        .accounts
        .iter()
        .any(|account| account.projects == Projects::All)
    {
        endpoints.push(Endpoint::Projects);
    }
    if config.collectors.has(Collector::Timeline) {
        endpoints.push(Endpoint::Timeline);
    }
    let org = config.collectors.has(Collector::Org);
    if org {
        endpoints.extend([
            Endpoint::OrgLimits,
            Endpoint::OrgEntitlements,
            Endpoint::ApiKeys,
        ]);
    }
    if org || config.accounts.len() > 1 {
        endpoints.push(Endpoint::AuthContext);
    }
    endpoints
}

/// The way to the API: kept over a reload that does not change it, so that
/// open connections and the bound on requests in flight last.
#[derive(Clone)]
pub(crate) struct Upstream {
    made: Option<(ClientSettings, Arc<Http>)>,
    /// When this program started, until something is configured.
    started: Option<Timestamp>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            made: None,
            started: Some(SystemTime::now().into()),
        }
    }
}

impl Upstream {
    fn http(&mut self, config: &Config, telemetry: &Telemetry) -> Result<Arc<Http>, StartError> {
        let api = &config.api;
        let settings = ClientSettings {
            base_url: api.url.as_str().to_owned(),
            is_loopback: api.url.is_loopback(),
            concurrency: api.concurrency,
            ca_file: api.ca_file.clone(),
        };
        // What `ca_file` holds may have changed though its path has not.
        if let Some((before, http)) = &self.made
            && *before == settings
            && settings.ca_file.is_none()
        {
            return Ok(Arc::clone(http));
        }
        let observer = Arc::new(telemetry.clone());
        let http = Http::new(&settings, observer).map_err(StartError::Http)?;
        let http = Arc::new(http);
        self.made = Some((settings, Arc::clone(&http)));
        Ok(http)
    }
}

/// What answers scrapes, as `config` wants it; `previous` is what did before.
pub(crate) fn reloadable(
    config: &Config,
    telemetry: &Telemetry,
    upstream: &mut Upstream,
    previous: Option<&Watcher>,
) -> Result<Reloadable, StartError> {
    Ok(Reloadable {
        watcher: watcher(config, telemetry, upstream, previous)?,
        collectors: config.collectors,
        states: config.metrics.states,
        timeout_offset: config.web.timeout_offset,
    })
}

/// The watcher that `config` describes, in the place of `previous`.
pub(crate) fn watcher(
    config: &Config,
    telemetry: &Telemetry,
    upstream: &mut Upstream,
    previous: Option<&Watcher>,
) -> Result<Watcher, StartError> {
    let api = &config.api;
    let http = upstream.http(config, telemetry)?;
    let settings = collect::Settings {
        timeout: api.timeout,
        cache: api.cache,
        hold: api.hold,
        concurrency: api.concurrency,
        max_connections: api.max_connections,
        probe_requests: api.probe_requests,
        profile_names: config.metrics.profile_name,
        timeline_requests: config
            .collectors
            .has(Collector::Timeline)
            .then_some(api.timeline_requests),
        // What is watched only from a reload on was not watched before.
        started: upstream
            .started
            .take()
            .unwrap_or_else(|| SystemTime::now().into()),
        org: config.collectors.has(Collector::Org),
    };
    let mut accounts = Vec::with_capacity(config.accounts.len());
    for account in &config.accounts {
        let client = Client::new(Arc::clone(&http), key(account)?, api.quota_share);
        let watched = AccountSettings {
            name: account.name.clone(),
            projects: account.projects.clone(),
            selection: account.selection.clone(),
        };
        accounts.push((watched, client));
    }
    Ok(Watcher::new(settings, accounts, previous))
}

/// The API as `account` sees it, for questions beside collections.
pub(crate) fn client(
    config: &Config,
    account: &Account,
    telemetry: &Telemetry,
) -> Result<Client, StartError> {
    let http = Upstream::default().http(config, telemetry)?;
    Ok(Client::new(http, key(account)?, config.api.quota_share))
}

fn key(account: &Account) -> Result<Key, StartError> {
    let error = |error| StartError::Key {
        account: account.name.as_deref().unwrap_or("API key").to_owned(),
        error,
    };
    let source = account.key.clone();
    let secret = source.read().map_err(error)?;
    let reread: Option<Reread> = match source {
        KeySource::Value(_) => None,
        KeySource::File(_) => Some(Arc::new(move || source.read())),
    };
    Key::new(&secret, reread).map_err(error)
}
