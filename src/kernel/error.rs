//! What can go wrong with a request, said once and without a secret.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

use super::paging::PageError;
use crate::model::{Endpoint, ErrorReason};
use crate::redact;

/// Where TLS is asked for and something else answers.
pub(super) const NO_TLS: &str = "what answers does not speak TLS";

/// A request, or a walk over pages, that did not give what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    endpoint: Endpoint,
    problem: Problem,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// No connection, for the named reason; the text is the transport's own.
    Unreachable {
        /// `dns`, `connect`, `tls` or `transport`.
        reason: ErrorReason,
        /// Without URL and without headers.
        text: Box<str>,
    },
    /// The time ran out.
    Timeout,
    /// An answer that is not what was asked for.
    Status {
        /// Its status; 200 only where somebody else than the API said it.
        status: StatusCode,
        /// `code` of the error body: machine-readable, bounded, plain ASCII.
        code: Option<Box<str>>,
        /// Who seems to have answered in the API's place.
        by: Option<Box<str>>,
    },
    /// An answer larger than the bound.
    BodyTooLarge {
        /// The bound, bytes.
        limit: usize,
    },
    /// An answer that is not the JSON it should be.
    Decode {
        /// What the parser said: position and kind, never the data.
        text: Box<str>,
        /// `Content-Type` of the answer, bounded.
        content_type: Option<Box<str>>,
    },
    /// Page headers from which the rest of the list cannot be told.
    Paging(PageError),
    /// Rows moved from page to page each time the list was walked.
    Shifting {
        /// How often it was walked.
        walks: usize,
    },
    /// More pages than a fleet within the bound can have.
    TooManyPages { limit: usize },
    /// More connections than `--kernel.max-connections`.
    TooManyConnections { limit: usize },
    /// Nothing was sent, because a 429 asked to wait for longer than there was time.
    Blocked,
    /// Nothing was sent, because the quota had nothing left and there was no
    /// time to wait.
    OverQuota,
    /// Nothing was sent, because the API has just refused the key for another
    /// request of the same collection.
    Refused(StatusCode),
}

impl Problem {
    /// A connection that was made, and of which no answer came.
    pub(super) fn unreachable(text: String) -> Self {
        Self::Unreachable {
            reason: ErrorReason::Transport,
            text: text.into(),
        }
    }

    /// The label value under which it is counted.
    pub(super) fn reason(&self) -> ErrorReason {
        match self {
            Self::Unreachable { reason, .. } => *reason,
            Self::Timeout => ErrorReason::Timeout,
            Self::Status { by: Some(_), .. } => ErrorReason::Proxy,
            Self::Status { status, code, .. } => match status.as_u16() {
                401 => ErrorReason::Unauthorized,
                403 => ErrorReason::Forbidden,
                404 if code.as_deref() == Some("project_not_found") => ErrorReason::ProjectNotFound,
                404 => ErrorReason::NotFound,
                429 => ErrorReason::RateLimited,
                500.. => ErrorReason::ServerError,
                300..=399 => ErrorReason::Redirect,
                _ => ErrorReason::ClientError,
            },
            Self::BodyTooLarge { .. } => ErrorReason::BodyTooLarge,
            Self::Decode { .. } => ErrorReason::Decode,
            Self::Paging(_) | Self::Shifting { .. } | Self::TooManyPages { .. } => {
                ErrorReason::Paging
            }
            Self::TooManyConnections { .. } => ErrorReason::TooManyConnections,
            Self::Blocked => ErrorReason::RateLimited,
            Self::OverQuota => ErrorReason::Quota,
            Self::Refused(status) if *status == StatusCode::FORBIDDEN => ErrorReason::Forbidden,
            Self::Refused(_) => ErrorReason::Unauthorized,
        }
    }

    /// Whether another connection might have done better: no answer in time, a
    /// broken one, or one that says that the server is not well.
    pub(super) fn may_be_the_connections(&self) -> bool {
        match self {
            Self::Unreachable { reason, .. } => *reason == ErrorReason::Transport,
            Self::Timeout => true,
            Self::Status { status, .. } => status.is_server_error(),
            _ => false,
        }
    }
}

