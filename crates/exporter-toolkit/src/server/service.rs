//! One request, from its head to the end of its response.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;

use super::admission::Slot;
use super::handler::{Handler, Peer};
use super::limits::Limits;
use super::shared::Shared;
use crate::response::{Body, BoxError, plain};
use crate::web_config::WebConfig;

/// Answers `request` within the rules. Never fails: what goes wrong is a
/// response too.
pub(super) async fn respond<H: Handler>(
    server: Arc<Shared<H>>,
    slot: Arc<Slot>,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    let begun = Instant::now();
    let multiplexed = request.version() == Version::HTTP_2;
    let exchange = Exchange {
        id: slot.begin(multiplexed, begun),
        slot,
        patience: multiplexed.then_some(server.limits.write_stall),
    };
    // For `RequestLimit`.
    request.extensions_mut().insert(Arc::clone(&exchange.slot));
    let method = request.method().clone();
    // Without the query: it may name what is nobody's business in a log.
    let path = request.uri().path().to_owned();
    // Boxed: HTTP/2 keeps the room for this future as long as the body is sent.
    let mut response = Box::pin(answer(&server, peer, request)).await;
    if method == Method::HEAD {
        leave_out_body(&mut response);
    }
    if server.shutdown.is_cancelled() && !multiplexed {
        close_after(&mut response);
    }
    tracing::debug!(
        %method,
        path,
        status = response.status().as_u16(),
        seconds = begun.elapsed().as_secs_f64(),
        peer = %peer.address,
        "request"
    );
    // A peer that grants no window at all never asks for the first part.
    exchange.took(0);
    Ok(response.map(|body| Tracked { body, exchange }))
}

async fn answer<H: Handler>(
    server: &Shared<H>,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Body> {
    let config = server.web_config.current().await;
    let mut response = match check(&request, &server.limits, peer, &config) {
        Some(refusal) => refusal,
        None => match server.gate.admit(request.headers(), &config).await {
            Some(refusal) => refusal,
            None => handle(server, peer, request).await,
        },
    };
    let headers = response.headers_mut();
    for (name, value) in config.headers() {
        // A page knows best what it is made of; another policy beside its own would
        // take its style away.
        if name != header::CONTENT_SECURITY_POLICY || !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    response
}

async fn handle<H: Handler>(
    server: &Shared<H>,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let request = request.map(|body| Limited::new(body, server.limits.request_body));
    // Whatever state a panic leaves is the handler's own, as with threads.
    match AssertUnwindSafe(server.handler.handle(request, peer))
        .catch_unwind()
        .await
    {
        Ok(response) => response,
        Err(_payload) => {
            if server.panics.may(Instant::now()) {
                tracing::error!(path, "a request handler panicked; this is a bug");
            }
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            plain(status, "500 Internal Server Error")
        }
    }
}

/// What no handler has to look at.
fn check(
    request: &Request<Incoming>,
    limits: &Limits,
    peer: Peer,
    config: &WebConfig,
) -> Option<Response<Body>> {
    let refuse = |status, text| {
        let mut response = plain(status, text);
        if request.version() != Version::HTTP_2 {
            close_after(&mut response);
        }
        Some(response)
    };
    if config.has_tls() && !peer.tls {
        // TLS was switched on after this connection was opened.
        return refuse(StatusCode::BAD_REQUEST, "this server speaks HTTPS");
    }
    if request.version() == Version::HTTP_11 {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        // RFC 9112, section 3.2.
        if hosts.next().is_none() || hosts.next().is_some() {
            return refuse(StatusCode::BAD_REQUEST, "one Host header is needed");
        }
    }
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > limits.uri_bytes) {
        return refuse(StatusCode::URI_TOO_LONG, "the request target is too long");
    }
    let body = request.body().size_hint().lower();
    if usize::try_from(body).map_or(true, |body| body > limits.request_body) {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return refuse(status, "the request body is too large");
    }
    None
}

fn close_after(response: &mut Response<Body>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
}

/// Leaves the header as GET would have it. hyper does the same for HTTP/1 but
/// sends the body on HTTP/2.
fn leave_out_body(response: &mut Response<Body>) {
    if let Some(length) = response.body().size_hint().exact() {
        let told = response.headers_mut().entry(header::CONTENT_LENGTH);
        told.or_insert(HeaderValue::from(length));
    }
    *response.body_mut() = Empty::new()
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
}

/// A request under way; over when dropped, however that comes.
struct Exchange {
    slot: Arc<Slot>,
    id: u64,
    /// How long the protocol may leave a body alone; HTTP/2 only.
    patience: Option<Duration>,
}

impl Exchange {
    fn took(&self, bytes: usize) {
        if let Some(patience) = self.patience {
            self.slot
                .activity()
                .took(self.id, bytes, patience, Instant::now());
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.slot.activity().finish(self.id, Instant::now());
    }
}

/// A response body that tells the places how it is taken.
pub(super) struct Tracked {
    body: Body,
    exchange: Exchange,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.exchange.slot.activity().asked(self.exchange.id);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.exchange.took(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
