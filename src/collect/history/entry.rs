//! One connection's timeline: looked down from its newest event to the first
//! known one. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::kernel::{Event, EventState};
use crate::model::{EventOutcome, EventSlot, EventType, History, Timestamp};

/// Ids that are kept of a connection's events.
const RECENT: usize = 8;

/// Unfinished events that are followed, per connection. The API runs one login
/// at a time.
const UNFINISHED: usize = 8;

/// A login takes twenty minutes at most; one that is still unfinished after so
/// long never ends.
const LONGEST: Duration = Duration::from_hours(24);

/// What is remembered of one connection.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// `None` before the first look.
    pub(super) history: Option<Arc<History>>,
    /// The object as it was last listed.
    pub(super) listed: u64,
    /// The same when a look last began that came to its end.
    looked: Option<u64>,
    /// The first collection that listed it, and the last one.
    first_seen: u64,
    pub(super) seen: u64,
    /// What ended before is not counted.
    pub(super) counted_from: Timestamp,
    /// The last collection after which it was asked for.
    pub(super) asked: u64,
    /// The collection since which it waits.
    pub(super) since: u64,
    /// The newest known events, newest first.
    recent: Vec<Mark>,
    /// Events up to here are known, whether or not they are in `recent`.
    floor: Option<Timestamp>,
    unfinished: Vec<Mark>,
    pub(super) look: Option<Box<Look>>,
    /// Something changed and its timeline did not tell of it yet.
    look_again: bool,
    /// What the first look found that is to be counted.
    uncounted: Option<Box<Uncounted>>,
}

/// Events that ended after this program had started and before it first read
/// the timeline. A counter that begins with them would show no increase, so it
/// is shown at 0 once.
#[derive(Debug)]
struct Uncounted {
    /// The collection after which it was read.
    turn: u64,
    slots: Vec<EventSlot>,
}

/// An event, to be known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    id: u64,
    at: Timestamp,
}

/// A look under way.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The object as it was listed when the look began.
    listed: u64,
    /// Where the next page starts.
    pub(super) offset: u64,
    /// The newest events when the look began, newest first.
    top: Vec<Mark>,
    /// How far down it has got, and the events at just that time.
    reached: Option<Timestamp>,
    edge: Vec<u64>,
    /// A known event was met.
    met_known: bool,
    /// Unfinished events that were met.
    still_unfinished: Vec<u64>,
    /// Something was met that was not known.
    met_new: bool,
}

/// A login that ended, for the counters of the whole fleet.
pub(in crate::collect) struct Ended<'a> {
    pub(in crate::collect) kind: EventType,
    pub(in crate::collect) outcome: EventOutcome,
    pub(in crate::collect) event: &'a Event,
}

impl Entry {
    /// A connection that the collection `first_seen` was the first to list.
    pub(super) fn new(first_seen: u64, counted_from: Timestamp) -> Self {
        Self {
            first_seen,
            counted_from,
            ..Self::default()
        }
    }

    /// There is no timeline: nothing to ask for until the object changes.
    pub(super) fn give_up(&mut self) {
        self.looked = Some(self.listed);
        self.look = None;
        self.look_again = false;
        self.unfinished.clear();
    }

    /// Whether there is something to ask for.
    pub(super) fn waits(&self) -> bool {
        self.looked != Some(self.listed)
            || self.look_again
            || self.look.is_some()
            || !self.unfinished.is_empty()
    }

    /// Whether it waits, and was not asked for since the last collection.
    pub(super) fn is_due(&self, turn: u64) -> bool {
        self.waits() && self.asked < turn
    }