impl Error {
    /// `problem` with a request of this kind.
    pub(crate) fn new(endpoint: Endpoint, problem: Problem) -> Self {
        Self { endpoint, problem }
    }

    /// The kind of request.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The label value under which it is counted.
    pub(crate) fn reason(&self) -> ErrorReason {
        self.problem.reason()
    }

    /// Whether nothing was sent, because a 429 or the quota held it back.
    pub(crate) fn was_held_back(&self) -> bool {
        matches!(self.problem, Problem::Blocked | Problem::OverQuota)
    }

    /// Whether Kernel itself says that the connection asked for does not exist.
    /// Its errors have a `code`; a 404 without one is a proxy's or another
    /// service's, and says nothing about a connection.
    pub(crate) fn is_not_found(&self) -> bool {
        let Problem::Status {
            status: StatusCode::NOT_FOUND,
            code: Some(code),
            by: None,
        } = &self.problem
        else {
            return false;
        };
        let about = |what: &str| code.contains(what);
        let about_something_else =
            about("project") || about("route") || about("path") || about("endpoint");
        let of_a_connection = matches!(self.endpoint, Endpoint::Connection | Endpoint::Timeline);
        of_a_connection && !about_something_else
    }

    /// Whether the organisation does not have the API's projects at all.
    pub(crate) fn is_of_no_projects(&self) -> bool {
        let Problem::Status { code, by: None, .. } = &self.problem else {
            return false;
        };
        code.as_deref() == Some("projects_disabled")
    }

