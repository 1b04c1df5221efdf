//! The server: connections, and the way of a request through them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::{self, Answer, Refusal};
use super::body::Body;
use super::clock::system_time;
use super::fault::{FaultKind, Faults, RetryAfter, Target};
use super::keys::{Bucket, Keys};
use super::log::Log;
use super::organization::Organization;
use super::quirk::spoil;
use super::route::Route;
use super::world::World;

/// What requests and the control handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) keys: Mutex<Keys>,
    pub(crate) bucket: Mutex<Option<Bucket>>,
    pub(crate) organization: Mutex<Organization>,
    pub(crate) latency: Mutex<Duration>,
    pub(crate) log: Log,
    /// Moves when something is changed by hand.
    pub(crate) changed: watch::Sender<u64>,
}

/// Locks, also after a panic elsewhere: a simulated world has nothing to lose.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until `shutdown`; connections are cut then.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    control: Option<TcpListener>,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            stream = accept(Some(&listener)) => {
                connections.spawn(converse(stream, Arc::clone(&shared), false));
            }
            stream = accept(control.as_ref()) => {
                connections.spawn(converse(stream, Arc::clone(&shared), true));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection; none ever comes where there is no listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of file descriptors, as a rule: trying at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>, control: bool) {
    // A small answer must not wait for a large one to be acknowledged.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let abort = Arc::new(AtomicBool::new(false));
    let socket = Socket {
        stream,
        abort: Arc::clone(&abort),
    };
    let service = service_fn(move |request| {
        let (shared, abort) = (Arc::clone(&shared), Arc::clone(&abort));
        async move {
            if control {
                Ok::<_, HangUp>(super::control_http::answer(&shared, request).await)
            } else {
                respond(&shared, &request, abort).await
            }
        }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    // The world's clock may differ from this machine's.
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false);
    // What ends a connection early is the client's business, or a fault.
    let _ = builder
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

/// The request gets no answer; its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("a fault closes the connection")]
struct HangUp;

async fn respond(
    shared: &Arc<Shared>,
    request: &Request<Incoming>,
    abort: Arc<AtomicBool>,
) -> Result<Response<Body>, HangUp> {
    let (path, query) = (
        request.uri().path(),
        request.uri().query().unwrap_or_default(),
    );
    let (route, id) = Route::of(path);
    let ticket = shared
        .log
        .begin(request.method(), route, path, query, request.headers());
    let asked = Asked::new(request, route, id.as_deref(), query);
    let struck = lock(&shared.faults).strike(&Target {
        route,
        project: asked.project_id.or(asked.project),
        key: asked.key,
        id: asked.id,
        offset: asked.number("offset").ok().flatten().unwrap_or(0),
    });
    let mut wait = *lock(&shared.latency);
    for fault in &struck {
        match fault {
            FaultKind::Latency(latency) => wait += *latency,
            FaultKind::Silent => std::future::pending().await,
            FaultKind::HangUp => return Err(HangUp),
            _ => {}
        }
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let mut answer = admit(shared, &asked, &struck);
    finish(shared, &mut answer, &struck);
    let status = answer.status;
    let (headers, body) = deliver(answer, &struck, &abort);
    ticket.answered(status.as_u16());
    let mut response = Response::new(body.with(ticket));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// A request, taken apart.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) route: Route,
    pub(crate) id: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) project_id: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn new(
        request: &'a Request<Incoming>,
        route: Route,
        id: Option<&'a str>,
        query: &'a str,
    ) -> Self {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        Self {
            method: request.method(),
            route,
            id,
            query,
            key: header("authorization").and_then(|value| value.strip_prefix("Bearer ")),
            project_id: header("x-kernel-project-id"),
            project: header("x-kernel-project"),
        }
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        self.parameter(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Refusal::new(400, "bad_request", format!("{name} must be a whole number"))
                })
            })
            .transpose()
    }
}

/// Key, rate limit, method, then the answer itself; a status fault comes
/// before all of them.
fn admit(shared: &Arc<Shared>, asked: &Asked<'_>, struck: &[FaultKind]) -> Answer {
    let scope = lock(&shared.keys).scope(asked.key);
    let mut limits = HeaderMap::new();
    let mut refused = None;
    if scope.is_some()
        && let Some(bucket) = lock(&shared.bucket).as_mut()
    {
        refused = bucket.take();
        limits.insert("x-ratelimit-limit", bucket.limit().into());
        limits.insert("x-ratelimit-remaining", bucket.remaining().into());
    }
    let mut answer = if let Some(answer) = forced(shared, struck) {
        answer
    } else if asked.method != Method::GET {
        let mut answer = Answer::error(405, "method_not_allowed", "Only GET is simulated");
        answer.header("allow", "GET");
        answer
    } else if let Some(wait) = refused {
        let mut answer = Answer::error(
            429,
            "rate_limit_exceeded",
            "Too many requests for this organization",
        );
        answer.header("retry-after", &wait.to_string());
        answer
    } else if let Some(scope) = scope {
        answer::route(shared, asked, &scope, struck).unwrap_or_else(Answer::from)
    } else {
        Answer::error(401, "unauthorized", "Missing or invalid API key")
    };
    answer.headers.extend(limits);
    answer
}

