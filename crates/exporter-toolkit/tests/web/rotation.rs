//! Files that change under a running server.

use std::fs;
use std::path::{Path, PathBuf};

use exporter_toolkit::server::Limits;
use exporter_toolkit::web_config::WebConfigHandle;

use crate::support::{Answers, TestServer, get};
use crate::tls_client::{TlsClient, keys, server_on};

/// Writes a new self-signed certificate and its key.
fn new_certificate(directory: &Path, name: &str) -> PathBuf {
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let certificate = directory.join(format!("{name}.pem"));
    fs::write(&certificate, made.cert.pem()).expect("written");
    let key = directory.join(format!("{name}.key"));
    fs::write(key, made.signing_key.serialize_pem()).expect("written");
    certificate
}

fn install(directory: &Path, name: &str) {
    for kind in ["pem", "key"] {
        let from = directory.join(format!("{name}.{kind}"));
        fs::copy(from, directory.join(format!("server.{kind}"))).expect("copied");
    }
}

fn trusting(certificate: &Path) -> TlsClient {
    TlsClient {
        authority: certificate.to_owned(),
        ..TlsClient::default()
    }
}

#[tokio::test]
async fn the_next_handshake_shows_the_new_certificate() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let old = new_certificate(directory, "old");
    let new = new_certificate(directory, "new");
    install(directory, "old");
    let path = directory.join("web.yml");
    let text = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    fs::write(&path, text).expect("written");
    let server = server_on(&path).await;

    let mut kept = trusting(&old).connect(&server).await.expect("the old one");
    kept.send(&get("/")).await;
    assert_eq!(kept.answer().await.status, 200);
    // This one says nothing until after the rotation.
    let waiting = server.connect().await;

    install(directory, "new");
    assert!(trusting(&new).connect(&server).await.is_some());
    assert!(trusting(&old).connect(&server).await.is_none());
    assert!(trusting(&new).handshake(waiting.stream).await.is_some());
    kept.send(&get("/")).await;
    assert_eq!(kept.answer().await.status, 200);

    // Half of a rotation, and nonsense: the last pair that fits stays.
    fs::copy(&old, directory.join("server.pem")).expect("copied");
    assert!(trusting(&new).connect(&server).await.is_some());
    fs::write(directory.join("server.pem"), "nonsense").expect("written");
    assert!(trusting(&new).connect(&server).await.is_some());
    fs::remove_file(directory.join("server.pem")).expect("removed");
    assert!(trusting(&new).connect(&server).await.is_some());
    install(directory, "old");
    assert!(trusting(&old).connect(&server).await.is_some());
}

#[tokio::test]
async fn client_authorities_rotate_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    for name in ["server.pem", "server.key"] {
        fs::copy(keys(name), directory.join(name)).expect("copied");
    }
    fs::copy(keys("ca.pem"), directory.join("clients.pem")).expect("copied");
    let path = directory.join("web.yml");
    let text = "tls_server_config: {cert_file: server.pem, key_file: server.key, \
        client_auth_type: RequireAndVerifyClientCert, client_ca_file: clients.pem}\n";
    fs::write(&path, text).expect("written");
    let server = server_on(&path).await;
    let known = TlsClient::with(Some("client"));
    let selfsigned = TlsClient::with(Some("selfsigned"));
    assert!(known.get(&server, "/").await.is_some());
    assert!(selfsigned.get(&server, "/").await.is_none());
    fs::copy(keys("selfsigned.pem"), directory.join("clients.pem")).expect("copied");
    assert!(known.get(&server, "/").await.is_none());
    assert!(selfsigned.get(&server, "/").await.is_some());
}

#[tokio::test]
async fn users_change_between_requests_of_a_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("web.yml");
    let samples = fs::read_to_string(keys("good/users_no_tls.yml")).expect("the sample");
    let without_alice = samples.lines().filter(|line| !line.contains("alice"));
    let without_alice = without_alice.collect::<Vec<_>>().join("\n");
    fs::write(&path, &samples).expect("written");
    let handle = WebConfigHandle::new(Some(path.clone())).expect("right");
    let server = TestServer::start(Answers::default(), Limits::default(), handle.clone()).await;
    let mut client = server.connect().await;
    // alice:alice123
    let request =
        "GET / HTTP/1.1\r\nHost: test\r\nAuthorization: Basic YWxpY2U6YWxpY2UxMjM=\r\n\r\n";
    for (text, status, ok) in [
        (samples.as_str(), 200, true),
        (&without_alice, 401, true),
        (&samples, 200, true),
        ("basic_auth_users: {alice: broken}", 200, false),
        (&without_alice, 401, true),
        // Emptied, as by the first half of a rewrite: nobody gets in by that.
        ("", 401, true),
        (&samples, 200, true),
    ] {
        fs::write(&path, text).expect("written");
        client.send(request).await;
        assert_eq!(client.answer().await.status, status, "{text}");
        assert_eq!(handle.last_reload_ok(), ok, "{text}");
    }
}

#[tokio::test]
async fn tls_switched_on_is_on_for_everybody() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let certificate = new_certificate(directory, "server");
    let path = directory.join("web.yml");
    fs::write(&path, "").expect("written");
    let server = server_on(&path).await;
    let mut kept = server.connect().await;
    kept.send(&get("/")).await;
    assert_eq!(kept.answer().await.status, 200);
    let text = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    fs::write(&path, text).expect("written");
    kept.send(&get("/")).await;
    assert_eq!(kept.answer().await.status, 400);
    kept.closed().await;
    assert!(trusting(&certificate).connect(&server).await.is_some());
}

#[tokio::test]
async fn the_first_that_comes_finds_tls_as_it_is_now() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let certificate = new_certificate(directory, "server");
    let path = directory.join("web.yml");
    let on = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
    fs::write(&path, "").expect("written");
    let server = server_on(&path).await;
    fs::write(&path, on).expect("written");
    assert!(trusting(&certificate).connect(&server).await.is_some());
}

fn users(names: &[&str]) -> String {
    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuWn8QsSBKXWzoQOB0UbwRKKLP2zVaIZa";
    let users: Vec<_> = names.iter().map(|name| format!("{name}: {HASH}")).collect();
    format!("basic_auth_users: {{{}}}", users.join(", "))
}

#[tokio::test]
async fn a_rewrite_is_taken_up_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("web.yml");
    fs::write(&path, users(&["alice"])).expect("written");
    let handle = WebConfigHandle::new(Some(path.clone())).expect("right");
    assert_eq!(handle.current().await.user_count(), 1);

    fs::write(&path, users(&["alice", "bob"])).expect("written");
    assert_eq!(handle.current().await.user_count(), 2);
    assert!(handle.last_reload_ok());

    for broken in ["basic_auth_users: {alice: short}", "junk", "x: 1"] {
        fs::write(&path, broken).expect("written");
        assert_eq!(handle.current().await.user_count(), 2, "{broken}");
        assert!(!handle.last_reload_ok(), "{broken}");
        assert!(handle.reload().await.is_err(), "{broken}");
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(handle.current().await.user_count(), 2);
    assert!(!handle.last_reload_ok());

    fs::write(&path, users(&["bob"])).expect("written");
    assert_eq!(handle.current().await.user_count(), 1);
    assert!(handle.last_reload_ok());
}

#[tokio::test]
async fn without_a_file_everything_stays_open() {
    let handle = WebConfigHandle::new(None).expect("nothing to read");
    assert_eq!(handle.current().await.user_count(), 0);
    assert!(handle.reload().await.is_ok());
    assert!(handle.last_reload_ok());
    assert_eq!(handle.last_reload_success(), None);
}
