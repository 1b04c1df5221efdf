//! Replies before they are sent.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::body::Body;
use super::fault::FaultKind;
use super::quirk::Page;
use super::request::{ApiError, ApiRequest};

/// A reply before it is sent.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Sent in place of `text`.
    pub(crate) stream: Option<Body>,
}

impl Reply {
    pub(crate) fn json(status: u16, text: String) -> Self {
        let mut reply = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            text,
            stream: None,
        };
        reply.header(header::CONTENT_TYPE.as_str(), "application/json");
        reply
    }

    /// An error as the API writes it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            json!({"code": code, "message": message}).to_string(),
        )
    }

    /// Sets a header; what is no header is left out.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        if let Some((name, value)) = header_pair(name, value) {
            self.headers.insert(name, value);
        }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::error(error.status, error.code, &error.message)
    }
}

/// A page of a list; `write` appends the rows from one position, so many.
pub(crate) fn list(
    request: &ApiRequest<'_>,
    faults: &[FaultKind],
    total: usize,
    write: impl FnOnce(&mut String, usize, usize),
) -> Result<Reply, ApiError> {
    let (offset, limit) = request.window()?;
    let page = Page::new(offset, limit, total, faults);
    let mut text = String::with_capacity(64 + page.length * 1600);
    text.push('[');
    write(&mut text, page.start, page.length);
    text.push(']');
    let mut reply = Reply::json(200, text);
    reply.header("x-has-more", if page.has_more { "true" } else { "false" });
    if let Some(next) = page.next_offset {
        reply.header("x-next-offset", &next.to_string());
    }
    Ok(reply)
}

/// A header from text that may come from a fault; nonsense is left out.
fn header_pair(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}
