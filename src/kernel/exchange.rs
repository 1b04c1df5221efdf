//! One request and its answer, bounded; no second try is made here.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, SERVER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::error::{self, Error, Problem};
use super::http::Http;
use super::per_minute::PerMinute;
use super::rate::Budget;
use super::retry;
use super::transport::{self, Transport};
use crate::model::{Endpoint, Timestamp};
use crate::redact;

/// The body of an answer that is not 200 is read this far, for its `code`.
const ERROR_BODY: usize = 64 * 1024;

/// And waited for so long.
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);

/// `X-Kernel-Project-Id`: takes the id of a project, not its name.
static PROJECT_HEADER: HeaderName = HeaderName::from_static("x-kernel-project-id");

/// A `GET`, and how much it is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// Path and query below the base URL, already encoded.
    pub path: &'a str,
    /// The project's id, for `X-Kernel-Project-Id`.
    pub project: Option<&'a str>,
    /// Tries after the first one.
    pub retries: u32,
    /// Whether a 403 or a 404 is counted as an error.
    pub refusals_count: bool,
    /// What retries are taken from, beside the account's budget.
    pub ceiling: Option<&'a Mutex<PerMinute>>,
}

impl<'a> Query<'a> {
    /// Of no project, and retried as the official clients have it.
    pub(crate) fn new(endpoint: Endpoint, path: &'a str) -> Self {
        Self {
            endpoint,
            path,
            project: None,
            retries: retry::MAX_RETRIES,
            refusals_count: true,
            ceiling: None,
        }
    }

    /// Whether there may be another try after so many retries; takes it.
    pub(super) fn takes_retry(&self, retries: u32) -> bool {
        let take = |ceiling: &Mutex<PerMinute>| ceiling.lock().take();
        retries < self.retries && self.ceiling.is_none_or(take)
    }
}

/// The largest body that is accepted, bytes. A hundred connections in the middle
/// of logins are about half a megabyte.
const fn max_body(endpoint: Endpoint) -> usize {
    const MIB: usize = 1024 * 1024;
    match endpoint {
        Endpoint::Connections => 8 * MIB,
        Endpoint::Projects => 4 * MIB,
        _ => MIB,
    }
}

/// A 200, decoded.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What the body held.
    pub value: T,
    pub headers: HeaderMap,
    /// When it was asked for, on this machine's clock.
    pub asked_at: Timestamp,
    /// When its head came, which told the API's time.
    pub(super) heard_at: SystemTime,
}

impl<T> Answer<T> {
    /// The same about what `with` makes of the body.
    pub(crate) fn map<U>(self, with: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: with(self.value),
            headers: self.headers,
            asked_at: self.asked_at,
            heard_at: self.heard_at,
        }
    }
}

/// A try that did not work.
pub(super) struct FailedTry {
    pub(super) problem: Problem,
    pub(super) headers: Option<HeaderMap>,
}

impl From<Problem> for FailedTry {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            headers: None,
        }
    }
}

/// Without a word on any connection for so long, they may be dead.
const STALLED: Duration = Duration::from_secs(2);

/// A request that was sent: counted once, also where nobody waits for its
/// answer any longer.
pub(super) struct Sent<'a> {
    http: &'a Http,
    budget: &'a Budget,
    transport: &'a Transport,
    endpoint: Endpoint,
    at: Instant,
    /// How often answers had come over these connections.
    heard: u64,
    /// The code of the answer, and when it came.
    pub(super) head: Option<(u16, SystemTime)>,
    is_told: bool,
}

impl<'a> Sent<'a> {
    /// Now.
    pub(super) fn new(
        http: &'a Http,
        budget: &'a Budget,
        transport: &'a Transport,
        endpoint: Endpoint,
    ) -> Self {
        Self {
            http,
            budget,
            transport,
            endpoint,
            at: Instant::now(),
            heard: transport.times_heard(),
            head: None,
            is_told: false,
        }
    }

    /// Answered, or not; how long that took.
    pub(super) fn over(mut self) -> Duration {
        self.tell()
    }

