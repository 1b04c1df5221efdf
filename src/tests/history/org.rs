//! The collector `org`.

use std::time::Duration;

use kernel_api_simulator::{Fault, Route};
use serde_json::json;

use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;
use crate::tests::common::metrics::Metrics;

const ON: &str = "--collector.org";
const ROUTES: [Route; 4] = [
    Route::OrgLimits,
    Route::OrgEntitlements,
    Route::AuthContext,
    Route::ApiKeys,
];

fn org(shown: &Metrics, name: &str) -> Option<f64> {
    shown.value(&format!("kernel_auth_org_{name}"))
}

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn limits_plan_and_expiry_are_shown_and_asked_for_rarely() {
    let bench = Bench::new(world(30), &[ON]).await;
    bench.api.set_limits(object(json!({
        "concurrent_sessions_used": 4, "min_health_check_interval_seconds": 1200,
    })));
    bench
        .api
        .set_plan(object(json!({"effective_id": "START_UP"})));
    bench.api.set_key_expiry(Some(Duration::from_hours(24)));
    bench.collect_and_settle().await;
    let shown = bench.shown();
    assert_eq!(org(&shown, "connections_used"), Some(30.0));
    assert_eq!(org(&shown, "connections_limit"), Some(50.0));
    assert_eq!(org(&shown, "concurrent_sessions_used"), Some(4.0));
    assert_eq!(org(&shown, "concurrent_sessions_limit"), Some(100.0));
    assert_eq!(
        org(&shown, "min_health_check_interval_seconds"),
        Some(1200.0)
    );
    assert_eq!(org(&shown, "plan_info{plan=\"START_UP\"}"), Some(1.0));
    assert_eq!(
        org(&shown, "connections_unseen"),
        None,
        "one project of several"
    );
    let expires = shown.value("kernel_auth_api_key_expires_timestamp_seconds");
    let now = bench
        .api
        .now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!((expires.unwrap() - now.as_secs_f64() - 86_400.0).abs() < 1.0);
    for route in ROUTES {
        assert_eq!(bench.api.requests().count(route), 1, "{route:?}");
    }
    bench.api.reset_requests();
    for _ in 0..5 {
        bench.collect_and_settle().await;
    }
    let log = bench.requests();
    assert_eq!((log.count(Route::OrgLimits), log.total), (0, 5));
}

#[tokio::test]
async fn what_the_api_leaves_out_is_left_out() {
    let bench = Bench::new(world(3), &[ON]).await;
    bench.api.set_limits(object(json!({
        "auth_connections_used": null, "max_auth_connections": null, "max_concurrent_sessions": "all",
    })));
    bench
        .api
        .set_plan(object(json!({"id": null, "effective_id": null})));
    bench.api.set_key_expiry(None);
    bench.collect_and_settle().await;
    let shown = bench.shown();
    assert!(org(&shown, "concurrent_sessions_used").is_some());
    for name in [
        "kernel_auth_org_connections_used",
        "kernel_auth_org_connections_limit",
        "kernel_auth_org_concurrent_sessions_limit",
        "kernel_auth_org_plan_info",
        "kernel_auth_api_key_expires",
    ] {
        assert!(!shown.text.contains(name), "{name}");
    }
}

#[tokio::test]
async fn a_forgotten_project_shows() {
    let options = kernel_api_simulator::Options {
        projects: 3,
        ..world(60)
    };
    let all = [ON, "--kernel.project=all"];
    let mut bench = Bench::new(options, &all).await;
    bench.collect_and_settle().await;
    assert_eq!(org(&bench.shown(), "connections_unseen"), Some(0.0));
    bench
        .api
        .set_limits(object(json!({"auth_connections_used": 67})));
    bench.restart(&all);
    bench.collect_and_settle().await;
    assert_eq!(org(&bench.shown(), "connections_unseen"), Some(7.0));
    for narrowed in ["--kernel.domain=x.example", "--kernel.profile=nobody"] {
        bench.restart(&[ON, "--kernel.project=all", narrowed]);
        bench.collect_and_settle().await;
        let shown = bench.shown();
        assert_eq!(org(&shown, "connections_used"), Some(67.0));
        assert_eq!(org(&shown, "connections_unseen"), None, "{narrowed}");
    }
}

#[tokio::test]
async fn a_refusal_is_counted_once_and_costs_nothing_else() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(3), &[ON]).await;
    for (status, route) in [(403, Route::OrgLimits), (404, Route::OrgEntitlements)] {
        bench.api.add_fault(Fault {
            routes: vec![route],
            ..Fault::status(status)
        });
    }
    for _ in 0..4 {
        bench.collect_and_settle().await;
        tokio::time::advance(Duration::from_secs(301)).await;
    }
    let shown = bench.shown();
    let errors = |reason: &str| {
        shown.value(&format!(
            "kernel_auth_api_errors_total{{reason=\"{reason}\"}}"
        ))
    };
    assert_eq!(
        (errors("forbidden"), errors("not_found")),
        (Some(1.0), Some(1.0))
    );
    assert_eq!(shown.value("kernel_auth_up"), Some(1.0));
    assert_eq!(
        bench.requests().count(Route::OrgLimits),
        4,
        "it may be permitted some day"
    );
    assert_eq!(org(&shown, "connections_used"), None);
    assert!(
        shown
            .text
            .contains("kernel_auth_api_key_expires_timestamp_seconds")
    );
    bench.api.clear_faults();
    bench.collect_and_settle().await;
    assert_eq!(org(&bench.shown(), "connections_used"), Some(3.0));
}
