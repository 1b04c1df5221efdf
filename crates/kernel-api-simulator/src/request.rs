//! A request, taken apart, and why it may be refused.

use http::{Method, Request};
use hyper::body::Incoming;

use super::route::Route;

/// A request, taken apart.
pub(crate) struct ApiRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) route: Route,
    pub(crate) id: Option<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) project_id: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
}

impl<'a> ApiRequest<'a> {
    pub(crate) fn new(
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
    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, ApiError> {
        self.parameter(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::new(400, "bad_request", format!("{name} must be a whole number"))
                })
            })
            .transpose()
    }

    /// Offset and limit of a list, checked as the API's schema has them.
    pub(crate) fn window(&self) -> Result<(usize, usize), ApiError> {
        let offset = self.number("offset")?.unwrap_or(0);
        let limit = self.number("limit")?.unwrap_or(20);
        if limit == 0 {
            return Err(ApiError::new(
                400,
                "bad_request",
                "limit must be at least 1",
            ));
        }
        Ok((offset, limit.min(100)))
    }
}

/// Why there is no other answer than an error.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}
