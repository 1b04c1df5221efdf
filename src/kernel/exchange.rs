//! One request and its answer, bounded; no second try is made here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::timeout;

use super::error::{self, Error, Problem};
use super::http::Http;
use crate::model::Endpoint;
use crate::redact;

/// The body of an answer that is not 200 is read this far, for its `code`.
const ERROR_BODY: usize = 64 * 1024;

/// And waited for so long.
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);

/// `X-Kernel-Project-Id`: takes the id of a project, not its name.
static PROJECT_HEADER: HeaderName = HeaderName::from_static("x-kernel-project-id");

/// A `GET`, described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// Path and query below the base URL, already encoded.
    pub path: &'a str,
    /// The project's id, for `X-Kernel-Project-Id`.
    pub project: Option<&'a str>,
    /// The largest body to accept, bytes.
    pub max_body: usize,
}

/// A 200, decoded.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What the body held.
    pub value: T,
    /// Its headers.
    pub headers: HeaderMap,
}

/// A try that did not work.
pub(super) struct Failure {
    pub(super) problem: Problem,
    pub(super) headers: Option<HeaderMap>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            headers: None,
        }
    }
}

impl Http {
    /// Sends one request; `code` is that of the answer, as soon as it is there.
    pub(super) async fn send(
        &self,
        query: Query<'_>,
        key: HeaderValue,
        code: &mut Option<u16>,
    ) -> Result<(HeaderMap, Vec<u8>), Failure> {
        let url = format!("{}{}", self.base, query.path);
        let mut request = self
            .pool
            .get(url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, key);
        if let Some(project) = query.project {
            request = request.header(&PROJECT_HEADER, project);
        }
        let mut response = request.send().await.map_err(error::transport)?;
        let status = response.status();
        *code = Some(status.as_u16());
        let headers = std::mem::take(response.headers_mut());
        if status == StatusCode::OK {
            return match read_body(&mut response, &headers, query.max_body).await {
                Ok(body) => Ok((headers, body)),
                Err(problem) => Err(Failure {
                    problem,
                    headers: Some(headers),
                }),
            };
        }
        // What counts is in the head; a body that does not come is none.
        let body = read_body(&mut response, &headers, ERROR_BODY);
        let body = timeout(ERROR_BODY_TIME, body).await;
        let code = match body {
            Ok(Ok(body)) => error::code_of(&body),
            _ => None,
        };
        Err(Failure {
            problem: Problem::Status { status, code },
            headers: Some(headers),
        })
    }
}

impl Http {
    /// Tells the log of a request, numbered from the start of the process.
    /// Paths are not told: names of profiles stand in them.
    pub(super) fn tell(
        &self,
        query: Query<'_>,
        status: Option<u16>,
        took: Duration,
        problem: Option<&Problem>,
    ) {
        let error = problem.map(|problem| Error::new(query.endpoint, problem.clone()));
        tracing::debug!(
            request = self.sent.fetch_add(1, Ordering::Relaxed) + 1,
            endpoint = %query.endpoint,
            project = query.project,
            status,
            seconds = took.as_micros() as f64 / 1e6,
            error = error.as_ref().map(tracing::field::display),
            "API request"
        );
    }
}

async fn read_body(
    response: &mut reqwest::Response,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::BodyTooLarge { limit });
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = response.chunk().await.map_err(error::transport)? {
        if body.len() + chunk.len() > limit {
            return Err(Problem::BodyTooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A 200 whose body is not what it should be.
pub(super) fn not_decoded(error: &serde_json::Error, headers: &HeaderMap) -> Problem {
    // The parser's own words can quote the data, so only its verdict is kept.
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends in the middle",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            "it does not have the expected form"
        }
    };
    let text = format!("{kind}, at line {} column {}", error.line(), error.column());
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| {
        let text = value.to_str().ok()?;
        Some(redact::foreign(text).into())
    });
    Problem::Decode {
        text: text.into(),
        content_type,
    }
}
