//! How it ends.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Route};
use reqwest::Method;

use super::support::{Api, get, request, until};

#[tokio::test]
async fn a_scrape_under_way_is_answered_before_the_end() {
    let api = Api::small().await;
    let slow = FaultKind::Latency(Duration::from_secs(1));
    api.control
        .add_fault(Fault::new(slow).at(Route::Connections));
    let exporter = api.exporter(&[]);
    let url = exporter.address().await;
    let scrape = tokio::spawn(request(Method::GET, &format!("{url}/metrics")).send());
    until("the scrape to reach the API", || {
        (api.control.requests().total > 0).then_some(())
    })
    .await;
    exporter.signal("TERM");
    exporter.logged("msg=\"stopping\" signal=SIGTERM").await;
    let response = scrape.await.unwrap().expect("the scrape is answered");
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("kernel_auth_up 1"));
    let ended = exporter.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.ends_with("msg=\"stopped\"\n"),
        "{}",
        ended.stderr
    );
    let gone = request(Method::GET, &url).send().await;
    assert!(gone.is_err_and(|error| error.is_connect()));
}

#[tokio::test]
async fn an_idle_exporter_ends_at_once_on_either_signal() {
    let api = Api::small().await;
    for name in ["TERM", "INT"] {
        let exporter = api.exporter(&[]);
        // A connection that is kept open does not keep the program.
        let url = exporter.address().await;
        let _kept = get(&format!("{url}/-/ready")).await;
        exporter.signal(name);
        let ended = exporter.ended().await;
        assert_eq!(ended.code(), Some(0), "{name}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(&format!("signal=SIG{name}")));
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let api = Api::small().await;
    api.control
        .add_fault(Fault::new(FaultKind::Silent).at(Route::Connections));
    let exporter = api.exporter(&["--kernel.timeout=10m"]);
    let url = exporter.address().await;
    let scrape = tokio::spawn(request(Method::GET, &format!("{url}/metrics")).send());
    until("the scrape to reach the API", || {
        (api.control.requests().total > 0).then_some(())
    })
    .await;
    exporter.signal("TERM");
    exporter.logged("msg=\"stopping\" signal=SIGTERM").await;
    exporter.signal("TERM");
    let ended = exporter.ended().await;
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(scrape.await.unwrap().is_err());
}
