//! Walking a list over its pages: in parallel where the pages are where they
//! should be, one after the other where they are not.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::gallop::Gallop;
use super::plan::{ListQuery, PAGE};
use crate::kernel::{
    Client, Deadline, Decoder, Error, Listing, Page, PageHeaders, Problem, Query, next_page,
};
use crate::model::Endpoint;

/// The largest list page that is accepted. A hundred connections in the middle
/// of logins are about half a megabyte.
const MAX_BODY: usize = 8 * 1024 * 1024;

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
    pub(super) max_connections: usize,
    pub(super) give_up_after: Option<u64>,
}

/// A list, walked.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Everything that was read, in the order of arrival: where an id comes
    /// twice, the later one is newer.
    pub(super) listing: Listing,
    /// The distance between offsets.
    pub(super) stride: u64,
    /// The list did not end within `give_up_after` pages.
    pub(super) gave_up: bool,
    /// The pages were not where they should be.
    pub(super) fell_back: bool,
}

/// A walk that did not come to its end.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) error: Error,
    /// The list has at least so many rows.
    pub(super) at_least: u64,
    pub(super) stride: u64,
}

/// What a page that was read says of the list.
#[derive(Clone, Copy, Debug)]
struct Seen {
    rows: usize,
    next: Page,
}

struct Progress<'a> {
    walk: &'a Walk<'a>,
    listing: Listing,
    stride: u64,
    pages: u64,
    /// By index: offset divided by stride.
    seen: BTreeMap<u64, Seen>,
}

/// The pages contradict the stride.
struct Disagreement;

impl<'a> Walk<'a> {
    /// Reads the list to its end.
    pub(super) async fn run(&'a self) -> Result<Walked, Broken> {
        let mut progress = Progress {
            walk: self,
            listing: Listing::default(),
            stride: PAGE,
            pages: 0,
            seen: BTreeMap::new(),
        };
        let result = progress.run().await;
        let broken = |error, progress: &Progress<'_>| Broken {
            error,
            at_least: progress.known_rows(),
            stride: progress.stride,
        };
        match result {
            Ok((gave_up, fell_back)) => Ok(Walked {
                listing: progress.listing,
                stride: progress.stride,
                gave_up,
                fell_back,
            }),
            Err(error) => Err(broken(error, &progress)),
        }
    }

    async fn fetch(&self, offset: u64) -> Result<(u64, Listing, Page), Error> {
        let path = self.path(offset);
        let query = Query {
            endpoint: Endpoint::Connections,
            path: &path,
            project: self.project,
            max_body: MAX_BODY,
        };
        let answer = self
            .client
            .get(query, self.deadline, |body| self.decoder.list(body))
            .await?;
        let page = next_page(offset, PageHeaders::read(&answer.headers))
            .map_err(|error| self.fail(Problem::Paging(error)))?;
        Ok((offset, answer.value, page))
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
}

