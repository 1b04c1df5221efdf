//! What strangers on the port can do: to the log, to scrapers, and with the
//! browser of somebody who may do more.

use std::collections::HashMap;
use std::time::Duration;

use kernel_api_simulator::Options;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Api, Program, get, request, world};

/// The preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The frame PING with this payload, or its acknowledgement.
fn ping(acknowledges: bool, payload: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 6, u8::from(acknowledges), 0, 0, 0, 0];
    frame.extend([payload; 8]);
    frame
}

/// A request for `/` on `stream`, and its reset.
fn taken_back(stream: u32) -> Vec<u8> {
    let id = stream.to_be_bytes();
    let headers = [&[0, 0, 6, 1, 5][..], &id, b"\x82\x86\x84\x41\x01t"].concat();
    let reset = [&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 8]].concat();
    [headers, reset].concat()
}

async fn http2(program: &Program) -> TcpStream {
    let address = program.address().await;
    let address = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream
}

/// Holds that the log has so many lines with this in them.
async fn said(exporter: Program, part: &str, times: usize) {
    // The log is written by a thread of its own: all of it is there at the end.
    exporter.signal("TERM");
    let log = exporter.ended().await.stderr;
    let lines = log.lines().filter(|line| line.contains(part));
    assert_eq!(lines.count(), times, "{part}: {log}");
}

#[tokio::test]
async fn reloads_fill_no_log() {
    let api = Api::small().await;
    let exporter = api.exporter(&["--web.enable-lifecycle"]);
    let url = format!("{}/-/reload", exporter.address().await);
    for _ in 0..50 {
        let answer = request(Method::POST, &url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    said(exporter, "reloaded", 20).await;
}

/// They ask for pages over HTTP/2, and let none of it be sent.
#[tokio::test]
async fn pages_that_nobody_reads_leave_room_for_others() {
    let api = Api::small().await;
    let program = api.exporter(&[]);
    program.scrape().await;
    let page = http::Request::get(format!("{}/", program.address().await));
    let page = page.body(()).unwrap();
    let (mut busy, mut unread) = (0, Vec::new());
    for _ in 0..4 {
        let address = program.address().await;
        let stream = TcpStream::connect(address.strip_prefix("http://").unwrap());
        let silent = h2::client::Builder::new()
            .initial_window_size(0)
            .handshake::<_, bytes::Bytes>(stream.await.unwrap());
        let (mut requests, connection) = silent.await.unwrap();
        tokio::spawn(connection);
        for _ in 0..10 {
            requests = requests.ready().await.unwrap();
            let (answer, _) = requests.send_request(page.clone(), true).unwrap();
            let answer = answer.await.unwrap();
            busy += u32::from(answer.status() == 503);
            unread.push(answer);
        }
    }
    assert!(busy > 0, "each of them has a page in memory");
    assert!(program.scrape().await.has("kernel_auth_up"));
    // Whoever takes nothing for two seconds goes.
    let url = format!("{}/", program.address().await);
    while get(&url).await.status() == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn frames_against_the_rules_fill_no_log() {
    let api = Api::small().await;
    let program = api.exporter(&[]);

    let mut stream = http2(&program).await;
    stream
        .write_all(&ping(true, 1).repeat(10_000))
        .await
        .unwrap();
    // Its answer comes when all before it has been read.
    stream.write_all(&ping(false, 7)).await.unwrap();
    let mut read = Vec::new();
    while !read.windows(8).any(|window| window == [7; 8]) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "hung up");
    }

    for _ in 0..20 {
        let mut stream = http2(&program).await;
        for number in 0..500 {
            // Fails once the server has had enough.
            if stream.write_all(&taken_back(2 * number + 1)).await.is_err() {
                break;
            }
        }
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut read).await;
    }

    assert!(program.scrape().await.has("kernel_auth_up"));
    // Whole only then: a thread of its own writes it.
    program.signal("TERM");
    let log = program.ended().await.stderr;
    let mut kinds = HashMap::new();
    for line in log.lines().filter(|line| !line.contains("level=info")) {
        let (_, rest) = line.split_once("msg=").unwrap();
        *kinds.entry(rest.split('"').nth(1)).or_insert(0) += 1;
    }
    assert!(kinds.values().all(|lines| *lines == 1), "{log}");
    assert!(kinds.len() < 5, "{log}");
}

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
    said(exporter, "reloaded", 4).await;
}

#[tokio::test]
async fn a_loop_of_scrapes_fills_no_log() {
    let api = Api::small().await;
    let exporter = Program::exporter(&api.url, "sk_wrong_u3Tz0", &[]);
    for _ in 0..50 {
        assert_eq!(exporter.scrape().await.value("kernel_auth_up"), Some(0.0));
    }
    said(exporter, "level=warn", 1).await;
}
