//! Carrying out a plan: the requests of one collection of one scope.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::gathered::Gathered;
use super::plan::{Knowledge, ListQuery, Plan, choose, narrowed};
use super::settings::Settings;
use super::walk::{Walk, Walked};
use crate::kernel::{Answer, Client, Deadline, Decoder, Error, Listing, PerMinute, Problem, Query};
use crate::model::{Endpoint, ErrorReason, Scope, Selection};

/// After so many ids in a row could not be had, the others are not asked for:
/// the API has a bad hour, and each failure has cost three tries.
const FAILURES: usize = 3;

/// So many ids are tried before the first answer, where what is wrong may be
/// theirs alone.
const DOUBTS: usize = 2;

/// How often a list is walked, at most, that has nothing from before to be
/// compared with, where rows move between its pages.
const FIRST_WALKS: usize = 3;

/// Everything in a path segment but RFC 3986's unreserved characters. The dot
/// too: `..` would be taken for the parent.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'~')
    .remove(b'.');

/// One collection of one scope.
pub(super) struct Gathering<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a Settings,
    pub(super) scope: &'a Scope,
    pub(super) selection: &'a Selection,
    pub(super) deadline: &'a Deadline,
    pub(super) one_by_one: bool,
    /// There is nothing from before that this is compared with.
    pub(super) is_first: bool,
    /// How many requests by id there may be, retries included, beside what the
    /// API allows.
    pub(super) ceiling: Option<&'a Mutex<PerMinute>>,
}

