//! Answers that several paths give.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::exposition::{Blocks, Exposition, Options, Own};
use crate::model::{Fleet, Timestamp};
use exporter_toolkit::server::{Body, BoxError, RequestPermit, plain, plain_with};

/// The answer to a scrape or a probe.
pub(super) fn exposed(
    fleet: Arc<Fleet>,
    own: Own,
    options: Options,
    blocks: &Arc<Blocks>,
    permit: RequestPermit,
) -> Response<Body> {
    let now = Timestamp::from(SystemTime::now());
    let text = Exposition::body(fleet, own, now, options, blocks);
    let kind = HeaderValue::try_from(options.format.content_type());
    let kind = kind.expect("it is visible ASCII");
    let mut response = of_now(kind, with_permit(text, permit));
    let headers = response.headers_mut();
    let put = HeaderValue::from_static;
    headers.insert(header::VARY, put("Accept, Accept-Encoding"));
    if options.gzip {
        headers.insert(header::CONTENT_ENCODING, put("gzip"));
    }
    response
}

/// What holds for this moment and is nothing but its `kind`.
pub(super) fn of_now(kind: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// A body that keeps its place among the others until it is sent.
pub(super) fn with_permit<B>(body: B, permit: RequestPermit) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let held = body.map_frame(move |frame| {
        let _ = &permit;
        frame
    });
    held.map_err(Into::into).boxed_unsync()
}

/// The same of a whole answer.
pub(super) fn held(mut response: Response<Body>, permit: RequestPermit) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|body| with_permit(body, permit))
}

pub(super) fn not_allowed(allow: &'static str) -> Response<Body> {
    let allow = (header::ALLOW, HeaderValue::from_static(allow));
    let text = "this method is not allowed here";
    plain_with(StatusCode::METHOD_NOT_ALLOWED, text, allow)
}

/// An answer that says why there is no other.
pub(super) struct Refusal(pub(super) Box<Response<Body>>);

/// To what nothing can be answered, as `text` says.
pub(super) fn bad(text: &str) -> Refusal {
    Refusal(plain(StatusCode::BAD_REQUEST, text).into())
}

/// Not now; `wait` is when to come again, in seconds.
pub(super) fn later(text: &str, wait: u16) -> Refusal {
    let wait = (header::RETRY_AFTER, HeaderValue::from(wait));
    Refusal(plain_with(StatusCode::SERVICE_UNAVAILABLE, text, wait).into())
}
