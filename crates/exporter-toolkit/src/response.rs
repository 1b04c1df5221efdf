//! Responses and their bodies.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// An error that breaks off a response body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response body: whole or streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

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
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The same with another header.
pub fn plain_with(
    status: StatusCode,
    text: &str,
    (name, value): (HeaderName, HeaderValue),
) -> Response<Body> {
    let mut response = plain(status, text);
    response.headers_mut().insert(name, value);
    response
}
