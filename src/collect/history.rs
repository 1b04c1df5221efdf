//! What is remembered of timelines: enough to count each event once, and no
//! more. Pure.
//!
//! A timeline is newest first, and its events are known by their ids. Of each
//! connection the newest few ids are kept, and the time before which every
//! event is known. A look goes down from the newest event to the first known
//! one, over several collections where that takes more requests than one may
//! send; whatever came meanwhile is left to the next look.

mod entry;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

pub(super) use self::entry::Ended;
use self::entry::Entry;
use crate::kernel::Event;
use crate::model::{ClockOffset, Connection, History, Timestamp};

/// `limit` of a request: the API's maximum where much is expected, and its
/// default where a few events are.
const LARGE_PAGE: u32 = 100;
const SMALL_PAGE: u32 = 20;

/// The timelines of a scope's connections, by id.
#[derive(Debug)]
pub(super) struct Timelines {
    entries: HashMap<Box<str>, Entry>,
    /// Collections so far.
    turn: u64,
    /// When the last one asked for its first page; before it, since when the
    /// connections are watched. On this machine's clock.
    listed_at: Timestamp,
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: Box<str>,
    pub(super) offset: u64,
    pub(super) limit: u32,
}

impl Timelines {
    /// Nothing is known of connections that are watched from `since` on.
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            entries: HashMap::new(),
            turn: 0,
            listed_at: since,
        }
    }

    /// Takes note of a collection, which asked for its first page `at` that
    /// time, and gives each connection what is known of it. What is no longer
    /// listed is forgotten, unless it `is_unread`; of what is new, all is counted
    /// that ended after the last collection, which lacked it.
    pub(super) fn listed(
        &mut self,
        connections: &mut [Connection],
        at: Timestamp,
        is_unread: impl Fn(&str) -> bool,
    ) {
        self.turn += 1;
        let turn = self.turn;
        for row in connections {
            let listed = fingerprint(row);
            let id = row.labels.id();
            if !self.entries.contains_key(&*id) {
                let entry = Entry::new(turn, self.listed_at);
                self.entries.insert(id.as_ref().into(), entry);
            }
            let Some(entry) = self.entries.get_mut(&*id) else {
                continue;
            };
            let waited = entry.waits();
            entry.listed = listed;
            entry.seen = turn;
            if !waited {
                entry.since = turn;
            }
            entry.count_late(turn);
            row.history.clone_from(&entry.history);
        }
        self.entries
            .retain(|id, entry| entry.seen == turn || is_unread(id));
        self.listed_at = at;
    }

    /// How many connections wait to be asked for.
    pub(super) fn waiting(&self) -> usize {
        let turn = self.turn;
        self.entries
            .values()
            .filter(|entry| entry.is_due(turn))
            .count()
    }

    /// At most `count` requests, of the connections that wait longest.
    pub(super) fn wanted(&self, count: usize) -> Vec<Wanted> {
        let due = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_due(self.turn));
        let mut due: Vec<_> = due.map(|(id, entry)| (entry.since, id)).collect();
        if count < due.len() {
            due.select_nth_unstable(count);
            due.truncate(count);
        }
        due.sort_unstable();
        due.into_iter()
            .filter_map(|(_, id)| self.request(id))
            .collect()
    }

    /// The request that `id` needs next.
    fn request(&self, id: &str) -> Option<Wanted> {
        let entry = self.entries.get(id)?;
        let offset = entry.look.as_ref().map_or(0, |look| look.offset);
        let few = entry.history.is_some() && offset == 0;
        Some(Wanted {
            id: id.into(),
            offset,
            limit: if few { SMALL_PAGE } else { LARGE_PAGE },
        })
    }

    /// What is known of `id`.
    pub(super) fn history(&self, id: &str) -> Option<Arc<History>> {
        self.entries.get(id)?.history.clone()
    }

    /// `id` could not be asked for: it goes to the end of the queue.
    pub(super) fn failed(&mut self, id: &str) {
        let turn = self.turn;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.asked = turn;
            entry.since = turn;
        }
    }

    /// The API has no timeline of `id`: there is nothing to ask for until its
    /// object changes.
    pub(super) fn absent(&mut self, id: &str) {
        let turn = self.turn;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.asked = turn;
            entry.give_up();
        }
    }

    /// Takes in the page that `wanted` asked for; `next` is where the one after
    /// it starts, `clock` is the API's, and `now` is on it. Returns what to ask
    /// for at once, where the look is not over.
    pub(super) fn read(
        &mut self,
        wanted: &Wanted,
        events: &[Event],
        next: Option<u64>,
        clock: ClockOffset,
        now: Timestamp,
        mut ended: impl FnMut(Ended<'_>),
    ) -> Option<Wanted> {
        let turn = self.turn;
        let entry = self.entries.get_mut(&*wanted.id)?;
        entry.give_up_on_old(now);
        let over = if entry.history.is_some() {
            entry.look_further(events, next, &mut ended)
        } else {
            let counted_from = clock.apply(entry.counted_from);
            entry.look_first(events, counted_from, turn, &mut ended);
            true
        };
        if over {
            entry.asked = turn;
            entry.since = turn;
            return None;
        }
        self.request(&wanted.id)
    }
}

/// Changes when something happens to a connection that its timeline may tell.
fn fingerprint(row: &Connection) -> u64 {
    let flow = &row.flow;
    let mut hasher = DefaultHasher::new();
    (
        row.status,
        row.last_auth_at,
        row.last_auth_check_at,
        (flow.status, flow.step, flow.kind),
        flow.expires_at,
        flow.error_code,
    )
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
