//! A server on a free loopback port, and clients that speak byte by byte.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "several test targets use their parts of it"
)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use exporter_toolkit::listener::Listener;
use exporter_toolkit::server::{
    Body, Drained, Handler, Limits, Peer, RequestBody, RequestLimit, RequestPermit, full, plain,
    serve,
};
use exporter_toolkit::web_config::WebConfigHandle;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nothing here takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Fails the test when `future` does not end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Polls until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Answers by path; what the tests hold on to is shared.
#[derive(Default)]
pub struct Answers {
    /// Requests to `/gate` that have arrived.
    pub arrived: AtomicUsize,
    /// `/gate` answers once there is a permit.
    pub gate: Option<Arc<Semaphore>>,
    /// Bodies of `/endless` that were begun and given up.
    pub abandoned: Arc<AtomicUsize>,
    /// All but `/free` need a permit.
    pub limit: Option<RequestLimit>,
}

impl Answers {
    pub fn with_gate() -> Self {
        Self {
            gate: Some(Arc::new(Semaphore::new(0))),
            ..Self::default()
        }
    }

    pub fn open_gate(&self) {
        let gate = self.gate.as_ref().expect("there is a gate");
        gate.add_permits(1000);
    }

    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    pub fn abandoned(&self) -> usize {
        self.abandoned.load(Ordering::SeqCst)
    }
}

impl Handler for Answers {
    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<Body> {
        let mut permit = None;
        if let Some(limit) = &self.limit
            && request.uri().path() != "/free"
        {
            permit = limit.take(&request).await;
            if permit.is_none() {
                return plain(StatusCode::SERVICE_UNAVAILABLE, "all permits are taken");
            }
        }
        match request.uri().path() {
            "/gate" => {
                self.arrived.fetch_add(1, Ordering::SeqCst);
                if let Some(gate) = &self.gate {
                    let _ = gate.acquire().await;
                }
                plain(StatusCode::OK, "through")
            }
            "/panic" => panic!("as asked"),
            "/endless" => Response::new(
                Endless {
                    abandoned: Arc::clone(&self.abandoned),
                    _permit: permit,
                }
                .boxed_unsync(),
            ),
            "/body" => match request.into_body().collect().await {
                Ok(body) => plain(StatusCode::OK, &body.to_bytes().len().to_string()),
                Err(_) => plain(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
            },
            "/tls" => plain(StatusCode::OK, if peer.tls { "yes" } else { "no" }),
            path => Response::new(full(format!("hello {path}\n"))),
        }
    }
}

struct Endless {
    abandoned: Arc<AtomicUsize>,
    _permit: Option<RequestPermit>,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = exporter_toolkit::server::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        static ZEROS: [u8; 65536] = [b'0'; 65536];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS)))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
    }
}

pub struct TestServer {
    pub address: SocketAddr,
    pub answers: Arc<Answers>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<Drained>,
}

impl TestServer {
    pub async fn start(answers: Answers, limits: Limits, web_config: WebConfigHandle) -> Self {
        Self::start_at("127.0.0.1:0", answers, limits, web_config).await
    }

    /// On a loopback address that no other test has, for those that look whether it
    /// is free again: a port of 127.0.0.1 may be another server's by then.
    pub async fn start_at(
        address: &str,
        answers: Answers,
        limits: Limits,
        web_config: WebConfigHandle,
    ) -> Self {
        let listener = Listener::bind(&address.parse().expect("valid"))
            .await
            .expect("a free port");
        Self::on(vec![listener], answers, limits, web_config)
    }

    pub fn on(
        listeners: Vec<Listener>,
        answers: Answers,
        limits: Limits,
        web_config: WebConfigHandle,
    ) -> Self {
        let address = listeners[0].address();
        let answers = Arc::new(answers);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(
            listeners,
            Arc::clone(&answers),
            limits,
            web_config,
            shutdown.clone(),
        ));
        Self {
            address,
            answers,
            shutdown,
            serving,
        }
    }

    /// With default limits and no web configuration.
    pub async fn plain() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::start(Answers::default(), limits, WebConfigHandle::disabled()).await
    }

    pub async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("connected");
        Client { stream }
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&get(path)).await
    }

    pub async fn stop(self) -> Drained {
        self.shutdown.cancel();
        soon("the server to end", self.serving)
            .await
            .expect("no panic")
    }
}

/// Whether nobody listens at just this address. A connection would not tell: a
/// server of another test that listens everywhere may have the port by then.
pub fn is_free(address: SocketAddr) -> bool {
    let SocketAddr::V4(address) = address else {
        panic!("{address}: the table is that of IPv4")
    };
    let ip = u32::from_ne_bytes(address.ip().octets());
    let own = format!("{ip:08X}:{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let mut rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Number, local address, that of the peer, state: 0A is LISTEN.
    !rows.any(|row| row[1] == own && row[3] == "0A")
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// Speaks HTTP/1 literally.
pub struct Client<S> {
    pub stream: S,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub version: String,
    head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.expect("sent");
    }

    /// The next answer; its body by `Content-Length` or else to the end.
    pub async fn answer(&mut self) -> Answer {
        soon("an answer", self.read(true)).await.expect("an answer")
    }

    /// The next answer to a HEAD request.
    pub async fn head_answer(&mut self) -> Answer {
        soon("an answer", self.read(false))
            .await
            .expect("an answer")
    }

    /// As [`Self::answer`]; `None` when the connection ends first.
    pub async fn read(&mut self, with_body: bool) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).expect("text");
        let mut words = head.split_whitespace();
        let version = words.next().expect("a version").to_owned();
        let status = words.next().expect("a status").parse().expect("a number");
        let mut answer = Answer {
            status,
            version,
            head,
            body: String::new(),
        };
        if with_body {
            let mut body = Vec::new();
            if let Some(length) = answer.header("content-length") {
                body.resize(length.parse().expect("a length"), 0);
                self.stream.read_exact(&mut body).await.ok()?;
            } else {
                self.stream.read_to_end(&mut body).await.ok()?;
            }
            answer.body = String::from_utf8(body).expect("text");
        }
        Some(answer)
    }

    /// Waits for the server to close the connection without another byte.
    pub async fn closed(&mut self) {
        let mut byte = [0];
        let read = soon("the connection to be closed", self.stream.read(&mut byte)).await;
        assert!(
            matches!(read, Ok(0) | Err(_)),
            "the server sent a byte instead of closing"
        );
    }
}
