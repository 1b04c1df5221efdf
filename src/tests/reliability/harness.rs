//! A simulated API, a collector in front of it, and a clock that only moves
//! when a test says so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use crate::collect::{Collected, Collector, Request};
use crate::exposition::{self, Options};
use crate::model::Timestamp;
use crate::telemetry::Telemetry;
use crate::{app, cli, config};
use kernel_api_simulator::{Control, RequestLog, Simulator};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What Prometheus gives a scrape by default, less the offset.
pub(crate) const SCRAPE: Duration = Duration::from_millis(9_500);

/// How far the stopped clock goes at a time in [`fast`].
pub(crate) const STEP: Duration = Duration::from_millis(25);

/// An exporter's collector over a simulator of its own.
pub(crate) struct Bench {
    pub(crate) api: Control,
    pub(crate) collector: Collector,
    telemetry: Telemetry,
    _running: Running,
}

struct Running {
    shutdown: CancellationToken,
    _world: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A world that stands still unless told otherwise.
pub(crate) fn world(connections: usize) -> kernel_api_simulator::Options {
    kernel_api_simulator::Options {
        connections,
        frozen: true,
        ..kernel_api_simulator::Options::default()
    }
}

impl Bench {
    /// Every connection of the key's own project, with these flags on top.
    pub(crate) async fn new(options: kernel_api_simulator::Options, flags: &[&str]) -> Self {
        Self::with_key(
            options,
            flags,
            &[("KERNEL_API_KEY", kernel_api_simulator::DEFAULT_API_KEY)],
        )
        .await
    }

    /// The same with an environment of its own.
    pub(crate) async fn with_key(
        options: kernel_api_simulator::Options,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let simulator = Simulator::bind("127.0.0.1:0", options).await.unwrap();
        let api = simulator.control();
        let url = simulator.base_url();
        let shutdown = CancellationToken::new();
        let world = tokio::spawn(simulator.run(shutdown.clone()));
        let (collector, telemetry) = exporter(&url, flags, env);
        Self {
            api,
            collector,
            telemetry,
            _running: Running {
                shutdown,
                _world: world,
            },
        }
    }

    /// One scrape, as Prometheus would make it.
    pub(crate) async fn scrape(&self) -> Scrape {
        self.scrape_within(SCRAPE).await
    }

    pub(crate) async fn scrape_within(&self, budget: Duration) -> Scrape {
        let begun = Instant::now();
        let collected = self.collector.collect(Request::everything(budget)).await;
        Scrape::new(&collected, &self.telemetry, begun.elapsed())
    }

    /// One scrape while time flies: waits of the collector and of the
    /// simulator pass in milliseconds.
    pub(crate) async fn fast_scrape(&self) -> Scrape {
        fast(self.scrape()).await
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

/// A collector for the API at `url`, through flags and environment.
pub(crate) fn exporter(url: &str, flags: &[&str], env: &[(&str, &str)]) -> (Collector, Telemetry) {
    let url = format!("--kernel.api-url={url}");
    let args = ["kernel-auth-exporter", &url]
        .into_iter()
        .chain(flags.iter().copied());
    let cli = cli::parse(args.map(OsString::from)).unwrap_or_else(|_| panic!("{flags:?}"));
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| OsString::from(value))
    };
    let config = config::load(&cli.flags, &env).unwrap();
    let telemetry = app::telemetry(&config);
    let upstream = &mut app::Upstream::default();
    let collector = app::collector(&config, &telemetry, upstream, None).unwrap();
    (collector, telemetry)
}

/// What a scrape brought.
pub(crate) struct Scrape {
    pub(crate) outcome: &'static str,
    pub(crate) took: Duration,
    pub(crate) text: String,
}

impl Scrape {
    pub(crate) fn new(collected: &Collected, telemetry: &Telemetry, took: Duration) -> Self {
        let now = Timestamp::from(SystemTime::now());
        let own = telemetry.gather();
        let text = exposition::render(&collected.fleet, &own, now, Options::default());
        Self {
            outcome: collected.outcome.as_str(),
            took,

            text: String::from_utf8(text).unwrap(),
        }
    }

    /// The value of the series that begins like this, up to its value.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    pub(crate) fn up(&self) -> bool {
        self.value("kernel_auth_up") == Some(1.0)
    }

    /// Whether every scope is up, and there is one.
    pub(crate) fn is_up_everywhere(&self) -> bool {
        let up = |line: &&str| line.starts_with("kernel_auth_up");
        self.text.lines().any(|line| up(&line))
            && self
                .text
                .lines()
                .filter(up)
                .all(|line| line.ends_with(" 1"))
    }

    pub(crate) fn errors(&self, reason: &str) -> f64 {
        self.value(&format!(
            "kernel_auth_api_errors_total{{reason=\"{reason}\"}}"
        ))
        .unwrap()
    }

    /// Status by id, as the series have it: the one state that is 1.
    pub(crate) fn statuses(&self) -> BTreeMap<String, String> {
        let mut statuses = BTreeMap::new();
        for line in self.text.lines() {
            let Some(labels) = line.strip_prefix("kernel_auth_connection_status{") else {
                continue;
            };
            let label = |name: &str| {
                let start = labels.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
                labels[start..].split('"').next().unwrap().to_owned()
            };
            if labels.ends_with("} 1") {
                let before = statuses.insert(label("connection_id"), label(",status"));
                assert_eq!(before, None, "two states at once: {line}");
            }
        }
        statuses
    }
}

/// Stops tokio's clock; it moves by `advance` and inside [`fast`] only.
///
/// By itself a paused clock runs ahead whenever every task waits, and a socket
/// that is about to be read looks just like that. A blocking task keeps it from
/// doing so.
pub(crate) struct StoppedClock(#[expect(dead_code)] mpsc::Sender<()>);

impl StoppedClock {
    pub(crate) fn new() -> Self {
        let (keep, kept) = mpsc::channel::<()>();
        spawn_blocking(move || {
            // Ends when the test does.
            let _ = kept.recv();
        });
        tokio::time::pause();
        Self(keep)
    }
}

/// Runs `future` while the stopped clock goes on in small steps, each after a
/// moment in which sockets can be served.
pub(crate) async fn fast<T>(future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            done = &mut future => return done,
            () = moment() => tokio::time::advance(STEP).await,
        }
    }
}

/// A real millisecond, in which everything that can run does.
pub(crate) async fn moment() {
    spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)))
        .await
        .unwrap();
}

/// Polls until `condition` holds; the runner's own time-out ends it otherwise.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        moment().await;
    }
}
