//! Who gets through a TLS handshake, and with what.

use exporter_toolkit::server::Limits;
use tokio_rustls::rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use tokio_rustls::rustls::{CipherSuite, ProtocolVersion, version};

use crate::support::{Answers, TestServer, get};
use crate::tls_client::{BOTH_VERSIONS, TlsClient, keys, server, server_on};

const NOBODY: Option<&str> = None;
const KNOWN: Option<&str> = Some("client");
const SELFSIGNED: Option<&str> = Some("selfsigned");
const STRANGER: Option<&str> = Some("stranger");

#[tokio::test]
async fn client_certificates_by_policy() {
    for (sample, welcome, refused) in [
        ("tls", vec![NOBODY, KNOWN, STRANGER], vec![]),
        ("tls_rsa", vec![NOBODY], vec![]),
        ("tls_inline", vec![NOBODY], vec![]),
        ("client_none", vec![NOBODY, STRANGER], vec![]),
        ("client_request", vec![NOBODY, KNOWN, STRANGER], vec![]),
        ("client_require_any", vec![KNOWN, STRANGER], vec![NOBODY]),
        ("client_require_alias", vec![KNOWN, STRANGER], vec![NOBODY]),
        ("tls_key_inline", vec![STRANGER], vec![NOBODY]),
        (
            "client_verify_if_given",
            vec![NOBODY, KNOWN],
            vec![STRANGER, SELFSIGNED],
        ),
        (
            "client_require_and_verify",
            vec![KNOWN],
            vec![NOBODY, STRANGER, SELFSIGNED],
        ),
        ("client_ca_inline", vec![KNOWN], vec![NOBODY, STRANGER]),
        // A certificate that may sign others, trusted as it stands. The
        // stranger has the same names and another key.
        (
            "client_selfsigned",
            vec![SELFSIGNED],
            vec![NOBODY, KNOWN, STRANGER],
        ),
        ("client_names", vec![KNOWN], vec![NOBODY, SELFSIGNED]),
        ("client_names_refused", vec![], vec![NOBODY, SELFSIGNED]),
        ("client_system_authorities", vec![], vec![NOBODY, KNOWN]),
    ] {
        let server = server(sample).await;
        for version in BOTH_VERSIONS {
            for (clients, expected) in [(&welcome, Some(200)), (&refused, None)] {
                for certificate in clients {
                    let client = TlsClient {
                        versions: vec![version],
                        ..TlsClient::with(*certificate)
                    };
                    let answer = client.get(&server, "/").await;
                    assert_eq!(
                        answer.map(|answer| answer.status),
                        expected,
                        "{sample}: {certificate:?} with {version:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_subject_name_counts() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, expected) in [
        ("scraper.example", Some(200)),
        ("scraper@example.net", Some(200)),
        ("192.0.2.7", Some(200)),
        ("2001:db8::7", Some(200)),
        ("spiffe://example/scraper", Some(200)),
        ("scraper", None),
        ("SCRAPER.example", None),
        ("*", None),
    ] {
        let path = directory.path().join("web.yml");
        let beside = std::fs::canonicalize(keys("")).expect("the keys");
        let beside = beside.display();
        let text = format!(
            "tls_server_config: {{cert_file: {beside}/server.pem, key_file: {beside}/server.key, \
             client_auth_type: RequestClientCert, client_allowed_sans: ['{name}']}}"
        );
        std::fs::write(&path, text).expect("written");
        let server = server_on(&path).await;
        let answer = TlsClient::with(KNOWN).get(&server, "/").await;
        assert_eq!(answer.map(|answer| answer.status), expected, "{name}");
        // Named are some, so nobody else comes in, without a certificate either.
        assert!(TlsClient::default().get(&server, "/").await.is_none());
    }
}

#[tokio::test]
async fn versions_as_configured() {
    for (sample, tls12, tls13) in [
        ("tls", true, true),
        ("tls12_only", true, false),
        ("tls13_only", false, true),
    ] {
        let server = server(sample).await;
        for (version, expected) in [(&version::TLS12, tls12), (&version::TLS13, tls13)] {
            let client = TlsClient {
                versions: vec![version],
                ..TlsClient::default()
            };
            let answer = client.get(&server, "/").await;
            assert_eq!(answer.is_some(), expected, "{sample} {version:?}");
        }
    }
    let server = server("tls").await;
    let newest = TlsClient::default()
        .connect(&server)
        .await
        .expect("welcome");
    let version = newest.stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn suites_as_configured_and_in_whose_order() {
    let small = cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    let large = cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;
    let other = cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
    let is_small = Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    let is_large = Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384);
    for (sample, offered, expected) in [
        ("some_ciphers", vec![small], is_small),
        ("some_ciphers", vec![large, small], is_small),
        ("some_ciphers", vec![other], None),
        ("some_ciphers_client_order", vec![small, large], is_small),
        ("some_ciphers_client_order", vec![large, small], is_large),
        ("no_http2", vec![small, large], is_large),
        ("all_ciphers", vec![large], is_large),
    ] {
        let server = server(sample).await;
        let client = TlsClient {
            versions: vec![&version::TLS12],
            suites: Some(offered),
            ..TlsClient::default()
        };
        let chosen = client.connect(&server).await.map(|client| {
            let suite = client.stream.get_ref().1.negotiated_cipher_suite();
            suite.expect("after the handshake").suite()
        });
        assert_eq!(chosen, expected, "{sample}");
    }
}

#[tokio::test]
async fn curves_as_configured() {
    for (sample, group, welcome) in [
        ("some_curves", kx_group::SECP384R1, true),
        ("some_curves", kx_group::X25519, false),
        ("all_curves", kx_group::SECP256R1, true),
        ("all_curves", kx_group::X25519, true),
        ("tls", kx_group::X25519MLKEM768, true),
    ] {
        let server = server(sample).await;
        let client = TlsClient {
            groups: Some(vec![group]),
            ..TlsClient::default()
        };
        let connected = client.connect(&server).await.is_some();
        assert_eq!(connected, welcome, "{sample} {:?}", group.name());
    }
}

#[tokio::test]
async fn http_2_by_alpn() {
    for (sample, expected) in [("tls", "h2"), ("no_http2", "http/1.1")] {
        let server = server(sample).await;
        let client = TlsClient {
            protocols: vec!["h2", "http/1.1"],
            ..TlsClient::default()
        };
        let connected = client.connect(&server).await.expect("welcome");
        let chosen = connected.stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, Some(expected.as_bytes()), "{sample}");
    }
    let server = server("tls").await;
    let authority = std::fs::read(keys("ca.pem")).expect("the authority");
    let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve("localhost", server.address)
        .build()
        .expect("a client");
    let url = format!("https://localhost:{}/tls", server.address.port());
    let response = client.get(url).send().await.expect("an answer");
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.text().await.expect("a text"), "yes\n");
}

#[tokio::test]
async fn http_2_can_be_switched_off_without_tls_too() {
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    for (sample, welcome) in [("empty", true), ("yaml_1_1_booleans", false)] {
        let server = server(sample).await;
        let url = format!("http://{}/", server.address);
        assert_eq!(client.get(url).send().await.is_ok(), welcome, "{sample}");
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let server = server("tls").await;
    let answer = server.get("/").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, "this server speaks HTTPS\n");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let path = keys("good/tls.yml");
    let handle = exporter_toolkit::web_config::WebConfigHandle::new(Some(path));
    let limits = Limits {
        header_timeout: std::time::Duration::from_millis(200),
        ..Limits::default()
    };
    let server = TestServer::start(Answers::default(), limits, handle.expect("right")).await;
    for beginning in ["", "\u{16}\u{3}\u{1}\u{2}", "\u{1}garbage"] {
        let mut client = server.connect().await;
        client.send(beginning).await;
        // An alert may come first.
        let mut nowhere = tokio::io::sink();
        let read = tokio::io::copy(&mut client.stream, &mut nowhere);
        let _ = crate::support::soon("the end", read).await;
    }
    // After the handshake, the head is awaited no longer than without TLS.
    let mut silent = TlsClient::default()
        .connect(&server)
        .await
        .expect("welcome");
    silent.closed().await;
    let mut client = TlsClient::default()
        .connect(&server)
        .await
        .expect("welcome");
    client.send(&get("/")).await;
    assert_eq!(client.answer().await.status, 200);
}
