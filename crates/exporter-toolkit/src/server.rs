//! The HTTP server: HTTP/1.0, HTTP/1.1 and HTTP/2 over bound listeners, with a
//! bound on everything a stranger can make it spend.
//!
//! The map:
//! - this file: the public surface, accepting, draining;
//! - `admission`: how many connections there may be, which one goes first, and
//!   when one has had its time;
//! - `watched`: the socket wrapper that tells `admission` what moves;
//! - `service`: one request, from its head to the end of its response.
//!
//! # Floods
//! A connection that has not yet sent a whole request head is *fresh*, and
//! fresh connections have places of their own: when those are taken, the
//! oldest goes of those that have sent a part, or else the oldest. So ten
//! thousand clients that send a byte a second push out each other, while a
//! scraper, whose head arrives at once, is fresh for one round trip only. The
//! silent are given a moment before they may be chosen, and newcomers wait in
//! the kernel's queue meanwhile, or else a storm would sweep the scraper along.
//! Among the others, idle ones give way first and the longest idle before the
//! rest; a connection that is answering is never taken away for a newcomer.

mod admission;
mod service;
mod watched;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::admission::{Admission, Admitted, Connection};
use self::watched::Watched;
use super::auth::Gate;
use super::listener::Listener;
use super::tls::{self, Accepted};
use crate::web_config::WebConfigHandle;

/// An error that breaks off a response body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response body: whole or streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A request body that ends with an error beyond [`Limits::request_body`]
/// bytes. Nothing of it is read unless the handler reads it.
pub type RequestBody = Limited<Incoming>;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the TCP connection; a proxy's when there is one.
    pub address: SocketAddr,
    /// Whether the request came over TLS.
    pub tls: bool,
}

/// Answers requests. Access rules have been applied before.
///
/// A panic is answered with 500. The future is dropped when the connection
/// ends first.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. For HEAD the body is left out by the server.
    fn handle(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// What the server grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at a time.
    pub connections: usize,
    /// Of those, connections that have not sent a whole request head yet.
    pub fresh_connections: usize,
    /// From accepting to the end of the first request head, TLS handshake
    /// included; and from the first byte of a later head to its end.
    pub header_timeout: Duration,
    /// A connection without a request for this long is closed.
    pub idle_timeout: Duration,
    /// A scraper that takes less than [`Limits::STALL_PROGRESS`] bytes of a
    /// waiting response within this time is dropped.
    pub write_stall: Duration,
    /// From the end of a request head to the last byte of the response. No
    /// scraper waits longer, so the rest would be sent to nobody.
    pub response: Duration,
    /// Bytes of a request head; at least 8192.
    pub header_bytes: usize,
    /// Bytes of a request target.
    pub uri_bytes: usize,
    /// Bytes of a request body.
    pub request_body: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub http2_streams: u32,
    /// How long running responses may take after shutdown.
    pub drain: Duration,
}

impl Limits {
    /// What counts as progress for [`Limits::write_stall`].
    pub const STALL_PROGRESS: usize = 64 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Half of the 1024 open files that most systems grant a process.
            connections: 512,
            fresh_connections: 256,
            header_timeout: Duration::from_secs(10),
            // Above the scrape intervals in use, so that scrapers keep theirs.
            idle_timeout: Duration::from_mins(3),
            write_stall: Duration::from_secs(30),
            response: Duration::from_mins(5),
            header_bytes: 16 * 1024,
            uri_bytes: 8 * 1024,
            request_body: 64 * 1024,
            http2_streams: 32,
            drain: Duration::from_secs(20),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still answering at the deadline and were cut off.
    pub aborted: usize,
}