    /// Whether its time was over, while it waited for an answer or for what a 429
    /// asked for.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self.problem, Problem::Timeout | Problem::Blocked)
    }

    /// Whether the API has said that this is not to be had: 403, or 404.
    pub(crate) fn is_refusal(&self) -> bool {
        let status = match &self.problem {
            Problem::Status {
                status, by: None, ..
            }
            | Problem::Refused(status) => status.as_u16(),
            _ => return false,
        };
        matches!(status, 403 | 404)
    }

    /// Whether it may mean that the list has no page there.
    pub(crate) fn is_no_such_page(&self) -> bool {
        matches!(
            self.reason(),
            ErrorReason::ClientError | ErrorReason::NotFound
        )
    }

    /// Whether it may be the fault of the one thing that was asked for: an
    /// answer came, and it was not about the key or the limit.
    pub(crate) fn is_about_one(&self) -> bool {
        matches!(
            self.reason(),
            ErrorReason::ServerError
                | ErrorReason::ClientError
                | ErrorReason::Decode
                | ErrorReason::BodyTooLarge
                | ErrorReason::Redirect
        )
    }

    /// Whether it may be the fault of the list, and single connections could be
    /// had all the same.
    pub(crate) fn may_be_the_lists(&self) -> bool {
        self.is_about_one()
            || matches!(
                self.reason(),
                ErrorReason::Timeout | ErrorReason::Paging | ErrorReason::TooManyConnections
            )
    }

    /// Whether it says that the key is refused.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(
            self.reason(),
            ErrorReason::Unauthorized | ErrorReason::Forbidden
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Unreachable { reason, text } => {
                let advice = match reason {
                    ErrorReason::Dns => "; check the host of --kernel.api-url and the resolver",
                    ErrorReason::Tls if text.ends_with(NO_TLS) => {
                        "; check the scheme and the port of --kernel.api-url, and the proxy"
                    }
                    ErrorReason::Tls => "; check the certificate, ca_file and the clock",
                    ErrorReason::Connect => "; check --kernel.api-url, the proxy and the network",
                    _ => "",
                };
                write!(f, "{text}{advice}")
            }
            Problem::Timeout => f.write_str("no whole answer in time"),
            Problem::Status {
                status,
                by: Some(by),
                ..
            } => write!(
                f,
                "{} from something that is not the API ({by}): a proxy, a firewall or the wrong \
                 host; check the way to --kernel.api-url",
                status.as_u16()
            ),
            Problem::Status { status, code, .. } => {
                write!(f, "the API answered {}", status.as_u16())?;
                if let Some(code) = code {
                    write!(f, " ({code})")?;
                }
                f.write_str(match self.reason() {
                    ErrorReason::Unauthorized => {
                        ": the key is missing, wrong or expired; replace it where it comes from (a \
                         key file is read again, a variable needs a restart)"
                    }
                    ErrorReason::Forbidden => {
                        ": the key may not do this; use a key of the project or of the organisation \
                         (with a key of one project, leave --kernel.project or KERNEL_PROJECT out)"
                    }
                    ErrorReason::ProjectNotFound => {
                        ": no such active project; name it by its id, not by its name"
                    }
                    ErrorReason::Redirect => ": redirects are not followed; check --kernel.api-url",
                    ErrorReason::NotFound if self.is_not_found() => ": no such connection",
                    ErrorReason::NotFound if self.is_of_no_projects() => {
                        ": this organisation has no projects; leave --kernel.project=all out"
                    }
                    ErrorReason::NotFound => ": check --kernel.api-url",
                    _ => "",
                })
            }
            Problem::BodyTooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Problem::Decode { text, content_type } => {
                write!(f, "the answer is not the JSON it should be: {text}")?;
                match content_type {
                    Some(kind) => write!(f, " (Content-Type {kind})"),
                    None => Ok(()),
                }
            }
            Problem::Paging(error) => write!(f, "the list cannot be read to its end: {error}"),
            Problem::Shifting { walks } => write!(
                f,
                "rows moved between the pages in each of {walks} walks, so some may be missing; \
                 tried again by the next scrape"
            ),
            Problem::TooManyPages { limit } => {
                write!(f, "the list does not end after {limit} pages")
            }
            Problem::TooManyConnections { limit } => write!(
                f,
                "more than {limit} connections; raise --kernel.max-connections or narrow the selection"
            ),
            Problem::Blocked => f.write_str("waiting, as the API asked with its last 429"),
            Problem::OverQuota => {
                f.write_str("waiting, to stay within --kernel.quota-share of the rate limit")
            }
            Problem::Refused(status) => {
                write!(
                    f,
                    "not sent, since the key was just refused with {}",
                    status.as_u16()
                )
            }
        }
    }
}

impl StdError for Error {}

/// Reads `code` of an error body, where there is one that is worth showing.
/// Bodies that are not JSON are normal: proxies answer with pages of their own.
pub(super) fn code_of(body: &[u8]) -> Option<Box<str>> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = body.get("code")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (!code.is_empty() && code.len() <= 64 && code.bytes().all(plain))
        .then(|| redact::foreign(code).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_only_where_they_are_codes() {
        assert_eq!(
            code_of(br#"{"code":"project_not_found"}"#).as_deref(),
            Some("project_not_found")
        );
        assert_eq!(code_of(br#"{"code":"<b>hi</b>"}"#), None);
        assert_eq!(code_of(br#"{"code":""}"#), None);
        assert_eq!(code_of(b"<html>"), None);
    }

    #[test]
    fn a_missing_project_is_not_a_missing_connection() {
        let status = |code: Option<&str>| {
            let problem = Problem::Status {
                status: StatusCode::NOT_FOUND,
                code: code.map(Into::into),
                by: None,
            };
            [
                Endpoint::Connection,
                Endpoint::Timeline,
                Endpoint::Connections,
            ]
            .map(|endpoint| Error::new(endpoint, problem.clone()).is_not_found())
        };
        assert_eq!(status(Some("not_found")), [true, true, false]);
        for other in [
            None,
            Some("project_not_found"),
            Some("projects_disabled"),
            Some("route_not_found"),
        ] {
            assert_eq!(status(other), [false; 3], "{other:?}");
        }
    }
}
