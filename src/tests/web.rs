//! What the exporter answers beside `/metrics`: `/probe`, `/sd`, `/-/reload`
//! and the status page, through its sockets.

mod connection;
mod discovery;
mod exclude;
mod probe;
mod probe_cost;
mod reload;
mod stage;
mod status_page;

use kernel_api_simulator::{Fault, FaultKind};

use self::stage::{api_of, exporter};
use crate::tests::common::clock::until;

#[tokio::test]
async fn unknown_paths_and_methods() {
    let api = api_of(1).await;
    let front = exporter(&api, &["--web.telemetry-path=/numbers"]).await;
    let missing = front.get("/metrics").await;
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("/numbers"), "{}", missing.text);
    for path in [
        "/",
        "/connection",
        "/numbers",
        "/probe",
        "/sd",
        "/-/healthy",
        "/-/ready",
    ] {
        let answer = front.post(path).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), "GET, HEAD", "{path}");
    }
    let head = front.request("HEAD", "/sd").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn more_scrapes_than_allowed_are_turned_away() {
    let api = api_of(1).await;
    let front = exporter(&api, &["--web.max-requests=1"]).await;
    api.control.add_fault(Fault::new(FaultKind::Silent));
    let first = tokio::spawn(front.request("GET", "/metrics").send());
    until(|| api.control.requests().total > 0).await;
    for path in ["/metrics", "/probe?target=ma_1", "/sd"] {
        let answer = front.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(
            answer.text.contains("--web.max-requests"),
            "{}",
            answer.text
        );
    }
    for path in ["/", "/-/healthy", "/-/ready"] {
        assert_eq!(front.get(path).await.status, 200, "{path}");
    }
    first.abort();
    api.control.clear_faults();
}
