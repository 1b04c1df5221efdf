//! The exporter's own metrics, in a registry of the `prometheus` crate. Names,
//! help and labels come from [`crate::exposition::catalogue`]. What is a state
//! and no count (how the configuration was loaded, for example) is not kept
//! here but read while an answer is written.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::core::{Collector, Metric, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry,
};

use crate::exposition::catalogue::{self, Family};
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
    last_scrape_duration: Gauge,
    /// Only where the collector `timeline` was ever on.
    flows: Arc<OnceLock<Flows>>,
}

/// What the timelines told of the whole fleet.
#[derive(Debug)]
struct Flows {
    errors: IntCounterVec,
    durations: HistogramVec,
}

impl Flows {
    fn new(registry: &Registry) -> Self {
        let flows = Self {
            errors: labelled("kernel_auth_flow_errors_total", IntCounterVec::new),
            durations: labelled("kernel_auth_flow_duration_seconds", |opts, names| {
                let opts = HistogramOpts::from(opts).buckets(FLOW_BUCKETS.to_vec());
                HistogramVec::new(opts, names)
            }),
        };
        touch_pairs(&flows.errors, "kernel_auth_flow_errors_total");
        touch_pairs(&flows.durations, "kernel_auth_flow_duration_seconds");
        let collectors: [Box<dyn Collector>; 2] = [
            Box::new(flows.errors.clone()),
            Box::new(flows.durations.clone()),
        ];
        for collector in collectors {
            registry
                .register(collector)
                .expect("the catalogue has each name once, and this is done once");
        }
        flows
    }
}

impl Telemetry {
    /// Every known label value is there at 0 from the start, so that a first
    /// error is an increase; of endpoints, those of `endpoints`, which are the
    /// ones in use.
    pub(crate) fn new(build: Build, endpoints: &[Endpoint]) -> Self {
        let telemetry = Self {
            registry: Registry::new(),
            requests: labelled("kernel_auth_api_requests_total", IntCounterVec::new),
            durations: labelled("kernel_auth_api_request_duration_seconds", |opts, names| {
                let opts = HistogramOpts::from(opts).buckets(DURATION_BUCKETS.to_vec());
                HistogramVec::new(opts, names)
            }),
            errors: labelled("kernel_auth_api_errors_total", IntCounterVec::new),
            retries: labelled("kernel_auth_api_retries_total", IntCounterVec::new),
            waits: labelled("kernel_auth_api_wait_seconds_total", CounterVec::new),
            unknown_values: labelled("kernel_auth_api_unknown_values_total", IntCounterVec::new),
            scrapes: labelled("kernel_auth_exporter_scrapes_total", IntCounterVec::new),
            last_scrape_duration: unlabelled(
                "kernel_auth_exporter_last_scrape_duration_seconds",
                Gauge::with_opts,
            ),
            flows: Arc::default(),
        };
        let build_info = labelled("kernel_auth_exporter_build_info", GaugeVec::new);
        build_info
            .with_label_values(&[build.version, build.revision, build.rustversion])
            .set(1.0);
        telemetry.start_at_zero();
        telemetry.expect_endpoints(endpoints);
        telemetry.register(build_info);
        telemetry
    }

    /// Has the series of these endpoints, at 0 where they are new.
    pub(crate) fn expect_endpoints(&self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            self.durations.with_label_values(&[endpoint.as_str()]);
            for code in codes() {
                self.requests.with_label_values(&[endpoint.as_str(), code]);
            }
        }
    }

    /// Has the families about logins, at 0.
    pub(crate) fn expect_flows(&self) {
        self.flows.get_or_init(|| Flows::new(&self.registry));
    }

    fn start_at_zero(&self) {
        touch(&self.errors, ErrorReason::COUNTED);
        touch(&self.retries, RetryReason::LABELS);
        touch(&self.waits, WaitReason::LABELS);
        touch(&self.unknown_values, Field::LABELS);
        touch(&self.scrapes, ScrapeOutcome::LABELS);
    }

    fn register(&self, build_info: GaugeVec) {
        let collectors: Vec<Box<dyn Collector>> = vec![
            Box::new(self.requests.clone()),
            Box::new(self.durations.clone()),
            Box::new(self.errors.clone()),
            Box::new(self.retries.clone()),
            Box::new(self.waits.clone()),
            Box::new(self.unknown_values.clone()),
            Box::new(build_info),
            Box::new(self.scrapes.clone()),
            Box::new(self.last_scrape_duration.clone()),
            #[cfg(target_os = "linux")]
            Box::new(prometheus::process_collector::ProcessCollector::for_self()),
        ];
        for collector in collectors {
            self.registry
                .register(collector)
                .expect("the catalogue has each name once, as its tests hold");
        }
    }

    /// Counts a scrape that took this long.
    pub(crate) fn scrape(&self, outcome: ScrapeOutcome, took: Duration) {
        self.scrapes.with_label_values(&[outcome.as_str()]).inc();
        self.last_scrape_duration.set(took.as_secs_f64());
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

/// Creates a metric with the labels of the family `name`, which is in the
/// catalogue.
pub(crate) fn labelled<B: MetricVecBuilder>(
    name: &str,
    new: impl FnOnce(Opts, &[&str]) -> prometheus::Result<MetricVec<B>>,
) -> MetricVec<B> {
    let family = listed(name);
    let labels: Vec<&str> = family.all_labels().map(|label| label.name).collect();
    new(opts(family), &labels).expect("names of the catalogue are valid, as its tests hold")
}

/// Creates a metric without labels for the family `name`, which is in the
/// catalogue.
pub(crate) fn unlabelled<M: Metric>(
    name: &str,
    new: impl FnOnce(Opts) -> prometheus::Result<M>,
) -> M {
    new(opts(listed(name))).expect("names of the catalogue are valid, as its tests hold")
}

fn listed(name: &str) -> &'static Family {
    catalogue::family(name).expect("every name in this file is in the catalogue")
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

/// Makes the series of a family with one label.
fn touch<B: MetricVecBuilder>(metric: &MetricVec<B>, values: &[&str]) {
    for value in values {
        metric.with_label_values(&[*value]);
    }
}

/// Makes the series of the family `name`, which has two labels.
fn touch_pairs<B: MetricVecBuilder>(metric: &MetricVec<B>, name: &str) {
    let [first, second] = listed(name).labels else {
        return;
    };
    for one in first.values.unwrap_or_default() {
        for other in second.values.unwrap_or_default() {
            metric.with_label_values(&[*one, *other]);
        }
    }
}

fn codes() -> impl Iterator<Item = &'static str> {
    listed("kernel_auth_api_requests_total")
        .labels
        .iter()
        .filter(|label| label.name == "code")
        .filter_map(|label| label.values)
        .flatten()
        .copied()
}

/// Label `code`: a status outside the known ones is `other`, so that an
/// invented one makes no series.
fn code_label(code: Option<u16>) -> &'static str {
    let Some(code) = code else { return "error" };
    let code = itoa::Buffer::new().format(code).to_owned();
    codes().find(|known| *known == code).unwrap_or("other")
}

#[cfg(test)]
mod tests;
