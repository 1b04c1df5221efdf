use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::kernel::EventState;
use crate::model::{EventOutcome, EventSlot, EventType};
use crate::tests::common::rows::listed;

const ID: &str = "one";

/// What the first look finds is never counted.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// A timeline that grows, and what is to be counted of it.
#[derive(Default)]
struct World {
    /// Oldest first.
    events: Vec<Event>,
    /// Ends, by id.
    ended: BTreeMap<u64, EventOutcome>,
}

impl World {
    fn happens(&mut self, at: i64, finished: bool) {
        let id = self.events.len() as u64;
        self.events.push(Event {
            id,
            kind: Some(EventType::Login),
            at: Timestamp::from_seconds(at),
            completed_at: None,
            state: EventState::Unfinished,
            error_code: None,
        });
        if finished {
            self.ends(id);
        }
    }

    fn ends(&mut self, id: u64) {
        let event = usize::try_from(id)
            .ok()
            .and_then(|at| self.events.get_mut(at));
        let Some(event) = event.filter(|event| event.state == EventState::Unfinished) else {
            return;
        };
        let outcome = EventOutcome::ALL[usize::try_from(id % 4).unwrap()];
        event.state = EventState::Ended(outcome);
        self.ended.insert(id, outcome);
    }

    fn page(&self, wanted: &Wanted) -> (Vec<Event>, Option<u64>) {
        let offset = usize::try_from(wanted.offset).unwrap();
        let newest_first = self.events.iter().rev().skip(offset);
        let page: Vec<_> = newest_first.take(wanted.limit as usize).copied().collect();
        let end = offset + page.len();
        (page, (end < self.events.len()).then_some(end as u64))
    }
}

fn row(turn: u64) -> Connection {
    let body = format!(
        r#"[{{"id":"{ID}","domain":"d","profile_name":"p","status":"AUTHENTICATED",
            "last_auth_check_at":"2026-01-01T00:00:{:02}.{:06}Z"}}]"#,
        turn % 60,
        turn
    );
    listed(&body).remove(0)
}

/// Asks for what is wanted, at most `requests` times; returns how often.
fn pass(
    timelines: &mut Timelines,
    world: &mut World,
    requests: usize,
    flows: &mut usize,
    mut between: impl FnMut(&mut World),
) -> usize {
    let mut sent = 0;
    let mut next = timelines.wanted(requests).into_iter().next();
    while let Some(wanted) = next.take().filter(|_| sent < requests) {
        sent += 1;
        let (events, after) = world.page(&wanted);
        between(world);
        let now = events
            .first()
            .map_or_else(Timestamp::default, |event| event.at);
        let clock = ClockOffset::default();
        next = timelines.read(&wanted, &events, after, clock, now, |_| *flows += 1);
    }
    sent
}

fn counted(timelines: &Timelines) -> usize {
    let history = timelines.history(ID).unwrap_or_default();
    let slots = EventOutcome::ALL
        .iter()
        .filter_map(|outcome| EventSlot::of(EventType::Login, *outcome));
    usize::try_from(slots.map(|slot| history.count(slot)).sum::<u64>()).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Happens {
        count: usize,
        finished: bool,
        tie: bool,
    },
    Ends(usize),
    Collection {
        requests: usize,
    },
    ChangesWhileReading {
        requests: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (prop_oneof![9 => 1..8_usize, 1 => 50..300_usize], any::<bool>(), any::<bool>())
            .prop_map(|(count, finished, tie)| Step::Happens {
                // Logins run one at a time.
                count: if finished { count } else { 1 },
                finished,
                tie,
            }),
        3 => (0..8_usize).prop_map(Step::Ends),
        4 => (0..3_usize).prop_map(|requests| Step::Collection { requests }),
        1 => (1..4_usize).prop_map(|requests| Step::ChangesWhileReading { requests }),
    ]
}

