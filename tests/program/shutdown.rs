//! How it ends.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Route};
use reqwest::Method;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

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
    let told = exporter.logged("signal=SIGTERM").await.remove(0);
    assert!(told.contains("a second signal stops at once"), "{told}");
    assert!(told.contains("drain_seconds=20"), "{told}");
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
async fn a_log_that_nobody_reads_stops_nothing() {
    const DROPPED: &str = "kernel_auth_exporter_log_dropped_lines_total";
    let api = Api::small().await;
    let exporter = api.exporter(&["--log.level=debug"]);
    assert_eq!(exporter.scrape().await.value(DROPPED), Some(0.0));
    let address = exporter.address().await.replace("http://", "");
    let fill = async || {
        let before = exporter.scrape().await.value(DROPPED);
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let (mut from, mut to) = stream.split();
        let mut nowhere = tokio::io::sink();
        // More lines than the pipe and the queue hold.
        let asked = "GET /-/healthy HTTP/1.1\r\nHost: t\r\n\r\n".repeat(20_000);
        let asking = async {
            to.write_all(asked.as_bytes()).await.unwrap();
            while exporter.scrape().await.value(DROPPED) == before {}
        };
        tokio::select! {
            _ = tokio::io::copy(&mut from, &mut nowhere) => panic!("hung up"),
            () = asking => {}
        }
    };
    let unread = exporter.unread_log().await;
    fill().await;
    drop(unread);
    let told = exporter.logged("lines are missing").await;
    assert!(told[0].contains("level=warn"), "{told:?}");

    let _unread = exporter.unread_log().await;
    fill().await;
    exporter.signal("TERM");
    assert_eq!(exporter.exit_code().await, Some(0));
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
    exporter.logged("signal=SIGTERM").await;
    exporter.signal("TERM");
    let ended = exporter.ended().await;
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(scrape.await.unwrap().is_err());
}
