//! What was asked: for tests that count requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method, header};
use serde::Serialize;

use super::route::Route;

/// Requests kept with all their particulars.
const ENTRIES: usize = 20_000;

/// One request.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RequestEntry {
    /// Counted from 1, also over a reset.
    pub number: u64,
    pub method: String,
    pub route: Route,
    pub path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// Names in lower case; the value of `authorization` is left out.
    pub headers: Vec<(String, String)>,
    /// Whether an `authorization` came with it.
    pub authorized: bool,
    /// 0 while, or where, there was no answer.
    pub status: u16,
    /// Requests under way when it came, itself included.
    pub in_flight: usize,
}

impl RequestEntry {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// How often something was asked and answered so; status 0 is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RequestCount {
    pub method: String,
    pub route: Route,
    pub status: u16,
    pub count: u64,
}

/// What was asked since the start, or since the last reset.
#[derive(Clone, Debug, Serialize)]
pub struct RequestLog {
    /// All requests.
    pub total: u64,
    /// Those with another method than GET.
    pub non_get: u64,
    /// Requests whose answer is not yet fully sent.
    pub in_flight: usize,
    /// The most there ever were at once.
    pub in_flight_high: usize,
    /// By method, route and status.
    pub counts: Vec<RequestCount>,
    /// The last 20,000, oldest first.
    pub entries: Vec<RequestEntry>,
}

impl RequestLog {
    /// Requests for one route.
    pub fn count(&self, route: Route) -> u64 {
        let rows = self.counts.iter().filter(|row| row.route == route);
        rows.map(|row| row.count).sum()
    }

    /// Requests for one route that were answered with one status.
    pub fn count_status(&self, route: Route, status: u16) -> u64 {
        let rows = self.counts.iter();
        rows.filter(|row| row.route == route && row.status == status)
            .map(|row| row.count)
            .sum()
    }
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    since: u64,
    non_get: u64,
    in_flight: usize,
    in_flight_high: usize,
    counts: BTreeMap<(String, Route, u16), u64>,
    entries: VecDeque<RequestEntry>,
}

/// Where requests are written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<State>>);

impl Log {
    fn with<T>(&self, how: impl FnOnce(&mut State) -> T) -> T {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down that a request came.
    pub(crate) fn begin(
        &self,
        method: &Method,
        route: Route,
        path: &str,
        query: &str,
        headers: &HeaderMap,
    ) -> Ticket {
        let written = headers
            .iter()
            .map(|(name, value)| {
                let value = if name == header::AUTHORIZATION {
                    String::new()
                } else {
                    String::from_utf8_lossy(value.as_bytes()).into_owned()
                };
                (name.as_str().to_owned(), value)
            })
            .collect();
        let number = self.with(|state| {
            state.number += 1;
            state.in_flight += 1;
            state.in_flight_high = state.in_flight_high.max(state.in_flight);
            state.non_get += u64::from(method != Method::GET);
            let key = (method.as_str().to_owned(), route, 0);
            *state.counts.entry(key).or_default() += 1;
            state.entries.push_back(RequestEntry {
                number: state.number,
                method: method.as_str().to_owned(),
                route,
                path: path.to_owned(),
                query: query.to_owned(),
                headers: written,
                authorized: headers.contains_key(header::AUTHORIZATION),
                status: 0,
                in_flight: state.in_flight,
            });
            if state.entries.len() > ENTRIES {
                state.entries.pop_front();
            }
            state.number
        });
        Ticket {
            log: self.clone(),
            number,
        }
    }

    pub(crate) fn read(&self) -> RequestLog {
        self.with(|state| RequestLog {
            total: state.number - state.since,
            non_get: state.non_get,
            in_flight: state.in_flight,
            in_flight_high: state.in_flight_high,
            counts: state
                .counts
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|((method, route, status), count)| RequestCount {
                    method: method.clone(),
                    route: *route,
                    status: *status,
                    count: *count,
                })
                .collect(),
            entries: state.entries.iter().cloned().collect(),
        })
    }

    pub(crate) fn reset(&self) {
        self.with(|state| {
            state.since = state.number;
            state.non_get = 0;
            state.in_flight_high = state.in_flight;
            state.counts.clear();
            state.entries.clear();
        });
    }
}

/// A request under way; dropped when its answer has been sent.
#[derive(Debug)]
pub(crate) struct Ticket {
    log: Log,
    number: u64,
}

impl Ticket {
    /// Writes down the status of the answer.
    pub(crate) fn answered(&self, status: u16) {
        self.log.with(|state| {
            let first = state.entries.front().map_or(u64::MAX, |entry| entry.number);
            let Some(place) = self.number.checked_sub(first) else {
                return;
            };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let Some(entry) = state.entries.get_mut(place) else {
                return;
            };
            entry.status = status;
            let (method, route) = (entry.method.clone(), entry.route);
            if let Some(open) = state.counts.get_mut(&(method.clone(), route, 0)) {
                *open = open.saturating_sub(1);
            }
            *state.counts.entry((method, route, status)).or_default() += 1;
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.log.with(|state| state.in_flight -= 1);
    }
}
