//! Connections that are dead though they are open, and addresses that the API
//! has left: a relay stops forwarding on the connections it has, and accepts
//! new ones.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kernel_api_simulator::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio_rustls::server::TlsStream;

use crate::tests::common::api::{Api, world};
use crate::tests::common::bench::Exporter;
use crate::tests::common::bench::SCRAPE;
use crate::tests::common::clock::{StoppedClock, fast};

/// A relay to `target`; each [`Relay::stall`] ends the forwarding of what is
/// connected, and closes nothing.
struct Relay {
    address: SocketAddr,
    epoch: watch::Sender<u64>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (epoch, seen) = watch::channel(0);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut stalled = seen.clone();
                stalled.mark_unchanged();
                tokio::spawn(async move {
                    let mut outer = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut inner, &mut outer) => {}
                        // Both stay open, and nothing moves any more.
                        Ok(()) = stalled.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self {
            address,
            epoch,
            accepted,
        }
    }

    fn stall(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }
}

/// TLS with HTTP/2 for `localhost`, and the file with its certificate.
fn tls(directory: &std::path::Path) -> (TlsAcceptor, std::path::PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    let roots = directory.join("roots.pem");
    std::fs::write(&roots, cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), roots)
}

/// An API whose connections are each given to `serve`.
async fn api_of<F>(
    acceptor: TlsAcceptor,
    serve: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream).await;
                }
            });
        }
    });
    address
}

/// Serves a list without connections.
async fn well(stream: TlsStream<TcpStream>) {
    // An async closure here crashes incremental builds by rustc 1.95.
    let answer = service_fn(|_| {
        let answer = hyper::Response::new(Full::new(Bytes::from_static(b"[]")));
        ready(Ok::<_, Infallible>(answer))
    });
    let server = auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), answer).await;
}

const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, id], payload].concat()
}

/// Speaks HTTP/2; what is sent for a request is made of its stream's number.
async fn speak(mut stream: TlsStream<TcpStream>, answer: impl Fn(u8) -> Vec<u8>, again: bool) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    let hello = frame(SETTINGS, 0, 0, &[]);
    stream.write_all(&hello).await.unwrap();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        let answer = match (head[3], head[8]) {
            (SETTINGS, _) if head[4] == 0 => frame(SETTINGS, 1, 0, &[]),
            (HEADERS, id) => answer(id),
            _ => continue,
        };
        stream.write_all(&answer).await.unwrap();
        while again && head[3] == HEADERS && stream.write_all(&answer).await.is_ok() {}
    }
}

/// Answers the first request, and says of the next that it is too late for it:
/// GOAWAY without an error, as of a load balancer that is drained.
async fn drained(stream: TlsStream<TcpStream>) {
    let answer = |id| match id {
        // 0x88 is `:status: 200`; the body is the end of the stream.
        1 => [frame(HEADERS, 4, 1, &[0x88]), frame(0, 1, 1, b"[]")].concat(),
        _ => frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
    };
    speak(stream, answer, false).await;
}

/// `103 Early Hints` without end, as fast as they are read.
async fn hints(stream: TlsStream<TcpStream>) {
    // Eight is `:status` in the static table, the value is given; then a link.
    let link = [b"\x08\x03103\x00\x04link\x64", &[b'x'; 100][..]].concat();
    let hint = |id| frame(HEADERS, 4, id, &link).repeat(1000);
    speak(stream, hint, true).await;
}

/// An exporter that asks at this address and trusts `roots`.
fn trusting(roots: &std::path::Path, address: SocketAddr) -> Exporter {
    let config = roots.with_extension("yml");
    std::fs::write(&config, format!("api: {{ca_file: {}}}", roots.display())).unwrap();
    let url = format!("https://localhost:{}", address.port());
    let config = format!("--config.file={}", config.display());
    Exporter::new(&url, &[&config], &[("KERNEL_API_KEY", "sk_demo")])
}

