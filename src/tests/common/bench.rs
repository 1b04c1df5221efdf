//! What a process of the exporter has, over a simulated API, without sockets of
//! its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use kernel_api_simulator::{Control, DEFAULT_API_KEY, RequestLog};
use tokio::time::Instant;

use super::api::Api;
use super::clock::fast;
use super::metrics::{Metrics, labels};
use crate::collect::{Request, Watcher};
use crate::config::Config;
use crate::exposition::{self, Options, Own};
use crate::model::{Fleet, Timestamp};
use crate::telemetry::Telemetry;
use crate::{app, cli, config};

/// What Prometheus gives a scrape by default, less the offset.
pub(crate) const SCRAPE: Duration = Duration::from_millis(9_500);

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_mins(2);

/// An exporter's watcher over a simulated API of its own.
pub(crate) struct Bench {
    pub(crate) api: Control,
    pub(crate) exporter: Exporter,
    server: Api,
}

impl Bench {
    /// Every connection of the key's own project, with these flags on top.
    pub(crate) async fn new(world: kernel_api_simulator::Options, flags: &[&str]) -> Self {
        Self::with_key(world, flags, &[("KERNEL_API_KEY", DEFAULT_API_KEY)]).await
    }

    /// The same with an environment of its own.
    pub(crate) async fn with_key(
        world: kernel_api_simulator::Options,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let server = Api::start(world).await;
        Self {
            api: server.control.clone(),
            exporter: Exporter::new(&server.url, flags, env),
            server,
        }
    }

    /// The process ends, and another one begins.
    pub(crate) fn restart(&mut self, flags: &[&str]) {
        let env = [("KERNEL_API_KEY", DEFAULT_API_KEY)];
        self.exporter = Exporter::new(&self.server.url, flags, &env);
    }

    /// The configuration is read again.
    pub(crate) fn reload(&mut self, flags: &[&str]) {
        let env = [("KERNEL_API_KEY", DEFAULT_API_KEY)];
        self.exporter
            .reload(&configured(&self.server.url, flags, &env));
    }

    /// One scrape, as Prometheus would make it.
    pub(crate) async fn scrape(&self) -> Scrape {
        self.scrape_within(SCRAPE).await
    }

    pub(crate) async fn scrape_within(&self, budget: Duration) -> Scrape {
        self.exporter.scrape(budget).await
    }

    /// One scrape while time flies: waits of the watcher and of the
    /// simulator pass in milliseconds.
    pub(crate) async fn fast_scrape(&self) -> Scrape {
        fast(self.scrape()).await
    }

    /// One collection, which must come whole.
    pub(crate) async fn collect(&self) {
        let watcher = &self.exporter.watcher;
        let collected = watcher.collect(Request::everything(PATIENCE)).await;
        assert!(collected.is_whole());
        assert_eq!(collected.outcome.as_str(), "fresh");
    }

    /// The same, and what follows it.
    pub(crate) async fn collect_and_settle(&self) {
        self.collect().await;
        self.settle().await;
    }

    /// What follows a collection.
    pub(crate) async fn settle(&self) {
        let watcher = &self.exporter.watcher;
        watcher.settle(Instant::now() + PATIENCE).await;
    }

    /// What there is to show, without a request.
    pub(crate) fn shown(&self) -> Metrics {
        self.exporter.show(&self.exporter.watcher.last())
    }

    /// Requests since the last look, by the simulator's count.
    pub(crate) fn requests(&self) -> RequestLog {
        let log = self.api.requests();
        assert_eq!(log.non_get, 0, "nothing but GET is ever sent");
        self.api.reset_requests();
        log
    }

    /// How many requests there were since the last look.
    pub(crate) fn cost(&self) -> u64 {
        self.requests().total
    }

    /// Status by id, as the API would tell it now.
    pub(crate) fn truth(&self) -> BTreeMap<String, String> {
        self.api
            .truth()
            .into_iter()
            .map(|row| (row.id, row.status.unwrap_or_else(|| "none".to_owned())))
            .collect()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.api.truth().into_iter().map(|row| row.id).collect()
    }
}

