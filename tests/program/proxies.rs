//! All the way to the API through a proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::support::{Api, KEY, Program};

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A proxy with a password. It takes the simulated API for every host, and its
/// own TLS for everybody's.
#[derive(Clone)]
struct Proxy {
    api: SocketAddr,
    tls: TlsAcceptor,
    is_secure: bool,
    heads: mpsc::UnboundedSender<String>,
}

impl Proxy {
    async fn serve(self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream: Box<dyn Io> = Box::new(stream);
        if self.is_secure {
            stream = Box::new(self.tls.accept(stream).await?);
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let text = String::from_utf8(head.clone()).unwrap();
        let is_tunnel = text.starts_with("CONNECT ");
        // `u:s3cret`.
        let is_known = text.contains("Basic dTpzM2NyZXQ=\r\n");
        self.heads.send(text).unwrap();
        let mut api = TcpStream::connect(self.api).await?;
        if !is_known {
            let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            return stream.write_all(refused).await;
        }
        if is_tunnel {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            stream = Box::new(self.tls.accept(stream).await?);
        } else {
            api.write_all(&head).await?;
        }
        copy_bidirectional(&mut stream, &mut api).await?;
        Ok(())
    }
}

/// TLS as these hosts, and a configuration that trusts it.
fn tls(directory: &Path) -> (TlsAcceptor, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let hosts = ["localhost".to_owned(), "api.invalid".to_owned()];
    let certificate = rcgen::CertificateParams::new(hosts).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let roots = directory.join("roots.pem");
    std::fs::write(&roots, certificate.pem()).unwrap();
    let file = directory.join("config.yml");
    std::fs::write(&file, format!("api: {{ca_file: {}}}\n", roots.display())).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config_file = format!("--config.file={}", file.display());
    (TlsAcceptor::from(Arc::new(config)), config_file)
}

/// An exporter of `api` behind a proxy at `scheme` and `localhost`, which it
/// shows this password; what the proxy is sent first on each connection.
async fn behind(
    scheme: &str,
    password: &str,
    api: &str,
) -> (Program, mpsc::UnboundedReceiver<String>) {
    let directory = tempfile::tempdir().unwrap();
    let (tls, config_file) = tls(directory.path());
    let simulated = Api::small().await;
    let (heads, sent) = mpsc::unbounded_channel();
    let proxy = Proxy {
        api: simulated
            .url
            .strip_prefix("http://")
            .unwrap()
            .parse()
            .unwrap(),
        tls,
        is_secure: scheme == "https",
        heads,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let _simulated = simulated;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(proxy.clone().serve(stream));
        }
    });
    let url = format!("{scheme}://u:{password}@localhost:{port}");
    let env = [
        ("KERNEL_BASE_URL", api),
        ("KERNEL_API_KEY", KEY),
        ("ALL_PROXY", &url),
    ];
    let flags = ["--web.listen-address=127.0.0.1:0", "--kernel.allow-http"];
    let program = Program::start(&[&flags[..], &[&config_file]].concat(), &env);
    // Once it listens, it has read its files.
    program.address().await;
    (program, sent)
}

#[tokio::test]
async fn an_https_api_is_reached_through_a_tunnel() {
    for scheme in ["http", "https"] {
        let (exporter, mut sent) = behind(scheme, "s3cret", "https://api.invalid").await;
        let scrape = exporter.scrape().await;
        let log = exporter.stderr();
        assert_eq!(scrape.value("kernel_auth_up"), Some(1.0), "{scheme}: {log}");
        let head = sent.recv().await.unwrap();
        assert!(head.starts_with("CONNECT api.invalid:443 "), "{head}");
        assert!(head.contains("kernel-auth-exporter/"), "{head}");
        assert!(!head.contains(KEY), "the API's key is not the proxy's");
        exporter.scrape().await;
        assert!(sent.is_empty(), "{scheme}: the connection is kept");
    }
}

#[tokio::test]
async fn requests_to_an_http_api_are_sent_on_by_the_proxy() {
    for scheme in ["http", "https"] {
        let (exporter, mut sent) = behind(scheme, "s3cret", "http://api.invalid:8080").await;
        let scrape = exporter.scrape().await;
        let log = exporter.stderr();
        assert_eq!(scrape.value("kernel_auth_up"), Some(1.0), "{scheme}: {log}");
        let head = sent.recv().await.unwrap();
        let asked = "GET http://api.invalid:8080/auth/connections?";
        assert!(head.starts_with(asked), "{head}");
        assert!(head.contains("\r\nhost: api.invalid:8080\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_the_password_is_told_and_the_password_is_not() {
    let (exporter, _sent) = behind("http", "wr0ng", "https://api.invalid").await;
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("kernel_auth_up"), Some(0.0));
    let log = exporter.logged("reason=connect").await;
    assert!(log[0].contains("proxy authorization required"), "{log:?}");
    assert!(!exporter.stderr().contains("wr0ng"));
}