async fn recovers(exporter: &Exporter, relay: &Relay) {
    let first = fast(exporter.scrape(SCRAPE)).await;
    assert!(first.up(), "{}", first.text);
    let before = relay.accepted.load(Ordering::SeqCst);
    relay.stall();
    let mut up = Vec::new();
    for _ in 0..2 {
        up.push(fast(exporter.scrape(SCRAPE)).await.up());
    }
    assert!(up[1], "well again within two scrapes: {up:?}");
    assert!(relay.accepted.load(Ordering::SeqCst) > before);
}

#[tokio::test]
async fn a_dead_but_open_connection_is_left_http_1() {
    let _clock = StoppedClock::new();
    let api = Api::start(world(30)).await;
    let target = api.url.strip_prefix("http://").unwrap();
    let relay = Relay::to(target.parse().unwrap()).await;
    let url = format!("http://{}", relay.address);
    let exporter = Exporter::new(&url, &[], &[("KERNEL_API_KEY", "sk_demo")]);
    recovers(&exporter, &relay).await;
}

#[tokio::test]
async fn a_dead_but_open_connection_is_left_http_2() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let (acceptor, roots) = tls(directory.path());
    let relay = Relay::to(api_of(acceptor, well).await).await;
    let exporter = trusting(&roots, relay.address);
    recovers(&exporter, &relay).await;
}

#[tokio::test]
async fn a_goaway_costs_no_error_and_no_pause() {
    // Whoever paused would wait for ever.
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let (acceptor, roots) = tls(directory.path());
    let relay = Relay::to(api_of(acceptor, drained).await).await;
    let exporter = trusting(&roots, relay.address);
    // Each but the first is sent in vain on the connection of the one before.
    for scrapes in 1..=5 {
        let scrape = exporter.scrape(SCRAPE).await;
        assert!(scrape.up(), "{}", scrape.text);
        assert_eq!(relay.accepted.load(Ordering::SeqCst), scrapes);
        let errors = scrape.of("kernel_auth_api_errors_total");
        assert_eq!(errors.map(|(_, count)| count).sum::<f64>(), 0.0);
    }
}

#[tokio::test]
async fn hints_without_end_cost_the_connection_and_not_the_scrape() {
    let directory = tempfile::tempdir().unwrap();
    let (acceptor, roots) = tls(directory.path());
    let exporter = trusting(&roots, api_of(acceptor, hints).await);
    // Reading is slow in a debug build, three times over.
    let scrape = exporter.scrape(Duration::from_mins(1)).await;
    let reasons = scrape.of("kernel_auth_failure_reason");
    let reasons: Vec<_> = reasons.map(|(labels, _)| labels).collect();
    assert!(reasons[..] == [r#"reason="transport""#], "{reasons:?}");
}

#[tokio::test]
async fn an_address_that_the_api_has_left_is_not_asked_for_ever() {
    let _clock = StoppedClock::new();
    let (old, new) = (Api::start(world(30)).await, Api::start(world(30)).await);
    let at = |api: &Api| api.url.strip_prefix("http://").unwrap().parse().unwrap();
    // What the name stands for: new connections go where it points now.
    let (target, seen) = watch::channel::<SocketAddr>(at(&old));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut inner, _)) = listener.accept().await {
            let target = *seen.borrow();
            tokio::spawn(async move {
                let mut outer = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
            });
        }
    });
    let exporter = Exporter::new(&url, &[], &[("KERNEL_API_KEY", "sk_demo")]);
    assert!(fast(exporter.scrape(SCRAPE)).await.up());
    old.control.add_fault(Fault::status(502));
    target.send_replace(at(&new));
    let scrape = fast(exporter.scrape(SCRAPE)).await;
    assert!(scrape.up(), "{}", scrape.text);
    // Whatever else the old one answers, it is not asked.
    old.control.add_fault(FaultKind::HangUp);
    assert!(fast(exporter.scrape(SCRAPE)).await.up());
}
