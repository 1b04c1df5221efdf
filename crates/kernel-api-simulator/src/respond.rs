//! The way of a request: log, faults, key, rate limit, endpoint, body.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;

use super::body::Body;
use super::clock::system_time;
use super::endpoints;
use super::fault::{FaultKind, RetryAfter};
use super::quirk::spoil;
use super::reply::Reply;
use super::request::ApiRequest;
use super::route::Route;
use super::state::{Shared, lock};

/// The request gets no reply; its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("a fault closes the connection")]
pub(crate) struct HangUp;

/// Answers a request for the API.
pub(crate) async fn respond(
    shared: &Arc<Shared>,
    incoming: &Request<Incoming>,
    abort: Arc<AtomicBool>,
) -> Result<Response<Body>, HangUp> {
    let (path, query) = (
        incoming.uri().path(),
        incoming.uri().query().unwrap_or_default(),
    );
    let (route, id) = Route::of(path);
    let ticket = shared
        .log
        .begin(incoming.method(), route, path, query, incoming.headers());
    let request = ApiRequest::new(incoming, route, id.as_deref(), query);
    let faults = lock(&shared.faults).strike(&request);
    let mut wait = *lock(&shared.latency);
    for fault in &faults {
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
    let mut reply = admit(shared, &request, &faults);
    finish(shared, &mut reply, &faults);
    let status = reply.status;
    let (headers, body) = deliver(reply, &faults, &abort);
    ticket.answered(status.as_u16());
    let mut response = Response::new(body.with(ticket));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Key, rate limit, method, then the reply itself; a status fault comes
/// before all of them.
fn admit(shared: &Arc<Shared>, request: &ApiRequest<'_>, faults: &[FaultKind]) -> Reply {
    let scope = lock(&shared.keys).scope(request.key);
    let mut limits = HeaderMap::new();
    let mut refused = None;
    if scope.is_some()
        && let Some(bucket) = lock(&shared.bucket).as_mut()
    {
        refused = bucket.take();
        limits.insert("x-ratelimit-limit", bucket.limit().into());
        limits.insert("x-ratelimit-remaining", bucket.remaining().into());
    }
    let mut reply = if let Some(reply) = forced(shared, faults) {
        reply
    } else if request.method != Method::GET {
        let mut reply = Reply::error(405, "method_not_allowed", "Only GET is simulated");
        reply.header("allow", "GET");
        reply
    } else if let Some(wait) = refused {
        let mut reply = Reply::error(
            429,
            "rate_limit_exceeded",
            "Too many requests for this organization",
        );
        reply.header("retry-after", &wait.to_string());
        reply
    } else if let Some(scope) = scope {
        endpoints::answer(shared, request, &scope, faults).unwrap_or_else(Reply::from)
    } else {
        Reply::error(401, "unauthorized", "Missing or invalid API key")
    };
    reply.headers.extend(limits);
    reply
}

/// The reply of a fault that replaces the status.
fn forced(shared: &Shared, faults: &[FaultKind]) -> Option<Reply> {
    faults.iter().find_map(|fault| match fault {
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
            let mut reply = Reply::error(*status, code, "A simulated failure");
            match retry_after {
                Some(RetryAfter::Text(text)) => reply.header("retry-after", text),
                Some(RetryAfter::Date(ahead)) => {
                    let then = system_time(lock(&shared.world).clock.now()) + *ahead;
                    reply.header("retry-after", &httpdate::fmt_http_date(then));
                }
                None => {}
            }
            if let Some(retry) = should_retry {
                reply.header("x-should-retry", if *retry { "true" } else { "false" });
            }
            Some(reply)
        }
        FaultKind::Redirect(location) => {
            let mut reply = Reply::json(302, String::new());
            reply.header("location", location);
            Some(reply)
        }
        _ => None,
    })
}

/// What every reply has, and what faults do to headers and text.
fn finish(shared: &Shared, reply: &mut Reply, faults: &[FaultKind]) {
    let now = lock(&shared.world).clock.now();
    let mut skew = 0;
    for fault in faults {
        match fault {
            FaultKind::DateSkew(seconds) => skew += seconds * 1_000_000,
            FaultKind::Row(how, rows) => {
                reply.text = spoil(std::mem::take(&mut reply.text), *how, rows);
            }
            FaultKind::Garbage => {
                // No UTF-8, and nothing that starts a JSON value.
                reply.stream = Some(Body::whole(b"\x01\xff%<garbage>\xc3;;\x00".repeat(64)));
            }
            FaultKind::Html => {
                reply.status = StatusCode::OK;
                reply.header("content-type", "text/html; charset=utf-8");
                "<!doctype html><html><title>Sign in</title><h1>Welcome</h1></html>"
                    .clone_into(&mut reply.text);
            }
            FaultKind::Deep(depth) => {
                reply.text = "[".repeat(*depth) + &"]".repeat(*depth);
            }
            FaultKind::Truncate => {
                let mut half = reply.text.len() / 2;
                while !reply.text.is_char_boundary(half) {
                    half -= 1;
                }
                reply.text.truncate(half);
            }
            _ => {}
        }
    }
    reply.header("date", &httpdate::fmt_http_date(system_time(now + skew)));
    for fault in faults {
        match fault {
            FaultKind::Header(name, value) => reply.header(name, value),
            FaultKind::WithoutHeader(name) => {
                reply.headers.remove(name.as_str());
            }
            _ => {}
        }
    }
}

/// Makes the body, and lets it go wrong.
fn deliver(reply: Reply, faults: &[FaultKind], abort: &Arc<AtomicBool>) -> (HeaderMap, Body) {
    let Reply {
        mut headers,
        text,
        stream,
        ..
    } = reply;
    if let Some(stream) = stream {
        return (headers, stream);
    }
    let bytes = Bytes::from(text);
    let half = bytes.slice(..bytes.len() / 2);
    let mut length = Some(bytes.len() as u64);
    let mut body = None;
    for fault in faults {
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
