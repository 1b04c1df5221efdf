//! What goes wrong, where and how often.

use std::time::Duration;

use super::request::ApiRequest;
use super::route::Route;

/// `Retry-After` of a status fault.
#[derive(Clone, Debug, PartialEq)]
pub enum RetryAfter {
    /// As written: whole seconds, fractions, or nonsense.
    Text(String),
    /// An HTTP date this far ahead of the world's clock.
    Date(Duration),
}

/// How a row of the list or a single object is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// Members of the wrong type.
    Types,
    /// No `id`.
    NoId,
    /// No `status`.
    NoStatus,
    /// A string where an object should be.
    Text,
    /// `null` where an object should be.
    Null,
    /// Every enum has a value that nobody knows.
    UnknownValues,
}

/// Which rows of a page are spoiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All.
    All,
    /// The one at this position of the page.
    At(usize),
    /// The one with this id.
    Id(String),
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Another status, with the API's error body.
    #[expect(missing_docs, reason = "named as in the text form")]
    Status {
        status: u16,
        /// `code` of the body; the usual one for the status when left out.
        code: Option<String>,
        retry_after: Option<RetryAfter>,
        should_retry: Option<bool>,
    },
    /// A fixed wait before the answer.
    Latency(Duration),
    /// The request is taken and never answered.
    Silent,
    /// The connection is closed without an answer.
    HangUp,
    /// Headers, and then nothing.
    Stall,
    /// Headers and half the body, and then nothing.
    StallBody,
    /// Headers and half the body, and then a TCP reset.
    Reset,
    /// Half the body, with the length of the half.
    Truncate,
    /// Bytes that are no JSON.
    Garbage,
    /// A 200 with a page for people.
    Html,
    /// A member with a string of this many bytes; valid JSON.
    Huge(u64),
    /// A list that never ends.
    Endless,
    /// This many arrays, one in the other.
    Deep(usize),
    /// A redirect to this address.
    Redirect(String),
    /// `X-Has-More: true` and no `X-Next-Offset`.
    MoreWithoutOffset,
    /// `X-Has-More: true` and `X-Next-Offset: 0`.
    MoreWithZero,
    /// Offsets that lead in a circle.
    Circle,
    /// The offset of the next page is that of this page.
    StuckOffset,
    /// A hundred hidden rows from this offset on: a page with nothing on it,
    /// and more to come.
    EmptyPage(usize),
    /// At most this many rows a page, whatever was asked for.
    PageCap(usize),
    /// The last rows of a page come again as the first of the next.
    DuplicateRows(usize),
    /// Before every page but the first, this many rows are deleted at the top
    /// of the list.
    DeleteRows(usize),
    /// Before every page but the first, this many rows are created at the top
    /// of the list.
    InsertRows(usize),
    /// Spoiled rows.
    Row(Spoil, Rows),
    /// The `Date` header is this many seconds off.
    DateSkew(i64),
    /// A header is left out.
    WithoutHeader(String),
    /// A header is set.
    Header(String, String),
}

/// What goes wrong, where and how often. Counting is per fault and in the order
/// in which requests arrive.
///
/// The text form is a kind, then what narrows it, with commas:
/// `status=503,endpoint=connections,every=3`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where; empty for everywhere.
    pub routes: Vec<Route>,
    /// Only for requests that name this project in a header (`default`: none).
    pub project: Option<String>,
    /// Only for requests with this key.
    pub key: Option<String>,
    /// Only for requests with this id in the path.
    pub id: Option<String>,
    /// Only for requests with this offset.
    pub offset: Option<usize>,
    /// Matching requests that are spared at first.
    pub skip: u64,
    /// Of the rest, the first of every so many goes wrong.
    pub every: u64,
    /// How many go wrong; `None` for no end.
    pub times: Option<u64>,
    /// How it was written, where it was.
    pub text: Option<String>,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self {
            kind,
            routes: Vec::new(),
            project: None,
            key: None,
            id: None,
            offset: None,
            skip: 0,
            every: 1,
            times: None,
            text: None,
        }
    }
}

impl Fault {
    /// A fault everywhere and for ever; narrow it with the methods below.
    pub fn new(kind: FaultKind) -> Self {
        kind.into()
    }

    /// A status with its usual body.
    pub fn status(status: u16) -> Self {
        Self::new(FaultKind::Status {
            status,
            code: None,
            retry_after: None,
            should_retry: None,
        })
    }

    /// Only at `route`, and at those named before.
    #[must_use]
    pub fn at(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Spares the first requests.
    #[must_use]
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Only the first of every so many.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        self.every = every.max(1);
        self
    }

    /// Only for requests that name this project in a header.
    #[must_use]
    pub fn project(mut self, project: &str) -> Self {
        self.project = Some(project.to_owned());
        self
    }
}

/// The faults that are on, and how often each was met.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Armed>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    matched: u64,
    fired: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(Armed {
            fault,
            matched: 0,
            fired: 0,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Each fault with how many requests it matched and how many it spoiled.
    pub(crate) fn list(&self) -> Vec<(Fault, u64, u64)> {
        self.0
            .iter()
            .map(|armed| (armed.fault.clone(), armed.matched, armed.fired))
            .collect()
    }

    /// What goes wrong with this request.
    pub(crate) fn strike(&mut self, request: &ApiRequest<'_>) -> Vec<FaultKind> {
        let mut struck = Vec::new();
        let project = request.project_id.or(request.project).unwrap_or("default");
        let offset = request.number("offset").ok().flatten().unwrap_or(0);
        for armed in &mut self.0 {
            let fault = &armed.fault;
            let equal = |wanted: &Option<String>, value: Option<&str>| {
                wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
            };
            let matches = (fault.routes.is_empty() || fault.routes.contains(&request.route))
                && equal(&fault.project, Some(project))
                && equal(&fault.key, request.key)
                && equal(&fault.id, request.id)
                && fault.offset.is_none_or(|wanted| wanted == offset);
            if !matches {
                continue;
            }
            armed.matched += 1;
            let turn = armed
                .matched
                .checked_sub(fault.skip + 1)
                .is_some_and(|past| past % fault.every.max(1) == 0);
            if turn && fault.times.is_none_or(|times| armed.fired < times) {
                armed.fired += 1;
                struck.push(fault.kind.clone());
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_is_by_matching_requests() {
        let mut faults = Faults::default();
        faults.add(
            Fault::new(FaultKind::Stall)
                .at(Route::Connections)
                .skip(1)
                .every(2)
                .times(2),
        );
        let mut strike = |route| {
            faults
                .strike(&ApiRequest {
                    method: &http::Method::GET,
                    route,
                    id: None,
                    query: "",
                    key: None,
                    project_id: None,
                    project: None,
                })
                .len()
        };
        assert_eq!(strike(Route::Projects), 0);
        let struck: Vec<usize> = (0..8).map(|_| strike(Route::Connections)).collect();
        assert_eq!(struck, [0, 1, 0, 1, 0, 0, 0, 0]);
    }
}
