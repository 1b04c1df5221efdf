//! What goes wrong, where and how often.

use std::str::FromStr;
use std::time::Duration;

use super::clock::parse_duration;
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
    Status {
        /// The status.
        status: u16,
        /// `code` of the body; the usual one for the status when left out.
        code: Option<String>,
        /// `Retry-After`.
        retry_after: Option<RetryAfter>,
        /// `x-should-retry`.
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

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let head = parts.next().unwrap_or_default();
        let (name, value) = halves(head);
        let mut fault = Self::new(kind(name, value)?);
        for part in parts {
            let (name, value) = halves(part);
            let value = value.ok_or_else(|| format!("fault `{text}`: `{name}` needs a value"))?;
            narrow(&mut fault, name, value).map_err(|error| format!("fault `{text}`: {error}"))?;
        }
        Ok(fault)
    }
}

fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('=')
        .map_or((text, None), |(name, value)| (name, Some(value)))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("`{name}={value}` is not a number"))
}

/// `300MB`, `64kB`, `12`.
fn bytes(name: &str, value: &str) -> Result<u64, String> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &value[digits.len()..] {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(format!("`{name}={value}` is not a size such as 300MB")),
    };
    Ok(number::<u64>(name, digits)?.saturating_mul(unit))
}

fn kind(name: &str, value: Option<&str>) -> Result<FaultKind, String> {
    let needed = || value.ok_or_else(|| format!("fault `{name}` needs a value, `{name}=…`"));
    let counted = |default: usize| value.map_or(Ok(default), |value| number(name, value));
    let first = || Rows::At(0);
    Ok(match name {
        "status" => {
            let status: u16 = number(name, needed()?)?;
            if !(200..=599).contains(&status) {
                return Err(format!("`status={status}` is not a status from 200 to 599"));
            }
            FaultKind::Status {
                status,
                code: None,
                retry_after: None,
                should_retry: None,
            }
        }
        "latency" => FaultKind::Latency(parse_duration(needed()?)?),
        "silent" => FaultKind::Silent,
        "hang-up" => FaultKind::HangUp,
        "stall" => FaultKind::Stall,
        "stall-body" => FaultKind::StallBody,
        "reset" => FaultKind::Reset,
        "truncate" => FaultKind::Truncate,
        "garbage" => FaultKind::Garbage,
        "html" => FaultKind::Html,
        "huge" => FaultKind::Huge(bytes(name, value.unwrap_or("200MB"))?),
        "endless" => FaultKind::Endless,
        "deep" => FaultKind::Deep(counted(100_000)?),
        "redirect" => FaultKind::Redirect(needed()?.to_owned()),
        "more-without-offset" => FaultKind::MoreWithoutOffset,
        "more-with-zero" => FaultKind::MoreWithZero,
        "circle" => FaultKind::Circle,
        "stuck-offset" => FaultKind::StuckOffset,
        "empty-page" => FaultKind::EmptyPage(counted(100)?),
        "page-cap" => FaultKind::PageCap(counted(50)?.max(1)),
        "duplicate-rows" => FaultKind::DuplicateRows(counted(1)?),
        "delete-rows" => FaultKind::DeleteRows(counted(1)?),
        "insert-rows" => FaultKind::InsertRows(counted(1)?),
        "malformed-row" => FaultKind::Row(
            match value.unwrap_or("types") {
                "types" => Spoil::Types,
                "no-id" => Spoil::NoId,
                "no-status" => Spoil::NoStatus,
                "text" => Spoil::Text,
                "null" => Spoil::Null,
                other => {
                    return Err(format!(
                        "`malformed-row={other}`: expected types, no-id, no-status, text or null"
                    ));
                }
            },
            first(),
        ),
        "unknown-values" => FaultKind::Row(Spoil::UnknownValues, first()),
        "date-skew" => {
            let text = needed()?;
            let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
            let seconds = i64::try_from(parse_duration(rest)?.as_secs()).unwrap_or(i64::MAX);
            FaultKind::DateSkew(sign * seconds)
        }
        "without-header" => FaultKind::WithoutHeader(needed()?.to_ascii_lowercase()),
        "header" => {
            let (header, value) = needed()?
                .split_once(':')
                .ok_or("`header` is written `header=NAME:VALUE`")?;
            FaultKind::Header(header.trim().to_ascii_lowercase(), value.trim().to_owned())
        }
        _ => {
            return Err(format!(
                "`{name}` is not a kind of fault; docs/simulator.md lists them"
            ));
        }
    })
}

