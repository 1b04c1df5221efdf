//! Families about the exporter itself, and about one probe.

use super::{Family, Kind, Label, Own, Source, Subject, Value};
use crate::model::{Endpoint, ErrorReason, Field, RetryReason, ScrapeOutcome, WaitReason};

/// Label `code` of `kernel_auth_api_requests_total`: the statuses that the API
/// publishes and those that a proxy in front of it sends; any other one; and
/// no answer at all.
pub(crate) const CODES: &[&str] = &[
    "200", "400", "401", "403", "404", "408", "409", "410", "422", "429", "500", "502", "503",
    "504", "529", "other", "error",
];

const ENDPOINT: Label = Label::of("endpoint", Endpoint::LABELS);

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, Subject::Exporter, help, Source::Gathered)
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family::new(
        Kind::Counter,
        name,
        Subject::Exporter,
        help,
        Source::Gathered,
    )
}

const fn state(
    name: &'static str,
    subject: Subject,
    help: &'static str,
    value: fn(&Own) -> Option<Value>,
) -> Family {
    Family::new(Kind::Gauge, name, subject, help, Source::Own(value))
}

pub(super) const FAMILIES: &[Family] = &[
    counter(
        "kernel_auth_api_requests_total",
        "Requests to the API, by the status of the answer; code error where there was none.",
    )
    .labels(&[ENDPOINT, Label::of("code", CODES)]),
    Family::new(
        Kind::Histogram,
        "kernel_auth_api_request_duration_seconds",
        Subject::Exporter,
        "How long the API took to answer a request.",
        Source::Gathered,
    )
    .labels(&[ENDPOINT]),
    counter(
        "kernel_auth_api_errors_total",
        "What went wrong with requests and with what they brought.",
    )
    .labels(&[Label::of("reason", ErrorReason::COUNTED)]),
    counter("kernel_auth_api_retries_total", "Requests sent again.")
        .labels(&[Label::of("reason", RetryReason::LABELS)]),
    counter(
        "kernel_auth_api_wait_seconds_total",
        "How long requests were held back before they were sent.",
    )
    .labels(&[Label::of("reason", WaitReason::LABELS)]),
    counter(
        "kernel_auth_api_unknown_values_total",
        "Values from the API that this build does not know, by member.",
    )
    .labels(&[Label::of("field", Field::LABELS)]),
    gauge(
        "kernel_auth_exporter_build_info",
        "1, with the exporter's version, its revision and the compiler's version.",
    )
    .labels(&[
        Label::open("version"),
        Label::open("revision"),
        Label::open("rustversion"),
    ]),
    counter(
        "kernel_auth_exporter_scrapes_total",
        "Scrapes answered, by where their data came from.",
    )
    .labels(&[Label::of("outcome", ScrapeOutcome::LABELS)]),
    gauge(
        "kernel_auth_exporter_last_scrape_duration_seconds",
        "How long the scrape before this one took.",
    ),
    state(
        "kernel_auth_exporter_config_last_reload_successful",
        Subject::Exporter,
        "1 when the latest load of the configuration succeeded, else 0.",
        |own| own.config_load.map(|(succeeded, _)| Value::flag(succeeded)),
    ),
    state(
        "kernel_auth_exporter_config_last_reload_success_timestamp_seconds",
        Subject::Exporter,
        "When the configuration was last loaded successfully.",
        |own| own.config_load.map(|(_, at)| Value::at(at)),
    ),
    Family::new(
        Kind::Counter,
        "kernel_auth_exporter_log_dropped_lines_total",
        Subject::Exporter,
        "Lines of the log that were dropped, because nobody read it in time.",
        Source::Own(|own| own.log_dropped.map(Value::Integer)),
    ),
    state(
        "kernel_auth_exporter_max_collections_per_minute",
        Subject::Exporter,
        "Most times that a scope is collected in a minute, where the API publishes no rate limit.",
        |own| {
            own.ceilings
                .map(|(collections, _)| Value::Integer(collections as u64))
        },
    ),
    state(
        "kernel_auth_exporter_max_probe_requests_per_minute",
        Subject::Exporter,
        "Most requests to the API in a minute that probes may cost.",
        |own| {
            own.ceilings
                .map(|(_, requests)| Value::Integer(requests as u64))
        },
    ),
    counter(
        "process_cpu_seconds_total",
        "User and system CPU time spent, in whole seconds.",
    ),
    gauge("process_open_fds", "Open file descriptors."),
    gauge("process_max_fds", "Most file descriptors that may be open."),
    gauge("process_virtual_memory_bytes", "Virtual memory size."),
    gauge("process_resident_memory_bytes", "Resident memory size."),
    gauge("process_start_time_seconds", "When the process started."),
    gauge("process_threads", "Operating system threads."),
    state(
        "probe_success",
        Subject::Probe,
        "1 when the probed connection was fetched now, else 0.",
        |own| own.probe.map(|(success, _)| Value::flag(success)),
    ),
    state(
        "probe_duration_seconds",
        Subject::Probe,
        "How long the probe took.",
        |own| own.probe.map(|(_, took)| Value::Float(took.as_secs_f64())),
    ),
];