proptest! {
    #[test]
    fn each_event_is_counted_once_when_it_has_ended(
        old in 0..150_usize, steps in proptest::collection::vec(step(), 1..60)
    ) {
        let (mut timelines, mut world) = (Timelines::new(NEVER), World::default());
        let (mut now, mut turn, mut flows) = (0, 0, 0);
        for _ in 0..old {
            now += 10;
            world.happens(now, true);
        }
        let mut listed = |timelines: &mut Timelines| {
            turn += 1;
            timelines.listed(&mut [row(turn)], NEVER, |_| false);
        };
        listed(&mut timelines);
        pass(&mut timelines, &mut world, 1, &mut flows, |_| {});
        prop_assert_eq!(counted(&timelines), 0);
        for step in steps {
            match step {
                Step::Happens { count, finished, tie } => {
                    let running = world.events.iter().any(|event| event.state == EventState::Unfinished);
                    for nth in 0..count {
                        if !(tie && nth == 0) {
                            now += 1;
                        }
                        world.happens(now, finished || running);
                    }
                }
                Step::Ends(back) => {
                    let id = world.events.len().saturating_sub(back + 1);
                    world.ends(id as u64);
                }
                Step::Collection { requests } => {
                    listed(&mut timelines);
                    let sent = pass(&mut timelines, &mut world, requests, &mut flows, |_| {});
                    prop_assert!(sent <= requests);
                }
                Step::ChangesWhileReading { requests } => {
                    listed(&mut timelines);
                    pass(&mut timelines, &mut world, requests, &mut flows, |world| {
                        now += 1;
                        world.happens(now, true);
                    });
                }
            }
            prop_assert!(counted(&timelines) <= world.ended.len() - old);
        }
        for _ in 0..200 {
            listed(&mut timelines);
            pass(&mut timelines, &mut world, 2, &mut flows, |_| {});
        }
        prop_assert_eq!(counted(&timelines), world.ended.len() - old);
        prop_assert_eq!(flows, counted(&timelines));
    }
}

#[test]
fn who_has_not_changed_is_not_asked_for() {
    let (mut timelines, mut world) = (Timelines::new(NEVER), World::default());
    world.happens(1, true);
    let mut flows = 0;
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    assert_eq!(timelines.waiting(), 1);
    assert_eq!(pass(&mut timelines, &mut world, 5, &mut flows, |_| {}), 1);
    assert_eq!(timelines.waiting(), 0);
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    assert_eq!(timelines.wanted(5), []);
    // Unless something goes on.
    world.happens(2, false);
    timelines.listed(&mut [row(2)], NEVER, |_| false);
    assert_eq!(pass(&mut timelines, &mut world, 5, &mut flows, |_| {}), 1);
    assert_eq!(timelines.wanted(5), [], "once after a collection");
    timelines.listed(&mut [row(2)], NEVER, |_| false);
    world.ends(1);
    assert_eq!(pass(&mut timelines, &mut world, 5, &mut flows, |_| {}), 1);
    timelines.listed(&mut [row(2)], NEVER, |_| false);
    assert_eq!(timelines.wanted(5), []);
    assert_eq!((counted(&timelines), flows), (1, 1));
}

#[test]
fn what_never_ends_hides_nothing_and_is_given_up() {
    const DAY: i64 = 86_400;
    let (mut timelines, mut world) = (Timelines::new(NEVER), World::default());
    (1..=2 * 8).for_each(|at| world.happens(at, false));
    let mut flows = 0;
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    pass(&mut timelines, &mut world, 1, &mut flows, |_| {});
    // More than are followed are unfinished, and one that ends is counted.
    world.happens(100, false);
    timelines.listed(&mut [row(2)], NEVER, |_| false);
    pass(&mut timelines, &mut world, 5, &mut flows, |_| {});
    world.ends(16);
    timelines.listed(&mut [row(3)], NEVER, |_| false);
    pass(&mut timelines, &mut world, 5, &mut flows, |_| {});
    assert_eq!((counted(&timelines), flows), (1, 1));
    // Days later nobody asks for those that are left.
    (0..500).for_each(|second| world.happens(3 * DAY + second, true));
    for turn in 4..8 {
        timelines.listed(&mut [row(4)], NEVER, |_| false);
        let sent = pass(&mut timelines, &mut world, 20, &mut flows, |_| {});
        assert!(sent <= 6 && (sent == 0 || turn < 6), "{turn}: {sent}");
    }
    assert_eq!(flows, 501);
}

#[test]
fn who_waits_longest_is_first_and_who_is_gone_is_forgotten() {
    let mut timelines = Timelines::new(NEVER);
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    timelines.failed(ID);
    assert_eq!(timelines.wanted(5), [], "not twice after a collection");
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    assert_eq!(timelines.wanted(5).len(), 1);
    timelines.absent(ID);
    timelines.listed(&mut [row(1)], NEVER, |_| false);
    assert_eq!(timelines.wanted(5), [], "there is none");
    timelines.listed(&mut [], NEVER, |_| false);
    assert!(timelines.entries.is_empty());
}
