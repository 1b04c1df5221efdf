//! Answers that several paths give.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;

use crate::exposition::{Blocks, Chunks, Exposition, Options, Own, Text};
use crate::model::{Fleet, Timestamp};
use exporter_toolkit::server::{Body, RequestPermit, plain};

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
    let mut response = Response::new(with_permit(text, permit));
    let headers = response.headers_mut();
    let put = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, put(options.format.content_type()));
    headers.insert(header::VARY, put("Accept, Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, put("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, put("nosniff"));
    if let Some(encoding) = options.encoding.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, put(encoding));
    }
    response
}

/// A text that keeps its place among the scrapes until it is sent.
pub(super) fn with_permit<T>(text: Chunks<T>, permit: RequestPermit) -> Body
where
    T: Text + Send + Unpin + 'static,
{
    let held = text.map_frame(move |frame| {
        let _ = &permit;
        frame
    });
    held.map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

pub(super) fn busy() -> Response<Body> {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many scrapes at once; --web.max-requests bounds them",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
