//! The server on real sockets: protocols, what strangers may cost, and what a
//! web configuration makes of it.

mod access;
mod circles;
mod example;
mod floods;
mod handshakes;
mod rotation;
mod samples;
mod sockets;
mod support;
mod tls_client;

use std::time::Duration;

use exporter_toolkit::server::{Drained, Limits};
use exporter_toolkit::web_config::WebConfigHandle;

use support::{Answers, TestServer, get, is_free, soon, until};

#[tokio::test]
async fn http_1_1_keeps_the_connection() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    for path in ["/a", "/b"] {
        client.send(&get(path)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.version.as_str()), (200, "HTTP/1.1"));
        assert_eq!(answer.body, format!("hello {path}\n"));
        assert!(answer.header("date").is_some());
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    // No Host header: HTTP/1.0 has none.
    client.send("GET /old HTTP/1.0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.version.as_str()), (200, "HTTP/1.0"));
    assert_eq!(answer.body, "hello /old\n");
    client.closed().await;
}

#[tokio::test]
async fn http_1_0_gets_a_stream_without_chunks() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    client.send("GET /endless HTTP/1.0\r\n\r\n").await;
    let answer = client.head_answer().await;
    assert_eq!(answer.header("transfer-encoding"), None);
    let mut bytes = vec![0; 100_000];
    tokio::io::AsyncReadExt::read_exact(&mut client.stream, &mut bytes)
        .await
        .expect("bytes");
    assert!(bytes.iter().all(|byte| *byte == b'0'));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    let requests: String = (0..50).map(|number| get(&format!("/{number}"))).collect();
    client.send(&requests).await;
    for number in 0..50 {
        assert_eq!(client.answer().await.body, format!("hello /{number}\n"));
    }
}

#[tokio::test]
async fn a_client_that_has_said_all_is_answered() {
    let server = TestServer::start(
        Answers::with_gate(),
        Limits::default(),
        WebConfigHandle::disabled(),
    )
    .await;
    let mut client = server.connect().await;
    client.send(&get("/gate")).await;
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream)
        .await
        .expect("half closed");
    until("the request", || server.answers.arrived() == 1).await;
    server.answers.open_gate();
    assert_eq!(client.answer().await.body, "through\n");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send("HEAD /x HTTP/1.1\r\nHost: test\r\n\r\n").await;
        let answer = client.head_answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), Some("9"));
    }
    let http2 = http2_client();
    let url = format!("http://{}/x", server.address);
    let response = http2.head(&url).send().await.expect("an answer");
    assert_eq!(response.headers()["content-length"], "9");
    assert_eq!(response.bytes().await.expect("a body").len(), 0);
}

#[tokio::test]
async fn http_2_with_prior_knowledge() {
    let server = TestServer::plain().await;
    let client = http2_client();
    let url = format!("http://{}", server.address);
    let asked = (0..20).map(|number| client.get(format!("{url}/{number}")).send());
    for (number, answer) in futures_util::future::join_all(asked)
        .await
        .into_iter()
        .enumerate()
    {
        let answer = answer.expect("an answer");
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        let text = answer.text().await.expect("a text");
        assert_eq!(text, format!("hello /{number}\n"));
    }
}

fn http2_client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .expect("a client")
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let server = TestServer::plain().await;
    let mut client = server.connect().await;
    client.send(&get("/panic")).await;
    assert_eq!(client.answer().await.status, 500);
    client.send(&get("/next")).await;
    assert_eq!(client.answer().await.status, 200);
    let response = http2_client()
        .get(format!("http://{}/panic", server.address))
        .send();
    assert_eq!(response.await.expect("an answer").status(), 500);
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = TestServer::plain().await;
    let long = "x".repeat(20_000);
    let many = "X: y\r\n".repeat(200);
    for (request, status) in [
        (
            format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nHost: test\r\n{many}\r\n"), 431),
        (get(&format!("/{}", &long[..9000])), 414),
        (get(&format!("/?{}", &long[..9000])), 414),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            400,
        ),
        ("NONSENSE\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = server.connect().await;
        client.send(&request).await;
        let answer = client.answer().await;
        let start: String = request.chars().take(60).collect();
        assert_eq!(answer.status, status, "{start}");
        client.closed().await;
    }
    // A head without an end is not read to the end.
    let mut client = server.connect().await;
    client
        .send(&format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}"))
        .await;
    assert_eq!(client.answer().await.status, 431);

    let response = http2_client()
        .get(format!("http://{}/", server.address))
        .header("x-long", &long)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 431);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let server = TestServer::with(Limits {
        request_body: 100,
        ..Limits::default()
    })
    .await;
    let post = |length: usize| {
        format!(
            "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        )
    };
    assert_eq!(server.ask(&post(100)).await.body, "100\n");
    let refused = server.ask(&post(101)).await;
    assert_eq!(refused.status, 413);
    assert_eq!(refused.header("connection"), Some("close"));
    let chunked = format!(
        "POST /body HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n{}\r\n0\r\n\r\n",
        "x".repeat(0x65)
    );
    assert_eq!(server.ask(&chunked).await.status, 413);
    // Announced and never sent, to somebody who does not read it.
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 99\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status, 200);
    client.closed().await;
}

#[tokio::test]
async fn shutdown_lets_a_running_response_finish() {
    let server = TestServer::start_at(
        "127.0.0.4:0",
        Answers::with_gate(),
        Limits::default(),
        WebConfigHandle::disabled(),
    )
    .await;
    let mut idle = server.connect().await;
    idle.send(&get("/")).await;
    idle.answer().await;
    let mut silent = server.connect().await;
    let mut running = server.connect().await;
    running.send(&get("/gate")).await;
    until("the request", || server.answers.arrived() == 1).await;

    server.shutdown.cancel();
    idle.closed().await;
    silent.closed().await;
    until("the port to be free", || is_free(server.address)).await;
    assert!(!server.serving.is_finished());

    server.answers.open_gate();
    let answer = running.answer().await;
    assert_eq!(answer.body, "through\n");
    assert_eq!(answer.header("connection"), Some("close"));
    running.closed().await;
    assert_eq!(server.stop().await, Drained { aborted: 0 });
}

#[tokio::test]
async fn shutdown_waits_for_http_2_too_and_says_goodbye() {
    let server = TestServer::start_at(
        "127.0.0.5:0",
        Answers::with_gate(),
        Limits::default(),
        WebConfigHandle::disabled(),
    )
    .await;
    let url = format!("http://{}/gate", server.address);
    let running = tokio::spawn(async move {
        let response = http2_client().get(url).send().await.expect("an answer");
        response.text().await.expect("a text")
    });
    until("the request", || server.answers.arrived() == 1).await;
    server.shutdown.cancel();
    until("the port to be free", || is_free(server.address)).await;
    server.answers.open_gate();
    assert_eq!(
        soon("the text", running).await.expect("no panic"),
        "through\n"
    );
    assert_eq!(server.stop().await, Drained { aborted: 0 });
}

#[tokio::test]
async fn the_drain_deadline_ends_what_will_not_end() {
    let server = TestServer::start(
        Answers::with_gate(),
        Limits {
            drain: Duration::from_millis(50),
            ..Limits::default()
        },
        WebConfigHandle::disabled(),
    )
    .await;
    let mut stuck = server.connect().await;
    stuck.send(&get("/gate")).await;
    until("the request", || server.answers.arrived() == 1).await;
    assert_eq!(server.stop().await, Drained { aborted: 1 });
    stuck.closed().await;
}
