//! Basic auth, headers and rate limit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Answer, TestServer};
use crate::tls_client::{TlsClient, server};

async fn as_user(server: &TestServer, user: &str, password: &str) -> Answer {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    server
        .ask(&format!(
            "GET / HTTP/1.1\r\nHost: test\r\nAuthorization: Basic {credentials}\r\n\r\n"
        ))
        .await
}

#[tokio::test]
async fn passwords_open_and_nothing_else_does() {
    let server = server("users_no_tls").await;
    // Twice: the second time from memory.
    for _ in 0..2 {
        for (user, password, status) in [
            ("alice", "alice123", 200),
            ("bob", "bob123", 200),
            ("carol", "carol123", 200),
            ("alice", "bob123", 401),
            ("alice", "", 401),
            ("alice", "alice123 ", 401),
            ("ALICE", "alice123", 401),
            ("", "", 401),
            ("nobody", "nobody123", 401),
            // Of a user's password, under a name that is nobody's.
            ("mallory", "alice123", 401),
            ("mallory", "bob123", 401),
            ("mallory", "carol123", 401),
        ] {
            let answer = as_user(&server, user, password).await;
            assert_eq!(answer.status, status, "{user}:{password}");
            let challenge = (status == 401).then_some("Basic");
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
    }
    let answer = server.get("/").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some("Basic"));
    assert_eq!(answer.body, "Unauthorized\n");
}

#[tokio::test]
async fn tls_does_not_replace_passwords() {
    let server = server("users").await;
    let answer = TlsClient::default().get(&server, "/").await;
    assert_eq!(answer.expect("an answer").status, 401);
}

#[tokio::test]
async fn headers_are_on_every_answer() {
    let server = server("headers").await;
    for path in ["/", "/panic"] {
        let answer = server.get(path).await;
        for (name, value) in [
            ("X-Frame-Options", "deny"),
            (
                "Strict-Transport-Security",
                "max-age=31536000; includeSubDomains",
            ),
            ("X-Content-Type-Options", "nosniff"),
            ("X-XSS-Protection", "1"),
            (
                "Content-Security-Policy",
                "default-src 'self' *.test.example.net",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    let server = crate::tls_client::server("headers_blank").await;
    let answer = server.get("/").await;
    assert_eq!(answer.header("x-frame-options"), Some("sameorigin"));
    assert_eq!(answer.header("content-security-policy"), None);
}

#[tokio::test]
async fn more_than_the_rate_is_refused() {
    for (sample, allowed) in [
        ("rate_limit", 3),
        ("rate_limit_no_burst", 0),
        ("rate_limit_off", 10),
    ] {
        let server = server(sample).await;
        for number in 0..10 {
            let answer = server.get("/").await;
            let status = if number < allowed { 200 } else { 429 };
            assert_eq!(answer.status, status, "{sample} {number}");
            if status == 429 {
                assert_eq!(answer.body, "Too Many Requests\n");
                assert!(answer.header("retry-after").is_some());
            }
        }
    }
}
