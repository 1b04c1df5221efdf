use std::collections::BTreeSet;

use super::*;
use crate::version::Build;

fn value(telemetry: &Telemetry, name: &str, labels: &[(&str, &str)]) -> f64 {
    let families = telemetry.gather();
    let family = families
        .iter()
        .find(|family| family.name() == name)
        .unwrap_or_else(|| panic!("no {name}"));
    let metric = family
        .get_metric()
        .iter()
        .find(|metric| {
            labels.iter().all(|(name, value)| {
                metric
                    .get_label()
                    .iter()
                    .any(|pair| pair.name() == *name && pair.value() == *value)
            })
        })
        .unwrap_or_else(|| panic!("no {name}{labels:?}"));
    match family.get_field_type() {
        prometheus::proto::MetricType::COUNTER => metric.get_counter().get_value(),
        prometheus::proto::MetricType::GAUGE => metric.get_gauge().get_value(),
        _ => metric.get_histogram().get_sample_sum(),
    }
}

fn telemetry() -> Telemetry {
    let telemetry = Telemetry::new(Build::current(), &[Endpoint::Connections]);
    telemetry.expect_flows();
    telemetry
}

#[test]
fn what_is_gathered_is_what_the_catalogue_lists() {
    let gathered: BTreeSet<String> = telemetry()
        .gather()
        .iter()
        .map(|family| family.name().to_owned())
        .collect();
    let expected: BTreeSet<String> = catalogue::families()
        .iter()
        .filter(|family| family.is_gathered())
        .filter(|family| cfg!(target_os = "linux") || !family.name.starts_with("process_"))
        .map(|family| family.name.to_owned())
        .collect();
    assert_eq!(gathered, expected);
}

#[test]
fn known_values_are_there_at_zero() {
    let telemetry = telemetry();
    for family in telemetry.gather() {
        let listed = catalogue::family(family.name()).unwrap();
        let expected: usize = listed
            .labels
            .iter()
            .map(|label| match label.name {
                "endpoint" => 1,
                _ => label.values.map_or(1, <[_]>::len),
            })
            .product();
        assert_eq!(family.get_metric().len(), expected, "{}", family.name());
    }
    assert!(
        value(
            &telemetry,
            "kernel_auth_api_errors_total",
            &[("reason", "tls")]
        )
        .abs()
            < 1e-9
    );
}

#[test]
fn everything_counts() {
    let telemetry = telemetry();
    let same = telemetry.clone();
    let second = Duration::from_millis(1500);
    same.request(Endpoint::Connections, Some(200), second);
    same.request(Endpoint::Connections, Some(418), second);
    same.request(Endpoint::Connections, None, second);
    same.request(Endpoint::Projects, Some(200), second);
    same.error(ErrorReason::Tls);
    same.retry(RetryReason::Asked);
    same.waited(WaitReason::Quota, second);
    same.unknown_value(Field::FlowStep, 1);
    same.scrape(ScrapeOutcome::Held, second);
    let requests = "kernel_auth_api_requests_total";
    for (name, labels, expected) in [
        (
            requests,
            vec![("endpoint", "connections"), ("code", "200")],
            1.0,
        ),
        (
            requests,
            vec![("endpoint", "connections"), ("code", "other")],
            1.0,
        ),
        (
            requests,
            vec![("endpoint", "connections"), ("code", "error")],
            1.0,
        ),
        (
            requests,
            vec![("endpoint", "projects"), ("code", "200")],
            1.0,
        ),
        (
            "kernel_auth_api_request_duration_seconds",
            vec![("endpoint", "connections")],
            4.5,
        ),
        ("kernel_auth_api_errors_total", vec![("reason", "tls")], 1.0),
        (
            "kernel_auth_api_retries_total",
            vec![("reason", "asked")],
            1.0,
        ),
        (
            "kernel_auth_api_wait_seconds_total",
            vec![("reason", "quota")],
            1.5,
        ),
        (
            "kernel_auth_api_unknown_values_total",
            vec![("field", "flow_step")],
            1.0,
        ),
        (
            "kernel_auth_exporter_scrapes_total",
            vec![("outcome", "held")],
            1.0,
        ),
        (
            "kernel_auth_exporter_last_scrape_duration_seconds",
            vec![],
            1.5,
        ),
        (
            "kernel_auth_exporter_build_info",
            vec![("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        ),
    ] {
        assert!(
            (value(&telemetry, name, &labels) - expected).abs() < 1e-9,
            "{name}{labels:?}"
        );
    }
}
