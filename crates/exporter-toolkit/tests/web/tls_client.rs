//! A TLS client whose every preference can be set.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_toolkit::server::Limits;
use exporter_toolkit::web_config::WebConfigHandle;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion, version,
};

use crate::support::{Answer, Answers, Client, TestServer, get, soon};

pub(crate) const BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub(crate) fn keys(name: &str) -> PathBuf {
    Path::new("tests/web-config").join(name)
}

/// A server with a sample as its web configuration.
pub(crate) async fn server(sample: &str) -> TestServer {
    server_on(&keys("good").join(format!("{sample}.yml"))).await
}

pub(crate) async fn server_on(path: &Path) -> TestServer {
    let handle = WebConfigHandle::new(Some(path.to_owned())).expect("a right file");
    TestServer::start(Answers::default(), Limits::default(), handle).await
}

#[derive(Clone)]
pub(crate) struct TlsClient {
    /// Name of a certificate and key beside the samples.
    pub(crate) certificate: Option<&'static str>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) suites: Option<Vec<SupportedCipherSuite>>,
    pub(crate) groups: Option<Vec<&'static dyn SupportedKxGroup>>,
    pub(crate) protocols: Vec<&'static str>,
    /// File of the authority that the server is checked by.
    pub(crate) authority: PathBuf,
}

impl Default for TlsClient {
    fn default() -> Self {
        Self {
            certificate: None,
            versions: BOTH_VERSIONS.to_vec(),
            suites: None,
            groups: None,
            protocols: Vec::new(),
            authority: keys("ca.pem"),
        }
    }
}

impl TlsClient {
    pub(crate) fn with(certificate: Option<&'static str>) -> Self {
        Self {
            certificate,
            ..Self::default()
        }
    }

    fn config(&self) -> ClientConfig {
        let mut provider = aws_lc_rs::default_provider();
        if let Some(suites) = &self.suites {
            provider.cipher_suites.clone_from(suites);
        }
        if let Some(groups) = &self.groups {
            provider.kx_groups.clone_from(groups);
        }
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&self.authority).expect("a certificate");
        roots.add(authority).expect("a usable certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.versions)
            .expect("versions and suites that fit")
            .with_root_certificates(roots);
        let mut config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = CertificateDer::from_pem_file(keys(&format!("{name}.pem")));
                let key = PrivateKeyDer::from_pem_file(keys(&format!("{name}.key")));
                builder
                    .with_client_auth_cert(vec![chain.expect("a certificate")], key.expect("a key"))
                    .expect("a pair")
            }
        };
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        config
    }

    /// A connection after its handshake, as far as the client can tell: with
    /// TLS 1.3 a refusal of its certificate comes later.
    pub(crate) async fn connect(
        &self,
        server: &TestServer,
    ) -> Option<Client<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(server.address).await;
        self.handshake(stream.expect("connected")).await
    }

    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
    ) -> Option<Client<TlsStream<TcpStream>>> {
        let connector = TlsConnector::from(Arc::new(self.config()));
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = soon("a handshake", connector.connect(name, stream)).await;
        stream.ok().map(|stream| Client { stream })
    }

    /// An answer, or `None` when the handshake was refused.
    pub(crate) async fn get(&self, server: &TestServer, path: &str) -> Option<Answer> {
        let mut client = self.connect(server).await?;
        // May fail when the server has hung up; then so does reading.
        let request = get(path);
        let sent = tokio::io::AsyncWriteExt::write_all(&mut client.stream, request.as_bytes());
        let _ = sent.await;
        soon("an answer or the end", client.read(true)).await
    }
}