/// What a process of the exporter has.
pub(crate) struct Exporter {
    pub(crate) watcher: Watcher,
    telemetry: Telemetry,
    options: Options,
    upstream: app::Upstream,
}

impl Exporter {
    /// For the API at `url`, through flags and environment.
    pub(crate) fn new(url: &str, flags: &[&str], env: &[(&str, &str)]) -> Self {
        let config = configured(url, flags, env);
        Self::over(
            &config,
            app::telemetry(&config),
            app::Upstream::default(),
            None,
        )
    }

    fn reload(&mut self, config: &Config) {
        let (telemetry, upstream) = (self.telemetry.clone(), self.upstream.clone());
        *self = Self::over(config, telemetry, upstream, Some(&self.watcher));
    }

    fn over(
        config: &Config,
        telemetry: Telemetry,
        mut upstream: app::Upstream,
        previous: Option<&Watcher>,
    ) -> Self {
        let watcher = app::watcher(config, &telemetry, &mut upstream, previous).unwrap();
        Self {
            watcher,
            telemetry,
            options: Options {
                collectors: config.collectors,
                states: config.metrics.states,
                ..Options::default()
            },
            upstream,
        }
    }

    pub(crate) async fn scrape(&self, budget: Duration) -> Scrape {
        let begun = Instant::now();
        let collected = self.watcher.collect(Request::everything(budget)).await;
        Scrape {
            outcome: collected.outcome.as_str(),
            took: begun.elapsed(),
            metrics: self.show(&collected.fleet),
        }
    }

    fn show(&self, fleet: &Fleet) -> Metrics {
        let own = Own {
            gathered: self.telemetry.gather(),
            timelines_pending: Some(self.watcher.timelines_pending()),
            ..Own::default()
        };
        let now = Timestamp::from(SystemTime::now());
        let text = exposition::render(fleet, &own, now, self.options);
        Metrics::new(String::from_utf8(text).unwrap())
    }
}

/// The command line of an exporter of the API at `url`.
pub(crate) fn flags(url: &str, flags: &[&str]) -> config::Flags {
    let url = format!("--kernel.api-url={url}");
    let words = ["kernel-auth-exporter", &url].into_iter();
    let words = words.chain(flags.iter().copied()).map(OsString::from);
    cli::parse(words)
        .unwrap_or_else(|_| panic!("{flags:?}"))
        .flags
}

fn configured(url: &str, words: &[&str], env: &[(&str, &str)]) -> Config {
    let env = |name: &str| {
        let found = env.iter().find(|(key, _)| *key == name)?;
        Some(OsString::from(found.1))
    };
    config::load(&flags(url, words), &env).unwrap()
}

/// What a scrape brought.
pub(crate) struct Scrape {
    pub(crate) outcome: &'static str,
    pub(crate) took: Duration,
    metrics: Metrics,
}

impl Deref for Scrape {
    type Target = Metrics;

    fn deref(&self) -> &Metrics {
        &self.metrics
    }
}

impl Scrape {
    pub(crate) fn up(&self) -> bool {
        self.value("kernel_auth_up") == Some(1.0)
    }

    /// Whether every scope is up, and there is one.
    pub(crate) fn is_up_everywhere(&self) -> bool {
        self.has("kernel_auth_up") && self.of("kernel_auth_up").all(|(_, up)| up == 1.0)
    }

    pub(crate) fn errors(&self, reason: &str) -> f64 {
        let series = format!("kernel_auth_api_errors_total{{reason=\"{reason}\"}}");
        self.value(&series).unwrap()
    }

    /// Status by id, as the series have it: the one state that is 1.
    pub(crate) fn statuses(&self) -> BTreeMap<String, String> {
        let mut statuses = BTreeMap::new();
        for (written, value) in self.of("kernel_auth_connection_status") {
            if value == 1.0 {
                let labels = labels(written);
                let of = |name| labels[name].to_owned();
                let before = statuses.insert(of("connection_id"), of("status"));
                assert_eq!(before, None, "two states at once: {written}");
            }
        }
        statuses
    }
}