/// The answer of a fault that replaces the status.
fn forced(shared: &Shared, struck: &[FaultKind]) -> Option<Answer> {
    struck.iter().find_map(|fault| match fault {
        FaultKind::Status {
            status,
            code,
            retry_after,
            should_retry,
        } => {
            let usual = match status {
                400 => "bad_request",
                401 => "unauthorized",
                403 => "insufficient_scope",
                404 => "not_found",
                408 => "request_timeout",
                409 => "conflict",
                429 => "rate_limit_exceeded",
                503 => "service_unavailable",
                _ => "internal_error",
            };
            let code = code.as_deref().unwrap_or(usual);
            let mut answer = Answer::error(*status, code, "A simulated failure");
            match retry_after {
                Some(RetryAfter::Text(text)) => answer.header("retry-after", text),
                Some(RetryAfter::Date(ahead)) => {
                    let then = system_time(lock(&shared.world).clock.now()) + *ahead;
                    answer.header("retry-after", &httpdate::fmt_http_date(then));
                }
                None => {}
            }
            if let Some(retry) = should_retry {
                answer.header("x-should-retry", if *retry { "true" } else { "false" });
            }
            Some(answer)
        }
        FaultKind::Redirect(location) => {
            let mut answer = Answer::json(302, String::new());
            answer.header("location", location);
            Some(answer)
        }
        _ => None,
    })
}

/// What every answer has, and what faults do to headers and text.
fn finish(shared: &Shared, answer: &mut Answer, struck: &[FaultKind]) {
    let now = lock(&shared.world).clock.now();
    let mut skew = 0;
    for fault in struck {
        match fault {
            FaultKind::DateSkew(seconds) => skew += seconds * 1_000_000,
            FaultKind::Row(how, rows) => {
                answer.text = spoil(std::mem::take(&mut answer.text), *how, rows);
            }
            FaultKind::Garbage => {
                // No UTF-8, and nothing that starts a JSON value.
                answer.stream = Some(Body::whole(b"\x01\xff%<garbage>\xc3;;\x00".repeat(64)));
            }
            FaultKind::Html => {
                answer.status = StatusCode::OK;
                answer.header("content-type", "text/html; charset=utf-8");
                "<!doctype html><html><title>Sign in</title><h1>Welcome</h1></html>"
                    .clone_into(&mut answer.text);
            }
            FaultKind::Deep(depth) => {
                answer.text = "[".repeat(*depth) + &"]".repeat(*depth);
            }
            FaultKind::Truncate => {
                let mut half = answer.text.len() / 2;
                while !answer.text.is_char_boundary(half) {
                    half -= 1;
                }
                answer.text.truncate(half);
            }
            _ => {}
        }
    }
    answer.header("date", &httpdate::fmt_http_date(system_time(now + skew)));
    for fault in struck {
        match fault {
            FaultKind::Header(name, value) => answer.header(name, value),
            FaultKind::WithoutHeader(name) => {
                answer.headers.remove(name.as_str());
            }
            _ => {}
        }
    }
}

/// Makes the body, and lets it go wrong.
fn deliver(answer: Answer, struck: &[FaultKind], abort: &Arc<AtomicBool>) -> (HeaderMap, Body) {
    let Answer {
        mut headers,
        text,
        stream,
        ..
    } = answer;
    if let Some(stream) = stream {
        return (headers, stream);
    }
    let bytes = Bytes::from(text);
    let half = bytes.slice(..bytes.len() / 2);
    let mut length = Some(bytes.len() as u64);
    let mut body = None;
    for fault in struck {
        body = Some(match fault {
            FaultKind::Stall => Body::stalled(Bytes::new()),
            FaultKind::StallBody => Body::stalled(half.clone()),
            FaultKind::Reset => Body::broken(half.clone(), Arc::clone(abort)),
            FaultKind::Huge(filling) => {
                let place = bytes.iter().position(|byte| *byte == b'{');
                let place = place.map_or(0, |place| place + 1);
                let (open, close): (&[u8], &[u8]) = if place == 0 {
                    (b"\"", b"\"")
                } else {
                    (b"\"padding\":\"", b"\",")
                };
                let start = [&bytes[..place], open].concat();
                let end = [close, if place == 0 { b"" } else { &bytes[place..] }].concat();
                length = Some(start.len() as u64 + filling + end.len() as u64);
                Body::huge(start.into(), *filling, end.into())
            }
            FaultKind::Endless => {
                length = None;
                let row = bytes
                    .strip_prefix(b"[")
                    .and_then(|rows| rows.strip_suffix(b"]"))
                    .filter(|rows| !rows.is_empty())
                    .unwrap_or(b"{}");
                Body::endless(Bytes::from_static(b"["), [row, b","].concat().into())
            }
            _ => continue,
        });
    }
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    (headers, body.unwrap_or_else(|| Body::whole(bytes)))
}

/// A header from text that may come from a fault; nonsense is left out.
pub(crate) fn header_pair(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// A socket that can be told to end with a reset.
struct Socket {
    stream: TcpStream,
    abort: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.abort.load(Ordering::Relaxed) {
            // Without lingering, closing sends RST. Where that cannot be set
            // the peer sees an early end, which is close enough.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.abort.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
