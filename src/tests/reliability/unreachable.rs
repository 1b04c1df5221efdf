//! Nobody answers, or somebody whom nobody vouches for.

use tokio::io::AsyncReadExt;

use crate::tests::common::api::{Api, world};
use crate::tests::common::bench::{Exporter, SCRAPE};
use crate::tests::common::clock::{StoppedClock, fast};

#[tokio::test]
async fn an_api_that_cannot_be_reached_is_told_apart() {
    let _clock = StoppedClock::new();
    // Bound, so that nobody else takes the port, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refused = format!("http://{}", socket.local_addr().unwrap());
    // No name has a part of more than 63 letters, so no server need be asked.
    let nameless = format!("http://{}.invalid", "x".repeat(64));
    let plain = Api::start(world(1)).await;
    for (name, url, reason) in [
        ("connection refused", refused, "connect"),
        ("DNS failure", nameless, "dns"),
        ("no TLS", plain.url.replace("http:", "https:"), "tls"),
    ] {
        let env = [("KERNEL_API_KEY", "sk_x")];
        let exporter = Exporter::new(&url, &["--kernel.allow-http"], &env);
        let scrape = fast(exporter.scrape(SCRAPE)).await;
        assert_eq!((scrape.up(), scrape.outcome), (false, "empty"), "{name}");
        assert!(scrape.errors(reason) >= 1.0, "{name}: {}", scrape.text);
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_a_tls_error() {
    let mut certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let (failure, shown) = met_by(certificate.clone(), "").await;
    assert!(shown.is_empty(), "no key is shown to a stranger: {shown:?}");
    let words = "signed by nobody who is trusted here; check the certificate, ca_file";
    assert!(failure.contains(words), "{failure}");
    // Trusted, but no server's.
    certificate.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yml");
    let (failure, _) = met_by(certificate, &config.display().to_string()).await;
    assert!(failure.contains("authority (CA:TRUE)"), "{failure}");
}

/// What is told of a server with this certificate, and what it is told. With a
/// `config` file that is to be, the certificate is trusted.
async fn met_by(certificate: rcgen::CertificateParams, config_file: &str) -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = certificate.self_signed(&key).unwrap();
    let mut flags = Vec::new();
    if !config_file.is_empty() {
        let roots = format!("{config_file}.pem");
        std::fs::write(&roots, cert.pem()).unwrap();
        std::fs::write(config_file, format!("api: {{ca_file: {roots}}}")).unwrap();
        flags.push(format!("--config.file={config_file}"));
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let mut shown = Vec::new();
    let stranger = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read_to_end(&mut shown).await;
            }
        }
    };
    let exporter = Exporter::new(&url, &flags, &[("KERNEL_API_KEY", "sk_x")]);
    let scrape = tokio::select! {
        scrape = exporter.scrape(SCRAPE) => scrape,
        () = stranger => unreachable!("it serves for ever"),
    };
    assert!(scrape.errors("tls") >= 1.0);
    let last = exporter.watcher.last();
    let failure = last.scopes[0].failure.as_ref().unwrap();
    (failure.message.to_string(), shown)
}
