//! The example of the README, over TLS with a password.

#[path = "../../examples/minimal.rs"]
#[expect(dead_code, reason = "its main binds a fixed port")]
mod minimal;

use std::sync::Arc;

use exporter_toolkit::listener::Listen;
use exporter_toolkit::server::{CancellationToken, Limits, serve};
use exporter_toolkit::web_config::WebConfigHandle;
use tokio::net::TcpStream;

use crate::support::soon;
use crate::tls_client::{TlsClient, keys};

#[tokio::test]
async fn it_serves_over_tls_with_a_password() {
    let address = "127.0.0.1:0".parse().expect("an address");
    let listeners = Listen::Addresses(vec![address]).bind().await;
    let listeners = listeners.expect("a free port");
    let address = listeners[0].address();
    let web_config = WebConfigHandle::new(Some(keys("good/users.yml"))).expect("right");
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(
        listeners,
        Arc::new(minimal::Exporter),
        Limits::default(),
        web_config,
        shutdown.clone(),
    ));
    // alice:alice123
    for (credentials, status, body) in [
        ("YWxpY2U6YWxpY2UxMjM=", 200, "example_answer 42\n"),
        ("YWxpY2U6YWxpY2UxMjQ=", 401, "Unauthorized\n"),
    ] {
        let stream = TcpStream::connect(address).await.expect("connected");
        let client = TlsClient::default().handshake(stream).await;
        let mut client = client.expect("a handshake");
        client
            .send(&format!(
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\
                 Authorization: Basic {credentials}\r\n\r\n"
            ))
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
    }
    shutdown.cancel();
    let drained = soon("the server to end", serving).await.expect("no panic");
    assert_eq!(drained.aborted, 0);
}

#[test]
fn it_is_what_the_readme_shows() {
    let example = include_str!("../../examples/minimal.rs");
    let (_, code) = example.split_once("\n\n").expect("a line of documentation");
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(code),
        "copy examples/minimal.rs to README.md"
    );
}