/// A text as a response body.
pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// A plain text response; a line break is added.
pub fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(full(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    response
}

/// Everything the connections of one server share.
struct Server<H> {
    handler: Arc<H>,
    limits: Limits,
    web_config: WebConfigHandle,
    gate: Gate,
    admission: Arc<Admission>,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    /// Places for sockets, a few more than for connections: one that was told
    /// to go keeps its socket until its task has run.
    sockets: Arc<Semaphore>,
}

/// Serves `listeners` until `shutdown`, then lets running responses finish for
/// at most [`Limits::drain`]. Logs one `listening` line per listener.
pub async fn serve<H: Handler>(
    listeners: Vec<Listener>,
    handler: Arc<H>,
    limits: Limits,
    web_config: WebConfigHandle,
    shutdown: CancellationToken,
) -> Drained {
    let server = Arc::new(Server {
        handler,
        gate: Gate::new(),
        admission: Arc::new(Admission::new(limits.clone())),
        sockets: Arc::new(Semaphore::new(limits.connections + SPARE_SOCKETS)),
        limits,
        web_config,
        shutdown,
        tracker: TaskTracker::new(),
    });
    let scheme = match server.web_config.last_good().tls() {
        Some(_) => "https",
        None => "http",
    };
    let mut accepting = Vec::with_capacity(listeners.len());
    for listener in listeners {
        tracing::info!(address = %format_args!("{scheme}://{}", listener.address()), "listening");
        accepting.push(tokio::spawn(accept(Arc::clone(&server), listener)));
    }
    let sweeper = tokio::spawn(Arc::clone(&server.admission).sweep());
    server.shutdown.cancelled().await;
    for task in accepting {
        // Joined so that every socket is closed, and its port free, from here.
        if let Err(error) = task.await {
            tracing::error!(%error, "an accepting task died");
        }
    }
    let drained = drain(&server).await;
    sweeper.abort();
    drained
}

const SPARE_SOCKETS: usize = 64;

/// After the drain deadline connections are told to go; this is for their
/// tasks to notice.
const ABORT_GRACE: Duration = Duration::from_secs(1);

async fn drain<H>(server: &Server<H>) -> Drained {
    server.admission.drain(Instant::now());
    server.tracker.close();
    let drained = tokio::time::timeout(server.limits.drain, server.tracker.wait()).await;
    if drained.is_ok() {
        return Drained { aborted: 0 };
    }
    let aborted = server.admission.evict_all();
    tracing::warn!(
        connections = aborted,
        seconds = server.limits.drain.as_secs_f64(),
        "shutdown deadline missed: connections that were still answering are cut off"
    );
    // Nothing is left to wait for when this runs out too.
    let _ = tokio::time::timeout(ABORT_GRACE, server.tracker.wait()).await;
    Drained { aborted }
}

/// Pause after an accept that failed for want of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a connection that waits for a place looks again: another may have
/// become free.
const ADMIT_PAUSE: Duration = Duration::from_millis(5);
/// At most one log line about failing accepts in this time.
const ACCEPT_LOG_PAUSE: Duration = Duration::from_secs(30);

async fn accept<H: Handler>(server: Arc<Server<H>>, listener: Listener) {
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => return,
            accepted = async {
                let place = Arc::clone(&server.sockets).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        let (stream, address, place) = match accepted {
            (Ok(place), Ok((stream, address))) => (stream, address, place),
            (Err(_closed), _) => return,
            (_, Err(error)) if of_one_connection(&error) => continue,
            (_, Err(error)) => {
                let now = Instant::now();
                if logged.is_none_or(|then| now.duration_since(then) >= ACCEPT_LOG_PAUSE) {
                    logged = Some(now);
                    tracing::warn!(%error, "accepting a connection failed, trying on");
                }
                // Out of files, most likely: one that nobody waits for is ours,
                // and free as soon as its task has run.
                let made = server.admission.make_room(Instant::now());
                tokio::time::sleep(if made { ADMIT_PAUSE } else { ACCEPT_PAUSE }).await;
                continue;
            }
        };
        let connection = loop {
            match server.admission.admit(Instant::now()) {
                Admitted::Placed(connection) => break Some(connection),
                Admitted::Refused => break None,
                Admitted::Later(wait) => tokio::select! {
                    () = server.shutdown.cancelled() => return,
                    () = tokio::time::sleep(wait.min(ADMIT_PAUSE)) => {}
                },
            }
        };
        // Every place is answering: this one is closed by dropping it.
        let Some(connection) = connection else {
            tracing::debug!(peer = %address, "connection refused: all are busy");
            continue;
        };
        let task = Arc::clone(&server);
        server.tracker.spawn(async move {
            let _released = Release(&task.admission, connection.id());
            tokio::select! {
                biased;
                () = connection.evicted() => {}
                () = serve_connection(&task, &connection, stream, address) => {}
            }
            drop(place);
        });
    }
}

/// Whether an accept error concerns the one connection that was at the head of
/// the queue, so that the next accept may work at once.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Gives a place back, also when the task panics.
struct Release<'a>(&'a Admission, u64);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.release(self.1);
    }
}

async fn serve_connection<H: Handler>(
    server: &Arc<Server<H>>,
    connection: &Arc<Connection>,
    stream: TcpStream,
    address: SocketAddr,
) {
    connection.listening(Instant::now());
    // Nagle's delay would hold back the tail of every response. Where it
    // cannot be set the connection is gone, which the next read tells.
    let _ = stream.set_nodelay(true);
    let mut peer = Peer {
        address,
        tls: false,
    };
    let config = server.web_config.last_good();
    if config.tls().is_none() {
        let stream = Watched::new(stream, Arc::clone(connection));
        return serve_http(server, connection, stream, peer, config.http2()).await;
    }
    peer.tls = true;
    let wrap = |stream| Watched::new(stream, Arc::clone(connection));
    let progressed = || connection.progressed();
    match tls::accept(stream, &server.web_config, wrap, progressed).await {
        Ok(Accepted { stream, http2 }) => {
            serve_http(server, connection, stream, peer, http2).await;
        }
        Err(error) => tracing::debug!(peer = %address, %error, "TLS handshake failed"),
    }
}

async fn serve_http<H: Handler, S>(
    server: &Arc<Server<H>>,
    connection: &Arc<Connection>,
    stream: S,
    peer: Peer,
    http2: bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &server.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !http2 {
        builder = builder.http1_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        // `admission` keeps the time, of heads and of everything before them.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(8192))
        // `printf 'GET …' | nc -N` wants an answer too.
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    let service = service_fn(|request| {
        service::respond(Arc::clone(server), Arc::clone(connection), peer, request)
    });
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = server.shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "connection ended with an error");
    }
}