impl Progress<'_> {
    /// Whether the walk was given up, and whether it fell back.
    async fn run(&mut self) -> Result<(bool, bool), Error> {
        let (_, listing, first) = self.walk.fetch(0).await?;
        let rows = listing.rows;
        self.take(listing)?;
        let Page::Next(second) = first else {
            return Ok((false, false));
        };
        self.stride = second;
        self.seen.insert(0, Seen { rows, next: first });
        if self.walk.one_by_one || rows == 0 || second > MAX_STRIDE {
            return Ok((self.follow(second).await?, rows == 0));
        }
        if let Ok(gave_up) = self.in_parallel().await? {
            Ok((gave_up, false))
        } else {
            tracing::debug!(
                stride = self.stride,
                "the pages are not where they should be; following the headers one by one"
            );
            let next = self.contiguous().1;
            Ok((self.follow(next).await?, true))
        }
    }

    /// Follows the headers from `offset` to the end.
    async fn follow(&mut self, mut offset: u64) -> Result<bool, Error> {
        loop {
            if self.should_give_up() {
                return Ok(true);
            }
            let (_, listing, page) = self.walk.fetch(offset).await?;
            self.take(listing)?;
            match page {
                Page::Last => return Ok(false),
                Page::Next(next) => offset = next,
            }
        }
    }

    /// Fetches the pages that should exist side by side, and looks for the end
    /// of the list behind them.
    async fn in_parallel(&mut self) -> Result<Result<bool, Disagreement>, Error> {
        let walk = self.walk;
        let stride = self.stride;
        // Pages before `sure` exist, as far as can be told.
        let mut sure = self.expected_pages().max(2);
        let mut next = 1;
        // The list ends with this page, or before it.
        let mut end: Option<u64> = None;
        let mut gallop = Gallop::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            if self.should_give_up() {
                return Ok(Ok(true));
            }
            while under_way.len() < walk.concurrency && end.is_none_or(|end| next <= end) {
                if let Some(probe) = gallop.due.take() {
                    under_way.push(walk.fetch(probe * stride));
                } else if next < sure {
                    if !gallop.asked.contains(&next) {
                        under_way.push(walk.fetch(next * stride));
                    }
                    next += 1;
                } else {
                    break;
                }
            }
            let Some(done) = under_way.next().await else {
                break;
            };
            let (offset, listing, page) = done?;
            let index = offset / stride;
            let rows = listing.rows;
            self.take(listing)?;
            if gallop.out == Some(index) {
                gallop.out = None;
                if rows > 0 {
                    sure = sure.max(index + 1);
                } else if page == Page::Last && index >= next {
                    gallop.missed(index);
                    gallop.plan(sure);
                    continue;
                }
            }
            self.seen.insert(index, Seen { rows, next: page });
            match page {
                Page::Last => end = Some(end.map_or(index, |end| end.min(index))),
                Page::Next(at) if at != offset + stride || rows == 0 => {
                    return Ok(Err(Disagreement));
                }
                Page::Next(_) if index + 1 == sure => {
                    sure += 1;
                    gallop.plan(sure);
                }
                Page::Next(_) => {}
            }
            if end.is_some_and(|end| self.rows_after(end)) {
                return Ok(Err(Disagreement));
            }
        }
        // Every page up to the end was read, or the headers lead elsewhere.
        let whole = end.is_some_and(|end| (0..=end).all(|index| self.seen.contains_key(&index)));
        Ok(if whole { Ok(false) } else { Err(Disagreement) })
    }

    fn expected_pages(&self) -> u64 {
        match self.walk.expected {
            Some((rows, stride)) if stride == self.stride => rows.div_ceil(stride),
            _ => 0,
        }
    }

    fn rows_after(&self, end: u64) -> bool {
        self.seen.range(end + 1..).any(|(_, seen)| seen.rows > 0)
    }

    /// How many pages follow each other from the first one without a gap, and
    /// the offset that the last of them names.
    fn contiguous(&self) -> (u64, u64) {
        let mut count = 0;
        let mut offset = 0;
        while let Some(Seen {
            next: Page::Next(next),
            ..
        }) = self.seen.get(&count)
        {
            count += 1;
            offset = *next;
            if offset != count * self.stride {
                break;
            }
        }
        (count, offset)
    }

    fn known_rows(&self) -> u64 {
        // Pages beyond a gap were announced by nobody, but their rows are there.
        let last = self.seen.iter().rev().find(|(_, seen)| seen.rows > 0);
        last.map_or(0, |(index, seen)| index * self.stride + seen.rows as u64)
    }

    fn should_give_up(&self) -> bool {
        self.walk
            .give_up_after
            .is_some_and(|pages| self.pages >= pages)
    }

    fn take(&mut self, page: Listing) -> Result<(), Error> {
        self.pages += 1;
        self.listing.rows += page.rows;
        self.listing.connections.extend(page.connections);
        self.listing.malformed.extend(page.malformed);
        self.listing.unknown.extend(page.unknown);
        let limit = self.walk.max_connections;
        if self.listing.connections.len() + self.listing.malformed.len() > limit {
            return Err(self.walk.fail(Problem::TooManyConnections { limit }));
        }
        let limit = self.walk.max_pages();
        if self.pages > limit {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            return Err(self.walk.fail(Problem::TooManyPages { limit }));
        }
        Ok(())
    }
}