    fn tell(&mut self) -> Duration {
        self.is_told = true;
        let (code, took) = (self.head.map(|(code, _)| code), self.at.elapsed());
        self.http.observer.request(self.endpoint, code, took);
        took
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        let is_stalled = self.tell() >= STALLED && self.transport.times_heard() == self.heard;
        if self.head.is_none() && is_stalled {
            self.http.leave(self.transport);
        }
        self.budget.not_refused();
    }
}

impl Http {
    /// Sends one request; `head` is the code of the answer and when it came, as
    /// soon as it is there.
    pub(super) async fn send(
        &self,
        transport: &Transport,
        query: Query<'_>,
        key: HeaderValue,
        head: &mut Option<(u16, SystemTime)>,
    ) -> Result<(HeaderMap, Vec<u8>), FailedTry> {
        let url = format!("{}{}", self.base, query.path);
        let mut request = Request::get(url)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(AUTHORIZATION, key);
        if let Some(project) = query.project {
            request = request.header(&PROJECT_HEADER, project);
        }
        let request = request.body(Empty::new());
        let request = request.map_err(|error| transport::problem(&error))?;
        let (parts, mut body) = transport.send(request).await?.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        *head = Some((status.as_u16(), SystemTime::now()));
        if status == StatusCode::OK {
            return match read_body(transport, &mut body, &headers, max_body(query.endpoint)).await {
                Ok(body) => Ok((headers, body)),
                Err(problem) => Err(FailedTry {
                    problem,
                    headers: Some(headers),
                }),
            };
        }
        // What counts is in the head; a body that does not come is none.
        let body = read_body(transport, &mut body, &headers, ERROR_BODY);
        let body = match timeout(ERROR_BODY_TIME, body).await {
            Ok(Ok(body)) => body,
            _ => Vec::new(),
        };
        Err(FailedTry {
            problem: Problem::Status {
                status,
                code: error::code_of(&body),
                by: stranger(status, &headers, &body),
            },
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
    transport: &Transport,
    incoming: &mut Incoming,
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
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| transport::problem(&error))?;
        transport.heard();
        // Trailers say nothing.
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if body.len() + chunk.len() > limit {
            return Err(Problem::BodyTooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Who answered in the API's place, where the answer shows that somebody did:
/// with a page for people, or with what is no JSON where the API sends JSON.
/// An empty body shows nothing.
fn stranger(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Box<str>> {
    let never_the_api = matches!(status.as_u16(), 403 | 404 | 500..)
        && !body.is_empty()
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err();
    // How to wait, and where to go, is told in headers, whoever tells it.
    let told_in_headers = status.is_redirection() || status == StatusCode::TOO_MANY_REQUESTS;
    let is_strange = never_the_api || (!told_in_headers && is_html(headers, body));
    is_strange.then(|| {
        let word = |name| header_word(headers, name).unwrap_or("none".into());
        let text = format!(
            "Server: {}, Content-Type: {}",
            word(SERVER),
            word(CONTENT_TYPE)
        );
        text.into()
    })
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/html")
    });
    let start = body.trim_ascii_start();
    let start = start.get(..9).unwrap_or(start).to_ascii_lowercase();
    declared || start.starts_with(b"<html") || start.starts_with(b"<!doctype")
}

/// A header, as far as it may be shown.
fn header_word(headers: &HeaderMap, name: HeaderName) -> Option<Box<str>> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(redact::foreign(text).into())
}

/// A 200 whose body is not what it should be.
pub(super) fn not_decoded(error: &serde_json::Error, headers: &HeaderMap, body: &[u8]) -> Problem {
    let by = stranger(StatusCode::OK, headers, body);
    if by.is_some() {
        return Problem::Status {
            status: StatusCode::OK,
            code: None,
            by,
        };
    }
    // The parser's own words can quote the data, so only its verdict is kept.
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends in the middle",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            "it does not have the expected form"
        }
    };
    let text = format!("{kind}, at line {} column {}", error.line(), error.column());
    Problem::Decode {
        text: text.into(),
        content_type: header_word(headers, CONTENT_TYPE),
    }
}
