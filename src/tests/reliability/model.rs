//! A fleet that changes at random while it is walked, under faults at random:
//! each state that is shown is one that the API had, and what is not shown was
//! not there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use kernel_api_simulator::{Fault, FaultKind, Options, Route, Rows, Spoil};
use tokio::time::advance;

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, Scrape};
use crate::tests::common::clock::StoppedClock;

/// As long as a busy machine has for it.
const PATIENCE: Duration = Duration::from_secs(45);

/// Scrapes in which a ghost may be seen: the list must lack it twice.
const GHOST: usize = 2;

/// What the API has said of one connection, and when it was deleted.
#[derive(Default)]
struct Story {
    /// By scrape: the states that it had before, during and after.
    states: BTreeMap<usize, BTreeSet<String>>,
    gone: Option<usize>,
}

struct Model {
    /// As the variable `MODEL_SEED` it makes the same again.
    seed: u64,
    bench: Bench,
    random: fastrand::Rng,
    turn: usize,
    stories: BTreeMap<String, Story>,
}

impl Model {
    /// Notes what the API has at this moment.
    fn note(&mut self) {
        let truth = self.bench.truth();
        for (id, status) in &truth {
            let story = self.stories.entry(id.clone()).or_default();
            let states = story.states.entry(self.turn).or_default();
            states.insert(status.clone());
        }
        let turn = self.turn;
        for (id, story) in &mut self.stories {
            if !truth.contains_key(id) {
                story.gone.get_or_insert(turn);
            }
        }
    }

    fn change(&mut self) {
        let ids = self.bench.ids();
        for _ in 0..self.random.usize(0..6) {
            let id = self.random.choice(&ids).cloned();
            let Some(id) = id else { continue };
            match self.random.usize(0..4) {
                0 => drop(self.bench.api.remove_connection(&id)),
                1 => {
                    let created = self
                        .bench
                        .api
                        .create_connection(None, None, "new.example", "p");
                    created.unwrap();
                }
                _ => {
                    let either = ["AUTHENTICATED", "NEEDS_AUTH"];
                    let members = serde_json::json!({"status": self.random.choice(either)});
                    self.bench.api.set_connection(&id, members);
                }
            }
        }
    }

    fn fault(&mut self) {
        self.bench.api.clear_faults();
        let ids = self.bench.ids();
        let fault = match self.random.usize(0..14) {
            0 => Fault::new(FaultKind::DeleteRows(1)),
            1 => Fault::new(FaultKind::InsertRows(self.random.usize(1..4))),
            2 => Fault::new(FaultKind::DuplicateRows(3)),
            3 => Fault::new(FaultKind::PageCap(self.random.usize(20..100))),
            4 => Fault::new(FaultKind::Html),
            5 => Fault::new(FaultKind::Truncate),
            6 => Fault::status(400),
            7 => Fault::status(401),
            8 => match self.random.choice(&ids) {
                Some(id) => Fault::new(FaultKind::Row(Spoil::NoId, Rows::Id(id.clone()))),
                None => return,
            },
            _ => return,
        };
        let fault = Fault {
            skip: self.random.u64(0..3),
            times: Some(self.random.u64(1..4)),
            ..fault
        };
        self.bench.api.add_fault(fault.at(Route::Connections));
    }

    fn check(&self, scrape: &Scrape) {
        let up = scrape.up();
        let shown = scrape.statuses();
        let whole = self.stories.iter();
        // What was there before, during and after, and for which a scrape that
        // came whole has no series.
        let missing = whole.filter(|(id, story)| {
            let there = story.gone.is_none() && story.states.len() > 1;
            up && there && !shown.contains_key(*id)
        });
        let missing: Vec<_> = missing.map(|(id, _)| id).collect();
        let seed = self.seed;
        assert!(missing.is_empty(), "seed {seed}: {missing:?} are missing");
        for (id, status) in &shown {
            let story = &self.stories[id];
            // A row that cannot be read or asked for is held for a while.
            let oldest = if up {
                self.turn.saturating_sub(GHOST)
            } else {
                0
            };
            let said = story.states.range(oldest..).flat_map(|(_, states)| states);
            let last = story.states.values().next_back().into_iter().flatten();
            let all: BTreeSet<_> = if story.gone.is_some() {
                said.chain(last).collect()
            } else {
                said.collect()
            };
            assert!(
                all.contains(status),
                "seed {seed}: {id} is {status}, and was {all:?}"
            );
            let gone = story.gone.is_some_and(|gone| self.turn > gone + GHOST);
            assert!(!(up && gone), "seed {seed}: {id} is a ghost");
        }
    }
}

#[tokio::test]
async fn nothing_is_shown_that_the_api_did_not_say() {
    let _clock = StoppedClock::new();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = match std::env::var("MODEL_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(since.unwrap().subsec_nanos()),
    };
    let options = Options {
        rate_limit: Some(1_000_000),
        ..world(350)
    };
    let mut model = Model {
        seed,
        bench: Bench::new(options, &["--kernel.hold=5m"]).await,
        random: fastrand::Rng::with_seed(seed),
        turn: 0,
        stories: BTreeMap::new(),
    };
    let begun = Instant::now();
    while model.turn < 200 && begun.elapsed() < PATIENCE {
        model.turn += 1;
        model.change();
        model.fault();
        model.note();
        let scrape = model.bench.fast_scrape().await;
        model.note();
        model.check(&scrape);
        advance(Duration::from_secs(15)).await;
    }
    assert!(model.turn > 20, "a machine this slow proves little");
    model.bench.api.clear_faults();
    for _ in 0..=GHOST {
        model.bench.fast_scrape().await;
    }
    let scrape = model.bench.fast_scrape().await;
    assert_eq!(scrape.statuses(), model.bench.truth());
}
