//! Walking a list over its pages: in parallel where the pages are where they
//! should be, one after the other where they are not.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::gallop::Gallop;
use super::page::Seen;
use super::plan::{ListQuery, PAGE};
use super::rows::{FRUITLESS, sort_and_deduplicate};
use crate::kernel::{
    Answer, Client, Deadline, Decoder, Error, Listing, PageError, Problem, Query, Unknowns,
    next_page,
};
use crate::model::{Connection, Endpoint, Timestamp};

/// No API answers with more rows than this; larger strides are not computed with.
const MAX_STRIDE: u64 = 10_000;

/// What to walk, and how far.
pub(super) struct Walk<'a> {
    pub(super) client: &'a Client,
    pub(super) decoder: Decoder<'a>,
    pub(super) project: Option<&'a str>,
    pub(super) query: &'a ListQuery,
    pub(super) deadline: &'a Deadline,
    pub(super) concurrency: usize,
    /// Rows that the list had last time, or has at least, and the distance
    /// between its offsets then.
    pub(super) expected: Option<(u64, u64)>,
    /// Go one page after the other from the start.
    pub(super) one_by_one: bool,
    /// Ask for the last row of a page once more with the next one: where rows
    /// have moved meanwhile, so that some may be on neither, it is not there.
    /// For a walk that is compared with nothing from before.
    pub(super) overlap: bool,
    pub(super) max_connections: usize,
    pub(super) give_up_after: Option<u64>,
}

/// A list, as far as it was walked.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Everything that was read, in the order of arrival: where an id comes
    /// twice, the later one is newer.
    pub(super) connections: Vec<Connection>,
    /// Where in the list rows are that cannot be read.
    pub(super) malformed: Vec<u64>,
    /// Values that this build does not know, and how often.
    pub(super) unknown: Unknowns,
    /// How far the list reaches.
    pub(super) rows: u64,
    /// The distance between offsets.
    pub(super) stride: u64,
    /// When the oldest page was asked for.
    pub(super) asked_at: Option<Timestamp>,
    /// The list did not end within `give_up_after` pages.
    pub(super) gave_up: bool,
    /// The pages were not where they should be.
    pub(super) fell_back: bool,
    /// Rows moved from page to page meanwhile, so some may be missing.
    pub(super) shifted: bool,
    /// Why it was not walked to its end.
    pub(super) failure: Option<Error>,
    /// The distance between the offsets that are asked for.
    step: u64,
    pages: u64,
    /// How many of the latest pages begin like the one before them, and how.
    fruitless: (u64, Option<u64>),
    /// By index: offset divided by step.
    seen: BTreeMap<u64, Seen>,
}