fn narrow(fault: &mut Fault, name: &str, value: &str) -> Result<(), String> {
    match (name, &mut fault.kind) {
        ("endpoint", _) => {
            for word in value.split('+') {
                let route = Route::parse(word).ok_or_else(|| {
                    format!("`{word}` is not an endpoint; docs/simulator.md lists them")
                })?;
                fault.routes.push(route);
            }
        }
        ("project", _) => fault.project = Some(value.to_owned()),
        ("key", _) => fault.key = Some(value.to_owned()),
        ("id", _) => fault.id = Some(value.to_owned()),
        ("offset", _) => fault.offset = Some(number(name, value)?),
        ("skip", _) => fault.skip = number(name, value)?,
        ("every", _) => fault.every = number::<u64>(name, value)?.max(1),
        ("times", _) => fault.times = Some(number(name, value)?),
        ("code", FaultKind::Status { code, .. }) => *code = Some(value.to_owned()),
        ("retry-after", FaultKind::Status { retry_after, .. }) => {
            *retry_after = Some(match value.strip_prefix("date:") {
                Some(ahead) => RetryAfter::Date(parse_duration(ahead)?),
                None => RetryAfter::Text(value.to_owned()),
            });
        }
        ("should-retry", FaultKind::Status { should_retry, .. }) => {
            *should_retry = Some(value == "true");
        }
        ("row", FaultKind::Row(_, rows)) => {
            *rows = match value {
                "all" => Rows::All,
                _ => value
                    .parse()
                    .map_or_else(|_| Rows::Id(value.to_owned()), Rows::At),
            };
        }
        _ => return Err(format!("`{name}` does not go with it")),
    }
    Ok(())
}

/// What a fault is matched with.
pub(crate) struct Target<'a> {
    pub(crate) route: Route,
    pub(crate) project: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) offset: usize,
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
    pub(crate) fn strike(&mut self, target: &Target<'_>) -> Vec<FaultKind> {
        let mut struck = Vec::new();
        for armed in &mut self.0 {
            let fault = &armed.fault;
            let equal = |wanted: &Option<String>, value: Option<&str>| {
                wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
            };
            let matches = (fault.routes.is_empty() || fault.routes.contains(&target.route))
                && equal(&fault.project, target.project.or(Some("default")))
                && equal(&fault.key, target.key)
                && equal(&fault.id, target.id)
                && fault.offset.is_none_or(|offset| offset == target.offset);
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
    fn a_fault_is_read_from_its_text() {
        let fault: Fault = "status=429,retry-after=date:5s,should-retry=false,endpoint=connections+timeline,skip=1,every=3,times=2"
            .parse()
            .unwrap();
        assert_eq!(
            fault,
            Fault {
                routes: vec![Route::Connections, Route::Timeline],
                skip: 1,
                every: 3,
                times: Some(2),
                ..Fault::new(FaultKind::Status {
                    status: 429,
                    code: None,
                    retry_after: Some(RetryAfter::Date(Duration::from_secs(5))),
                    should_retry: Some(false),
                })
            }
        );
        assert_eq!("huge=2kB".parse(), Ok(Fault::new(FaultKind::Huge(2000))));
        assert_eq!(
            "date-skew=-1h".parse(),
            Ok(Fault::new(FaultKind::DateSkew(-3600)))
        );
    }

    #[test]
    fn a_wrong_fault_says_what_is_wrong() {
        for (text, part) in [
            ("", "not a kind of fault"),
            ("statis=503", "`statis` is not a kind"),
            ("status", "needs a value"),
            ("status=99", "not a status"),
            ("status=5x3", "not a number"),
            ("latency=soon", "not a duration"),
            (
                "stall,endpoint=everywhere",
                "`everywhere` is not an endpoint",
            ),
            ("stall,code=x", "`code` does not go with it"),
            ("huge=9XB", "not a size"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

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
                .strike(&Target {
                    route,
                    project: None,
                    key: None,
                    id: None,
                    offset: 0,
                })
                .len()
        };
        assert_eq!(strike(Route::Projects), 0);
        let struck: Vec<usize> = (0..8).map(|_| strike(Route::Connections)).collect();
        assert_eq!(struck, [0, 1, 0, 1, 0, 0, 0, 0]);
    }
}