    /// The first page of a connection's timeline sets the stage. What ended
    /// before `counted_from`, on the API's clock, is history; what ended since
    /// is counted a little later.
    pub(super) fn look_first(
        &mut self,
        events: &[Event],
        counted_from: Timestamp,
        turn: u64,
        ended: &mut impl FnMut(Ended<'_>),
    ) {
        let mut history = History::default();
        let mut slots = Vec::new();
        for event in events {
            note_times(&mut history, event);
            if event.state == EventState::Unfinished {
                self.follow(Mark::of(event));
            }
            if event.completed_at.unwrap_or(event.at) >= counted_from {
                slots.extend(slot_of(event, ended));
            }
        }
        self.remember(events.iter().map(Mark::of).take(RECENT + 1).collect());
        self.look_again = slots.is_empty() && self.first_seen > 1;
        self.uncounted = (!slots.is_empty()).then(|| Box::new(Uncounted { turn, slots }));
        self.history = Some(Arc::new(history));
        self.looked = Some(self.listed);
    }

    /// Counts what the first look found, once it was shown as not counted.
    pub(super) fn count_late(&mut self, turn: u64) {
        let Some(late) = self.uncounted.take_if(|late| late.turn + 1 < turn) else {
            return;
        };
        let history = Arc::make_mut(self.history.get_or_insert_default());
        late.slots.iter().for_each(|slot| history.add(*slot));
    }

    /// Goes one page further down. Returns whether the look is over.
    pub(super) fn look_further(
        &mut self,
        events: &[Event],
        next: Option<u64>,
        ended: &mut impl FnMut(Ended<'_>),
    ) -> bool {
        let mut look = self.look.take().unwrap_or_else(|| {
            Box::new(Look {
                listed: self.listed,
                ..Look::default()
            })
        });
        let mut history = self.history.take().unwrap_or_default();
        for event in events {
            if look.has_passed(event) {
                continue;
            }
            let mark = Mark::of(event);
            if look.top.len() <= RECENT {
                look.top.push(mark);
            }
            let known = self.knows(mark);
            look.met_known |= known;
            let before = history.as_ref();
            let mut after = before.clone();
            note_times(&mut after, event);
            let followed = self.unfinished.iter().position(|open| open.id == mark.id);
            match (event.state, followed) {
                (EventState::Unfinished, Some(_)) => look.still_unfinished.push(mark.id),
                (EventState::Unfinished, None) if !known => {
                    self.follow(mark);
                    look.still_unfinished.push(mark.id);
                }
                (EventState::Unfinished, None) => {}
                (EventState::Ended(_) | EventState::Unknown, followed) => {
                    if let Some(place) = followed {
                        self.unfinished.remove(place);
                    }
                    if followed.is_some() || !known {
                        look.met_new = true;
                        if let Some(slot) = slot_of(event, ended) {
                            after.add(slot);
                        }
                    }
                }
            }
            if after != *before {
                history = Arc::new(after);
            }
        }
        self.history = Some(history);
        look.pass(events);
        let gone = |mark: &Mark| look.reached.is_some_and(|reached| mark.at > reached);
        let settled = |mark: &Mark| look.still_unfinished.contains(&mark.id) || gone(mark);
        let over = look.met_known && self.unfinished.iter().all(settled);
        if let Some(next) = next.filter(|_| !over) {
            look.offset = next;
            self.look = Some(look);
            return false;
        }
        self.unfinished
            .retain(|mark| look.still_unfinished.contains(&mark.id));
        // An event may appear a little after the object has changed.
        let changed = self.looked != Some(look.listed);
        self.look_again = changed && !look.met_new && look.still_unfinished.is_empty();
        self.looked = Some(look.listed);
        self.remember(look.top);
        true
    }

    fn knows(&self, mark: Mark) -> bool {
        self.floor.is_some_and(|floor| mark.at <= floor)
            || self.recent.iter().any(|known| known.id == mark.id)
    }

    fn follow(&mut self, mark: Mark) {
        self.unfinished.push(mark);
        if self.unfinished.len() > UNFINISHED {
            self.unfinished
                .sort_by_key(|mark| std::cmp::Reverse(mark.at));
            self.unfinished.pop();
        }
    }

    /// Gives up on what has been unfinished for longer than any login takes.
    pub(super) fn give_up_on_old(&mut self, now: Timestamp) {
        let is_young = |mark: &Mark| now.span_since(mark.at) < LONGEST;
        self.unfinished.retain(is_young);
    }

    /// Puts `top` over what is known.
    fn remember(&mut self, mut top: Vec<Mark>) {
        for mark in std::mem::take(&mut self.recent) {
            if top.iter().all(|known| known.id != mark.id) {
                top.push(mark);
            }
        }
        top.sort_by_key(|mark| std::cmp::Reverse(mark.at));
        self.floor = self.floor.max(top.get(RECENT).map(|mark| mark.at));
        top.truncate(RECENT);
        top.shrink_to_fit();
        self.recent = top;
    }
}

impl Look {
    /// Whether an earlier page of this look had it, or it came after the look
    /// began: new events push the others down.
    fn has_passed(&self, event: &Event) -> bool {
        self.reached.is_some_and(|reached| {
            event.at > reached || (event.at == reached && self.edge.contains(&event.id))
        })
    }

    fn pass(&mut self, events: &[Event]) {
        let Some(lowest) = events.iter().map(|event| event.at).min() else {
            return;
        };
        if self.reached.is_none_or(|reached| lowest < reached) {
            self.reached = Some(lowest);
            self.edge.clear();
        }
        let at_edge = events.iter().filter(|event| Some(event.at) == self.reached);
        self.edge.extend(at_edge.map(|event| event.id));
        self.edge.sort_unstable();
        self.edge.dedup();
    }
}

impl Mark {
    fn of(event: &Event) -> Self {
        Self {
            id: event.id,
            at: event.at,
        }
    }
}

fn note_times(history: &mut History, event: &Event) {
    match (event.kind, event.state) {
        (Some(EventType::Login | EventType::Reauth), EventState::Ended(EventOutcome::Success)) => {
            let at = event.completed_at.unwrap_or(event.at);
            history.last_success = history.last_success.max(Some(at));
        }
        (Some(EventType::HealthCheck), EventState::Ended(EventOutcome::Authenticated)) => {
            history.last_confirmed = history.last_confirmed.max(Some(event.at));
        }
        _ => {}
    }
}

/// What `event` counts as, once it has ended; logins are told to `ended`.
fn slot_of(event: &Event, ended: &mut impl FnMut(Ended<'_>)) -> Option<EventSlot> {
    let (Some(kind), EventState::Ended(outcome)) = (event.kind, event.state) else {
        return None;
    };
    let slot = EventSlot::of(kind, outcome)?;
    if kind != EventType::HealthCheck {
        ended(Ended {
            kind,
            outcome,
            event,
        });
    }
    Some(slot)
}
