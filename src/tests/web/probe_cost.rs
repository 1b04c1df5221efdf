//! What probes may cost, whoever sends them.

use kernel_api_simulator::{Fault, Route};

use super::stage::{api_of, exporter};

#[tokio::test]
async fn strangers_spend_what_probes_may_cost_and_no_more() {
    let api = api_of(3).await;
    let front = exporter(&api, &["--kernel.probe-requests=4"]).await;
    let id = api.control.truth()[0].id.clone();
    let path = format!("/probe?target={id}");
    // A probe that is tried again costs two.
    api.control.add_fault(Fault::status(503).times(1));
    assert_eq!(front.get(&path).await.one("probe_success", &[]), Some(1.0));
    for _ in 0..2 {
        assert_eq!(front.get(&path).await.status, 200);
    }
    for path in [
        &path,
        "/probe?target=ma_other",
        &format!("{path}&debug=true"),
    ] {
        let answer = front.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.header("retry-after"), "60");
        assert!(answer.text.contains("--kernel.probe-requests"));
    }
    assert_eq!(api.control.requests().count(Route::Connection), 4);
    // Scrapes go on, and show both ceilings.
    let scrape = front.scrape().await;
    assert_eq!(scrape.one("kernel_auth_up", &[]), Some(1.0));
    for (what, most) in [("collections", 8.0), ("probe_requests", 4.0)] {
        let name = format!("kernel_auth_exporter_max_{what}_per_minute");
        assert_eq!(scrape.one(&name, &[]), Some(most));
    }
}

#[tokio::test]
async fn retries_stop_at_what_probes_may_cost() {
    let api = api_of(1).await;
    let front = exporter(&api, &["--kernel.probe-requests=2"]).await;
    api.control.add_fault(Fault::status(503));
    let path = format!("/probe?target={}", api.control.truth()[0].id);
    let answer = front.get(&path).await;
    assert_eq!(answer.one("probe_success", &[]), Some(0.0));
    assert_eq!(api.control.requests().total, 2);
}

#[tokio::test]
async fn an_id_that_kernel_does_not_know_is_asked_for_once_a_minute() {
    let api = api_of(2).await;
    let front = exporter(&api, &[]).await;
    let found = "kernel_auth_connection_found";
    for _ in 0..5 {
        let answer = front.get("/probe?target=ma_new").await;
        assert_eq!(answer.one("probe_success", &[]), Some(0.0));
        assert_eq!(answer.one(found, &["ma_new"]), Some(0.0));
    }
    assert_eq!(api.control.requests().count(Route::Connection), 1);
    // Once a list has it, it is asked for.
    api.control
        .create_connection(None, Some("ma_new"), "a.example", "p")
        .unwrap();
    front.scrape().await;
    let answer = front.get("/probe?target=ma_new").await;
    assert_eq!(answer.one("probe_success", &[]), Some(1.0));
}
