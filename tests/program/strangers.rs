//! What strangers on the port can do: to the log, to scrapers, and with the
//! browser of somebody who may do more.

use std::time::Duration;

use kernel_api_simulator::Options;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Api, Program, get, request, world};

/// Asks for the metrics and never reads what comes.
async fn deaf(program: &Program) -> TcpStream {
    let address = program.address().await;
    let socket = TcpSocket::new_v4().unwrap();
    // So that the text does not end in buffers of the system.
    socket.set_recv_buffer_size(4096).unwrap();
    let address = address.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let asked = b"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n";
    stream.write_all(asked).await.unwrap();
    let mut begun = [0];
    stream.read_exact(&mut begun).await.unwrap();
    stream
}

#[tokio::test]
async fn sockets_that_never_read_keep_no_scraper_out() {
    let api = Api::with(Options {
        connections: 3_000,
        ..world(0)
    })
    .await;
    let exporter = api.exporter(&["--web.max-requests=2", "--kernel.cache=1h"]);
    exporter.scrape().await;
    let _deaf = [deaf(&exporter).await, deaf(&exporter).await];
    // Before they have been silent for long enough, and without a permit.
    let url = format!("{}/metrics", exporter.address().await);
    let scraped = async {
        while get(&url).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Their own time is half a minute.
    let scraped = tokio::time::timeout(Duration::from_secs(20), scraped).await;
    scraped.expect("a place is given up");
    exporter.get("/-/healthy").await;
}

#[tokio::test]
async fn a_page_of_another_site_reloads_nothing() {
    let api = Api::small().await;
    let exporter = api.exporter(&[
        "--web.enable-lifecycle",
        "--web.external-url=https://proxy.example/kernel/",
        "--web.route-prefix=/",
    ]);
    let url = exporter.address().await;
    let here = url.as_str();
    for (name, value, status) in [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:1", 403),
        ("origin", "https://proxy.example:444", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("origin", here, 200),
        ("origin", "https://proxy.example", 200),
        ("user-agent", "curl", 200),
    ] {
        let sent = request(Method::POST, &format!("{url}/-/reload"));
        let answer = sent.header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let reloads = exporter.stderr();
    let reloads = reloads.lines().filter(|line| line.contains("reloaded"));
    assert_eq!(reloads.count(), 4);
}