impl Gathering<'_> {
    /// Fetches what the selection wants, with the fewest requests that are
    /// known to do, and learns from it.
    pub(super) async fn run(&self, known: &mut Knowledge) -> Result<Gathered, Error> {
        if let Selection::Ids(ids) = self.selection {
            self.bound(ids.len())?;
        }
        let choice = choose(self.selection, known);
        tracing::debug!(
            account = self.scope.account(),
            project = self.scope.project(),
            plan = %choice.plan,
            requests = choice.cost,
            reason = choice.reason,
            "planned"
        );
        known.turn += 1;
        let mut gathered = Gathered::default();
        match choice.plan {
            Plan::Walk { give_up_after } => {
                let ended = match self.whole_list(give_up_after, known, &mut gathered).await {
                    Err(error)
                        if error.may_be_the_lists() && known.does_without_list(self.selection) =>
                    {
                        tracing::debug!(%error, "the list failed; asking by id");
                        return self.without_list(error, known, gathered).await;
                    }
                    ended => ended?,
                };
                if !ended {
                    self.one_by_one(known, &mut gathered).await?;
                }
            }
            Plan::Narrowed | Plan::ById => {
                let asked = self.one_by_one(known, &mut gathered).await;
                asked.inspect_err(|_| known.blame_nobody())?;
            }
        }
        Ok(gathered)
    }

    /// Asks by id after the list failed with `error`.
    async fn without_list(
        &self,
        error: Error,
        known: &mut Knowledge,
        mut gathered: Gathered,
    ) -> Result<Gathered, Error> {
        if error.reason() == ErrorReason::Timeout {
            // It took all the time; the next collection asks.
            known.leave_list();
            return Err(error);
        }
        if self.one_by_one(known, &mut gathered).await.is_err() {
            // The ids say nothing that the list has not said.
            known.blame_nobody();
            return Err(error);
        }
        known.leave_list();
        Ok(gathered)
    }

    async fn one_by_one(
        &self,
        known: &mut Knowledge,
        gathered: &mut Gathered,
    ) -> Result<(), Error> {
        match self.selection {
            Selection::Every { .. } => self.narrowed_lists(known, gathered).await,
            Selection::Ids(ids) => {
                let have: HashSet<_> = gathered
                    .connections
                    .iter()
                    .map(|row| row.labels.id().into_owned())
                    .collect();
                let mut rest: Vec<&str> = ids
                    .iter()
                    .map(|id| &**id)
                    .filter(|id| !have.contains(*id))
                    .collect();
                if !rest.is_empty() {
                    // Each time from another one on, so that a few that always
                    // fail do not keep the others from their turn.
                    let turn = usize::try_from(known.turn).unwrap_or_default();
                    let start = turn % rest.len();
                    rest.rotate_left(start);
                }
                self.by_id(&rest, gathered).await
            }
        }
    }

    /// Walks the whole list; `false`: given up.
    async fn whole_list(
        &self,
        give_up_after: Option<u64>,
        known: &mut Knowledge,
        gathered: &mut Gathered,
    ) -> Result<bool, Error> {
        let rows = known.total.unwrap_or(known.at_least);
        let everything = ListQuery::default();
        let expected = Some((rows, known.stride));
        let walked = self.walk(&everything, expected, give_up_after).await;
        if let Some(error) = walked.failure {
            // A list that broke off has told how far it reaches, which lets
            // the next walk be parallel.
            if known.total.is_none() && walked.rows > known.at_least {
                known.at_least = walked.rows;
                known.stride = walked.stride;
            }
            return Err(error);
        }
        known.list_works();
        known.stride = walked.stride;
        (known.total, known.at_least) = if walked.gave_up {
            (None, walked.rows)
        } else {
            (Some(walked.rows), 0)
        };
        gathered.listed = !walked.gave_up;
        gathered.add(walked);
        Ok(gathered.listed)
    }

    async fn narrowed_lists(
        &self,
        known: &mut Knowledge,
        gathered: &mut Gathered,
    ) -> Result<(), Error> {
        let queries = narrowed(self.selection);
        known.narrowed.resize(queries.len(), None);
        let stride = known.stride;
        let before = known.narrowed.clone();
        let walk = async |at: usize| {
            let expected = before[at].map(|rows| (rows, stride));
            (at, self.walk(&queries[at], expected, None).await)
        };
        let mut take = |(at, walked): (usize, Walked)| -> Result<(), Error> {
            if let Some(error) = walked.failure {
                return Err(error);
            }
            known.narrowed[at] = Some(walked.rows);
            gathered.add(walked);
            self.bound(gathered.connections.len())
        };
        // The first one alone: whatever is wrong with the key or the API then
        // costs one request.
        if !queries.is_empty() {
            take(walk(0).await)?;
        }
        let mut waiting = 1..queries.len();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.settings.concurrency
                && let Some(at) = waiting.next()
            {
                under_way.push(walk(at));
            }
            let Some(walked) = under_way.next().await else {
                break;
            };
            take(walked)?;
        }
        gathered.listed = true;
        Ok(())
    }

    /// Walks a list; where rows moved meanwhile and nothing from before tells
    /// which are missing, once more from the start.
    async fn walk(
        &self,
        query: &ListQuery,
        expected: Option<(u64, u64)>,
        give_up_after: Option<u64>,
    ) -> Walked {
        let walk = Walk {
            client: self.client,
            decoder: Decoder {
                marks: self.is_first,
                ..self.decoder()
            },
            project: self.scope.project(),
            query,
            deadline: self.deadline,
            concurrency: self.settings.concurrency,
            expected,
            one_by_one: self.one_by_one,
            overlap: self.is_first,
            max_connections: self.settings.max_connections,
            give_up_after,
        };
        let mut walks = 0;
        loop {
            let mut walked = walk.run().await;
            walks += 1;
            if walked.failure.is_some() || !walked.shifted {
                return walked;
            }
            if walks == FIRST_WALKS {
                let problem = Problem::Shifting { walks };
                walked.failure = Some(self.client.fail(Endpoint::Connections, problem));
                return walked;
            }
        }
    }

    /// Fails where there are more than `--kernel.max-connections`.
    fn bound(&self, count: usize) -> Result<(), Error> {
        let limit = self.settings.max_connections;
        if count <= limit {
            return Ok(());
        }
        let problem = Problem::TooManyConnections { limit };
        Err(self.client.fail(Endpoint::Connections, problem))
    }

    /// Asks for each of `ids` by itself. A refused key fails the collection; a
    /// single connection that cannot be had does not.
    pub(super) async fn by_id(&self, ids: &[&str], gathered: &mut Gathered) -> Result<(), Error> {
        let by_name = matches!(self.selection, Selection::Ids(_));
        let mut waiting = ids.iter();
        let mut answered = HashSet::new();
        // One after the other until the first answer: whatever is wrong with
        // the key or the API then costs little.
        let mut doubt = None;
        for id in waiting.by_ref() {
            let (_, answer) = self.fetch(id).await;
            let failed = match &answer {
                Err(error) if !error.is_not_found() => Some(error.clone()),
                _ => None,
            };
            gathered.take(id, answer, by_name)?;
            answered.insert(*id);
            doubt = failed;
            match &doubt {
                Some(error) if error.is_about_one() && answered.len() < DOUBTS => {}
                _ => break,
            }
        }
        if let Some(error) = doubt {
            return Err(error);
        }
        let mut in_a_row = 0;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.settings.concurrency
                && let Some(id) = waiting.next()
            {
                under_way.push(self.fetch(id));
            }
            let Some((id, answer)) = under_way.next().await else {
                break;
            };
            answered.insert(id);
            let failed = answer.as_ref().is_err_and(|error| !error.is_not_found());
            in_a_row = if failed { in_a_row + 1 } else { 0 };
            gathered.take(id, answer, by_name)?;
            if in_a_row >= FAILURES {
                break;
            }
        }
        drop(under_way);
        let unasked = ids.iter().filter(|id| !answered.contains(*id));
        gathered.failed.extend(unasked.map(|id| Box::from(*id)));
        Ok(())
    }

    async fn fetch<'b>(&self, id: &'b str) -> (&'b str, Result<Answer<Listing>, Error>) {
        let path = format!("/auth/connections/{}", segment(id));
        let query = Query {
            project: self.scope.project(),
            ceiling: self.ceiling,
            ..Query::new(Endpoint::Connection, &path)
        };
        let read = |body: &[u8]| self.decoder().one(body);
        (id, self.client.get(query, self.deadline, read).await)
    }

    fn decoder(&self) -> Decoder<'_> {
        Decoder {
            scope: self.scope,
            profile_names: self.settings.profile_names,
            selection: self.selection,
            marks: false,
        }
    }
}

/// `id` as one segment of a path. No encoding keeps `.` and `..` from being
/// taken for directories, so those two are made into something that is not
/// found.
pub(super) fn segment(id: &str) -> String {
    match id {
        "." | ".." => format!("%00{id}"),
        id => utf8_percent_encode(id, SEGMENT).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_and_nothing_else() {
        assert_eq!(segment("ma_abc-123.x~"), "ma_abc-123.x~");
        assert_eq!(segment("a/../b?c#d%e f"), "a%2F..%2Fb%3Fc%23d%25e%20f");
        assert_eq!(segment("ü"), "%C3%BC");
        for dots in [".", ".."] {
            let url = format!("http://h/auth/connections/{}", segment(dots));
            let url = url::Url::parse(&url).unwrap();
            assert!(url.path().starts_with("/auth/connections/%00"), "{url}");
        }
    }
}