impl Walk<'_> {
    /// Reads the list to its end.
    pub(super) async fn run(&self) -> Walked {
        let mut walked = Walked {
            stride: PAGE,
            step: PAGE,
            ..Walked::default()
        };
        walked.failure = self.read(&mut walked).await.err();
        walked
    }

    async fn fetch(&self, offset: u64) -> (u64, Result<Answer<(Listing, Option<u64>)>, Error>) {
        let path = self.path(offset);
        let query = Query {
            project: self.project,
            ..Query::new(Endpoint::Connections, &path)
        };
        let read = |body: &[u8]| self.decoder.list(body);
        let answer = self.client.get(query, self.deadline, read).await;
        let answer = answer.and_then(|answer| {
            let page = next_page(offset, &answer.headers)
                .map_err(|error| self.fail(Problem::Paging(error)))?;
            Ok(answer.map(|listing| (listing, page)))
        });
        (offset, answer)
    }

    fn path(&self, offset: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE.to_string());
        query.append_pair("offset", &offset.to_string());
        if let Some(domain) = &self.query.domain {
            query.append_pair("domain", domain);
        }
        if let Some(profile) = &self.query.profile {
            query.append_pair("profile_name", profile);
        }
        format!("/auth/connections?{}", query.finish())
    }

    fn fail(&self, problem: Problem) -> Error {
        self.client.fail(Endpoint::Connections, problem)
    }

    fn max_pages(&self) -> u64 {
        2 * (self.max_connections as u64).div_ceil(PAGE) + 16
    }

    async fn read(&self, walked: &mut Walked) -> Result<(), Error> {
        let (_, first) = self.fetch(0).await;
        let first = self.take(walked, 0, first?)?;
        let Some((second, without_gaps)) = first.next() else {
            return self.end(walked);
        };
        walked.stride = second;
        let overlaps = self.overlap && without_gaps && second > 1;
        walked.step = if overlaps { second - 1 } else { second };
        if self.one_by_one || first.rows == 0 || second > MAX_STRIDE {
            walked.fell_back = first.rows == 0;
            self.follow(walked, first).await?;
            return self.end(walked);
        }
        walked.seen.insert(0, first);
        if !self.in_parallel(walked).await? {
            tracing::debug!(
                stride = walked.stride,
                "the pages are not where they should be; following the headers one by one"
            );
            let last = walked.last_in_line();
            self.follow(walked, last).await?;
        }
        self.end(walked)
    }

    fn end(&self, walked: &mut Walked) -> Result<(), Error> {
        let seams = walked.seen.values().zip(walked.seen.values().skip(1));
        let shifted = self.overlap
            && seams
                .filter(|(page, next)| page.offset + walked.step == next.offset)
                .any(|(page, next)| page.lost_rows_before(next));
        walked.shifted |= shifted;
        self.bound(walked, self.max_connections)
    }

    /// Follows the headers from `page` on to the end.
    async fn follow(&self, walked: &mut Walked, mut page: Seen) -> Result<(), Error> {
        while let Some((next, without_gaps)) = page.next() {
            if self.should_give_up(walked) {
                walked.gave_up = true;
                break;
            }
            let overlaps = self.overlap && without_gaps && next > page.offset + 1;
            let offset = if overlaps { next - 1 } else { next };
            let (_, answer) = self.fetch(offset).await;
            let following = self.take(walked, offset, answer?)?;
            walked.shifted |= overlaps && page.lost_rows_before(&following);
            page = following;
        }
        Ok(())
    }

    /// Fetches the pages that should exist side by side, and looks for the end
    /// of the list behind them. Whether that was the whole list, or as much of
    /// it as is wanted.
    async fn in_parallel(&self, walked: &mut Walked) -> Result<bool, Error> {
        let (stride, step) = (walked.stride, walked.step);
        // Pages before `sure` exist, as far as can be told.
        let mut sure = self.expected_pages(walked).max(2);
        let mut next = 1;
        // The list ends with this page, or before it.
        let mut end: Option<u64> = None;
        // There is no such page, says the API.
        let mut beyond = u64::MAX;
        let mut gallop = Gallop::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            if self.should_give_up(walked) {
                walked.gave_up = true;
                return Ok(true);
            }
            while under_way.len() < self.concurrency && end.is_none_or(|end| next <= end) {
                if let Some(probe) = gallop.due.take() {
                    under_way.push(self.fetch(probe * step));
                } else if next < sure.min(beyond) {
                    if !gallop.asked.contains(&next) {
                        under_way.push(self.fetch(next * step));
                    }
                    next += 1;
                } else {
                    break;
                }
            }
            let Some((offset, answer)) = under_way.next().await else {
                break;
            };
            let index = offset / step;
            let page = match answer {
                Ok(answer) => self.take(walked, offset, answer)?,
                // The list has become shorter than it was, or than was guessed.
                Err(error) if error.is_no_such_page() => {
                    if gallop.out == Some(index) {
                        gallop.out = None;
                        gallop.missed(index);
                        gallop.plan(sure);
                    } else {
                        beyond = beyond.min(index);
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let rows = page.rows;
            if gallop.out == Some(index) {
                gallop.out = None;
                if rows > 0 {
                    sure = sure.max(index + 1);
                } else if page.next.is_none() && index >= next {
                    gallop.missed(index);
                    gallop.plan(sure);
                    continue;
                }
            }
            match page.next {
                None => end = Some(end.map_or(index, |end| end.min(index))),
                Some(at) if at != offset + stride || rows == 0 => {
                    walked.seen.insert(index, page);
                    walked.fell_back = true;
                    return Ok(false);
                }
                Some(_) if index + 1 == sure => {
                    sure += 1;
                    gallop.plan(sure);
                }
                Some(_) => {}
            }
            walked.seen.insert(index, page);
            if end.is_some_and(|end| walked.rows_after(end)) {
                walked.fell_back = true;
                return Ok(false);
            }
        }
        // Every page up to the end was read, or the headers lead elsewhere.
        let whole = end.is_some_and(|end| (0..=end).all(|index| walked.seen.contains_key(&index)));
        // A list that became shorter contradicts nothing.
        walked.fell_back = !whole && beyond == u64::MAX;
        Ok(whole)
    }

    fn expected_pages(&self, walked: &Walked) -> u64 {
        match self.expected {
            Some((rows, stride)) if stride == walked.stride => rows.div_ceil(walked.step),
            _ => 0,
        }
    }

    fn should_give_up(&self, walked: &Walked) -> bool {
        self.give_up_after
            .is_some_and(|pages| walked.pages >= pages)
    }

    fn take(
        &self,
        walked: &mut Walked,
        offset: u64,
        answer: Answer<(Listing, Option<u64>)>,
    ) -> Result<Seen, Error> {
        let (page, next) = answer.value;
        walked.pages += 1;
        let rows = page.rows as u64;
        if rows > 0 {
            walked.rows = walked.rows.max(offset.saturating_add(rows));
        }
        let oldest = walked.asked_at.get_or_insert(answer.asked_at);
        *oldest = (*oldest).min(answer.asked_at);
        walked.connections.extend(page.connections);
        let places = page.malformed.iter();
        walked
            .malformed
            .extend(places.map(|at| offset.saturating_add(*at as u64)));
        walked.unknown.add(page.unknown);
        // An empty page says nothing: an API may filter what it has counted.
        if page.first.is_some() {
            let again = page.first == walked.fruitless.1;
            let pages = if again { walked.fruitless.0 + 1 } else { 0 };
            walked.fruitless = (pages, page.first);
        }
        if walked.fruitless.0 == FRUITLESS {
            let error = PageError::NothingNew { pages: FRUITLESS };
            return Err(self.fail(Problem::Paging(error)));
        }
        let limit = self.max_connections;
        self.bound(walked, limit + limit / 8)?;
        let limit = self.max_pages();
        if walked.pages > limit {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            return Err(self.fail(Problem::TooManyPages { limit }));
        }
        Ok(Seen {
            offset,
            rows,
            next,
            marks: page.marks,
        })
    }

    /// Fails where there are more connections than `--kernel.max-connections`,
    /// each counted once: looked at only where more than `rows` were read.
    fn bound(&self, walked: &mut Walked, rows: usize) -> Result<(), Error> {
        if walked.connections.len() + walked.malformed.len() <= rows {
            return Ok(());
        }
        sort_and_deduplicate(&mut walked.connections);
        walked.malformed.sort_unstable();
        walked.malformed.dedup();
        let limit = self.max_connections;
        if walked.connections.len() + walked.malformed.len() > limit {
            return Err(self.fail(Problem::TooManyConnections { limit }));
        }
        Ok(())
    }
}

impl Walked {
    fn rows_after(&self, end: u64) -> bool {
        self.seen.range(end + 1..).any(|(_, seen)| seen.rows > 0)
    }

    /// Leaves the pages that follow each other from the first one without a
    /// gap, and takes the last of them to go on from.
    fn last_in_line(&mut self) -> Seen {
        let mut count = 1;
        while let Some(page) = self.seen.get(&(count - 1))
            && page.next == Some(page.offset + self.stride)
            && self
                .seen
                .get(&count)
                .is_some_and(|next| next.next.is_some())
        {
            count += 1;
        }
        self.seen.split_off(&count);
        let last = self.seen.last_entry().expect("the first page was seen");
        last.get().clone()
    }
}
