//! The exporter's own metrics, in a registry of the `prometheus` crate. Names,
//! help and labels come from [`crate::exposition::catalogue`]. What is a state
//! and no count (how the configuration was loaded, for example) is not kept
//! here but read while an answer is written.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
#[cfg(target_os = "linux")]
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
};

use crate::exposition::catalogue::{self, CODES, Family};
use crate::kernel::Observer;
use crate::model::{
    Endpoint, ErrorCode, ErrorReason, EventOutcome, EventType, Field, RetryReason, ScrapeOutcome,
    WaitReason,
};
use crate::version::Build;

/// Upper bounds of `kernel_auth_api_request_duration_seconds`: from an answer
/// out of a cache nearby to one that outlasts any scrape.
const DURATION_BUCKETS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0,
];

/// Upper bounds of `kernel_auth_flow_duration_seconds`: from a replayed form to
/// the 20 minutes after which the API ends a login.
const FLOW_BUCKETS: [f64; 11] = [
    1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0,
];

/// Counts what the exporter does. A handle: clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    errors: IntCounterVec,
    retries: IntCounterVec,
    waits: CounterVec,
    unknown_values: IntCounterVec,
    scrapes: IntCounterVec,
    last_scrape_duration: GaugeVec,
    /// Only where the collector `timeline` was ever on.
    flows: Arc<OnceLock<Flows>>,
}

/// What the timelines told of the whole fleet.
#[derive(Debug)]
struct Flows {
    errors: IntCounterVec,
    durations: HistogramVec,
}

impl Telemetry {
    /// Every known label value is there at 0 from the start, so that a first
    /// error is an increase; of endpoints, those of `endpoints`, which are the
    /// ones in use.
    pub(crate) fn new(build: Build, endpoints: &[Endpoint]) -> Self {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        register(&registry, ProcessCollector::for_self());
        let build_info = metric(&registry, "kernel_auth_exporter_build_info", GaugeVec::new);
        build_info
            .with_label_values(&[build.version, build.revision, build.rustversion])
            .set(1.0);
        let counter = |name| metric(&registry, name, IntCounterVec::new);
        let telemetry = Self {
            requests: counter("kernel_auth_api_requests_total"),
            durations: histogram(
                &registry,
                "kernel_auth_api_request_duration_seconds",
                &DURATION_BUCKETS,
            ),
            errors: counter("kernel_auth_api_errors_total"),
            retries: counter("kernel_auth_api_retries_total"),
            waits: metric(
                &registry,
                "kernel_auth_api_wait_seconds_total",
                CounterVec::new,
            ),
            unknown_values: counter("kernel_auth_api_unknown_values_total"),
            scrapes: counter("kernel_auth_exporter_scrapes_total"),
            last_scrape_duration: metric(
                &registry,
                "kernel_auth_exporter_last_scrape_duration_seconds",
                GaugeVec::new,
            ),
            flows: Arc::default(),
            registry,
        };
        telemetry.expect_endpoints(endpoints);
        telemetry
    }

    /// Has the series of these endpoints, at 0 where they are new.
    pub(crate) fn expect_endpoints(&self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            self.durations.with_label_values(&[endpoint.as_str()]);
            for code in CODES {
                self.requests.with_label_values(&[endpoint.as_str(), code]);
            }
        }
    }

    /// Has the families about logins, at 0.
    pub(crate) fn expect_flows(&self) {
        let registry = &self.registry;
        self.flows.get_or_init(|| Flows {
            errors: metric(
                registry,
                "kernel_auth_flow_errors_total",
                IntCounterVec::new,
            ),
            durations: histogram(registry, "kernel_auth_flow_duration_seconds", &FLOW_BUCKETS),
        });
    }

    /// Counts a scrape that took this long.
    pub(crate) fn scrape(&self, outcome: ScrapeOutcome, took: Duration) {
        self.scrapes.with_label_values(&[outcome.as_str()]).inc();
        let duration = self.last_scrape_duration.with_label_values::<&str>(&[]);
        duration.set(took.as_secs_f64());
    }

    /// Everything, as it is now.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

impl Observer for Telemetry {
    fn request(&self, endpoint: Endpoint, code: Option<u16>, took: Duration) {
        self.requests
            .with_label_values(&[endpoint.as_str(), code_label(code)])
            .inc();
        self.durations
            .with_label_values(&[endpoint.as_str()])
            .observe(took.as_secs_f64());
    }

    fn error(&self, reason: ErrorReason) {
        self.errors.with_label_values(&[reason.as_str()]).inc();
    }

    fn retry(&self, reason: RetryReason) {
        self.retries.with_label_values(&[reason.as_str()]).inc();
    }

    fn waited(&self, reason: WaitReason, span: Duration) {
        self.waits
            .with_label_values(&[reason.as_str()])
            .inc_by(span.as_secs_f64());
    }

    fn unknown_value(&self, field: Field, count: u64) {
        self.unknown_values
            .with_label_values(&[field.as_str()])
            .inc_by(count);
    }

    fn flow_ended(
        &self,
        kind: EventType,
        outcome: EventOutcome,
        error: Option<ErrorCode>,
        took: Option<Duration>,
    ) {
        let Some(flows) = self.flows.get() else {
            return;
        };
        if let Some(code) = error {
            let labels = [kind.as_str(), code.as_str()];
            flows.errors.with_label_values(&labels).inc();
        }
        if let Some(took) = took {
            let labels = [kind.as_str(), outcome.as_str()];
            let duration = flows.durations.with_label_values(&labels);
            duration.observe(took.as_secs_f64());
        }
    }
}

/// Makes and registers the metric of the family `name`, which is in the
/// catalogue, with every series that it is known to have.
fn metric<B: MetricVecBuilder + 'static>(
    registry: &Registry,
    name: &str,
    new: impl FnOnce(Opts, &[&str]) -> prometheus::Result<MetricVec<B>>,
) -> MetricVec<B> {
    let family = catalogue::family(name).expect("every name in this file is in the catalogue");
    let labels: Vec<&str> = family.all_labels().map(|label| label.name).collect();
    let metric = new(Opts::new(family.name, family.help), &labels)
        .expect("names of the catalogue are valid, as its tests hold");
    for series in known_series(family) {
        metric.with_label_values(&series);
    }
    register(registry, metric.clone());
    metric
}

fn histogram(registry: &Registry, name: &str, buckets: &[f64]) -> HistogramVec {
    metric(registry, name, |opts, labels| {
        let opts = HistogramOpts::from(opts).buckets(buckets.to_vec());
        HistogramVec::new(opts, labels)
    })
}

fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry
        .register(Box::new(collector))
        .expect("the catalogue has each name once, and each is made once");
}

/// The label values of each series of `family`; none where only the fleet or
/// the configuration tells them.
fn known_series(family: &Family) -> Vec<Vec<&'static str>> {
    family.labels.iter().fold(vec![vec![]], |series, label| {
        // Which endpoints are in use is known later.
        let values = label.values.filter(|_| label.name != "endpoint");
        let values = values.unwrap_or_default().iter();
        values
            .flat_map(|value| {
                series
                    .iter()
                    .map(|before| before.iter().copied().chain([*value]).collect())
            })
            .collect()
    })
}

/// Label `code`: a status outside the known ones is `other`, so that an
/// invented one makes no series.
fn code_label(code: Option<u16>) -> &'static str {
    let Some(code) = code else { return "error" };
    let mut digits = itoa::Buffer::new();
    let code = digits.format(code);
    let mut codes = CODES.iter().copied();
    codes.find(|known| *known == code).unwrap_or("other")
}

#[cfg(test)]
mod tests;
