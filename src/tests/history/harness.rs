//! A simulated API that only moves when a test says so, and an exporter's
//! collector in front of it that can be replaced.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use crate::collect::{Collector, Request};
use crate::exposition::{self, Options};
use crate::model::Timestamp;
use crate::telemetry::Telemetry;
use crate::{app, cli, config};
use kernel_api_simulator::{Control, Route, Simulator};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Bench {
    pub(crate) api: Control,
    url: String,
    exporter: Exporter,
    _shutdown: tokio_util::sync::DropGuard,
}

/// What a process of the exporter has.
struct Exporter {
    collector: Collector,
    telemetry: Telemetry,
    options: Options,
    upstream: app::Upstream,
}

pub(crate) fn world(connections: usize) -> kernel_api_simulator::Options {
    kernel_api_simulator::Options {
        connections,
        frozen: true,
        ..kernel_api_simulator::Options::default()
    }
}

fn configured(url: &str, flags: &[&str]) -> config::Config {
    let url = format!("--kernel.api-url={url}");
    let args = ["kernel-auth-exporter", &url, "--kernel.cache=0s"]
        .into_iter()
        .chain(flags.iter().copied());
    let cli = cli::parse(args.map(OsString::from)).unwrap_or_else(|_| panic!("{flags:?}"));
    let env = |name: &str| {
        (name == "KERNEL_API_KEY").then(|| OsString::from(kernel_api_simulator::DEFAULT_API_KEY))
    };
    config::load(&cli.flags, &env).unwrap()
}

impl Bench {
    pub(crate) async fn new(options: kernel_api_simulator::Options, flags: &[&str]) -> Self {
        let simulator = Simulator::bind("127.0.0.1:0", options).await.unwrap();
        let (api, url) = (simulator.control(), simulator.base_url());
        let shutdown = CancellationToken::new();
        tokio::spawn(simulator.run(shutdown.clone()));
        let config = configured(&url, flags);
        let exporter = Exporter::new(
            &config,
            app::telemetry(&config),
            app::Upstream::default(),
            None,
        );
        Self {
            api,
            url,
            exporter,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// The process ends, and another one begins.
    pub(crate) fn restart(&mut self, flags: &[&str]) {
        let config = configured(&self.url, flags);
        let telemetry = app::telemetry(&config);
        self.exporter = Exporter::new(&config, telemetry, app::Upstream::default(), None);
    }

    /// The configuration is read again.
    pub(crate) fn reload(&mut self, flags: &[&str]) {
        let config = configured(&self.url, flags);
        let telemetry = self.exporter.telemetry.clone();
        let upstream = self.exporter.upstream.clone();
        let before = Some(&self.exporter.collector);
        self.exporter = Exporter::new(&config, telemetry, upstream, before);
    }

    /// One collection and what follows it.
    pub(crate) async fn collect(&self) {
        self.scrape().await;
        self.settle().await;
    }

    /// One collection, as a scrape waits for it.
    pub(crate) async fn scrape(&self) {
        let collector = &self.exporter.collector;
        let collected = collector.collect(Request::everything(PATIENCE)).await;
        assert!(collected.is_whole());
        assert_eq!(collected.outcome.as_str(), "fresh");
    }

    /// What follows a collection.
    pub(crate) async fn settle(&self) {
        let collector = &self.exporter.collector;
        collector.settle(Instant::now() + PATIENCE).await;
    }

    /// What there is to show, without a request.
    pub(crate) fn shown(&self) -> Shown {
        let exporter = &self.exporter;
        let pending = exporter.collector.timelines_pending();
        exporter.telemetry.timelines_pending(pending);
        let own = exporter.telemetry.gather();
        let now = Timestamp::from(SystemTime::now());
        let fleet = exporter.collector.last();
        let text = exposition::render(&fleet, &own, now, exporter.options);
        Shown(String::from_utf8(text).unwrap())
    }

    /// Requests of a kind since the last look, and all of them.
    pub(crate) fn requests(&self, route: Route) -> (u64, u64) {
        let log = self.api.requests();
        self.api.reset_requests();
        let of = log.counts.iter().filter(|count| count.route == route);
        (of.map(|count| count.count).sum(), log.total)
    }
}

impl Exporter {
    fn new(
        config: &config::Config,
        telemetry: Telemetry,
        mut upstream: app::Upstream,
        previous: Option<&Collector>,
    ) -> Self {
        let collector = app::collector(config, &telemetry, &mut upstream, previous).unwrap();
        Self {
            collector,
            telemetry,
            options: Options {
                collectors: config.collectors,
                states: config.metrics.states,
                ..Options::default()
            },
            upstream,
        }
    }
}

/// Stops tokio's clock; it moves by `advance` only.
///
/// By itself a paused clock runs ahead whenever every task waits, and a socket
/// that is about to be read looks just like that. A blocking task keeps it from
/// doing so.
pub(crate) struct StoppedClock(#[expect(dead_code)] mpsc::Sender<()>);

impl StoppedClock {
    pub(crate) fn new() -> Self {
        let (keep, kept) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || {
            // Ends when the test does.
            let _ = kept.recv();
        });
        tokio::time::pause();
        Self(keep)
    }
}

/// A real millisecond, in which everything that can run does.
pub(crate) async fn moment() {
    let pause = || std::thread::sleep(Duration::from_millis(1));
    tokio::task::spawn_blocking(pause).await.unwrap();
}

/// A scrape's text.
pub(crate) struct Shown(pub(crate) String);

impl Shown {
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// The samples of a name, by the values of `labels`.
    pub(crate) fn by(&self, name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, f64> {
        let mut found = BTreeMap::new();
        for line in self.0.lines() {
            let Some((pairs, value)) = line
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('{')?.rsplit_once("} "))
            else {
                continue;
            };
            let of = |label: &&str| {
                let start = pairs.find(&format!("{label}=\"")).unwrap() + label.len() + 2;
                pairs[start..].split('"').next().unwrap().to_owned()
            };
            let key = labels.iter().map(of).collect();
            *found.entry(key).or_default() += value.parse::<f64>().unwrap();
        }
        found
    }
}
