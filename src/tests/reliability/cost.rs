//! What collections cost: the fewest requests that tell what is wanted.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Route};

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, SCRAPE};
use crate::tests::common::clock::{StoppedClock, moment, until};

fn connection_flags(ids: &[String]) -> Vec<String> {
    ids.iter()
        .map(|id| format!("--kernel.connection={id}"))
        .collect()
}

async fn configured(connections: usize, ids: usize) -> Bench {
    // The same seed makes the same fleet, so the ids can be known before.
    let all = Bench::new(world(connections), &[]).await.ids();
    let flags = connection_flags(&all[all.len() - ids..]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Bench::new(world(connections), &flags).await
}

#[tokio::test]
async fn two_thousand_connections_cost_twenty_requests() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(2_000), &[]).await;
    // The first time each page has the last row of the one before once more.
    for cost in [21, 20, 20] {
        let scrape = bench.scrape().await;
        assert_eq!((scrape.outcome, scrape.statuses().len()), ("fresh", 2_000));
        assert_eq!(bench.cost(), cost);
    }
}

#[tokio::test]
async fn overlapping_scrapes_share_one_collection() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(2_000), &[]).await;
    let (one, other) = tokio::join!(bench.scrape(), bench.scrape());
    assert_eq!(bench.cost(), 21);
    let mut outcomes = [one.outcome, other.outcome];
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["fresh", "shared"]);
    assert_eq!(one.statuses(), other.statuses());
}

#[tokio::test]
async fn scrapes_within_the_cache_cost_nothing() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(30), &["--kernel.cache=30s"]).await;
    assert_eq!(bench.scrape().await.outcome, "fresh");
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(bench.scrape().await.outcome, "shared");
    assert_eq!(bench.cost(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(bench.scrape().await.outcome, "fresh");
    assert_eq!(bench.cost(), 1);
}

#[tokio::test]
async fn many_ids_of_a_short_list_cost_its_pages() {
    let _clock = StoppedClock::new();
    let bench = configured(400, 300).await;
    let first = bench.scrape().await;
    assert_eq!(first.statuses().len(), 300);
    assert!(bench.cost() <= 4);
    for _ in 0..3 {
        let scrape = bench.scrape().await;
        assert!(scrape.up());
        assert_eq!(scrape.statuses().len(), 300);
        assert_eq!(bench.cost(), 4);
    }
}

#[tokio::test]
async fn few_ids_of_a_long_list_are_asked_for_one_by_one() {
    let _clock = StoppedClock::new();
    let bench = configured(2_000, 3).await;
    for _ in 0..3 {
        let scrape = bench.scrape().await;
        assert_eq!((scrape.up(), scrape.statuses().len()), (true, 3));
        let log = bench.requests();
        assert_eq!((log.total, log.count(Route::Connection)), (3, 3));
    }
}

#[tokio::test]
async fn a_list_that_turns_out_short_is_preferred_later() {
    let _clock = StoppedClock::new();
    let bench = configured(50, 3).await;
    let mut costs = Vec::new();
    for _ in 0..13 {
        assert_eq!(bench.scrape().await.statuses().len(), 3);
        costs.push(bench.cost());
        tokio::time::advance(Duration::from_secs(15)).await;
    }
    assert_eq!(costs, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1]);
}

#[tokio::test]
async fn a_list_that_fails_is_no_reason_where_ids_can_be_asked_for() {
    let _clock = StoppedClock::new();
    let broken = || Fault::status(500).at(Route::Connections);
    let silent = || Fault::new(FaultKind::Silent).at(Route::Connections);
    // Three are asked for by id, until a list is tried for thrift; for ten, the
    // list is tried first. One that hangs takes the time of that collection.
    for (ids, fault, fails) in [(3, broken(), 0), (10, broken(), 0), (10, silent(), 6)] {
        let bench = configured(400, ids).await;
        bench.api.add_fault(fault);
        let (mut lists, mut down, mut empty) = (0, 0, 0);
        for _ in 0..40 {
            let scrape = bench.fast_scrape().await;
            down += usize::from(!scrape.up());
            let log = bench.requests();
            empty += usize::from(scrape.statuses().len() != ids);
            assert!(log.count(Route::Connection) <= ids as u64);
            lists += log.count(Route::Connections).min(1);
            tokio::time::advance(Duration::from_secs(15)).await;
        }
        assert!(
            down <= fails && empty <= fails.min(2),
            "{ids} ids: {down} {empty}"
        );
        assert!((1..=7).contains(&lists), "{lists}");
        // It is found out when the list is well.
        bench.api.clear_faults();
        let mut last = 0;
        for _ in 0..70 {
            assert!(bench.fast_scrape().await.up());
            last = bench.cost();
            tokio::time::advance(Duration::from_secs(15)).await;
        }
        assert!(last <= 4, "the list is shorter: {last}");
    }
}

#[tokio::test]
async fn an_outage_of_everything_changes_no_plan() {
    let _clock = StoppedClock::new();
    let bench = configured(90, 90).await;
    let mut fault = Fault::status(500);
    if let FaultKind::Status { should_retry, .. } = &mut fault.kind {
        *should_retry = Some(false);
    }
    bench.api.add_fault(fault);
    let mut cost = 0;
    for _ in 0..40 {
        assert!(!bench.fast_scrape().await.up());
        cost += bench.cost();
        tokio::time::advance(Duration::from_secs(15)).await;
    }
    assert!(cost < 60, "{cost}");
    bench.api.clear_faults();
    for _ in 0..5 {
        assert!(bench.fast_scrape().await.up());
        assert_eq!(bench.cost(), 1);
        tokio::time::advance(Duration::from_secs(15)).await;
    }
}

#[tokio::test]
async fn the_api_narrows_by_domain_and_profile() {
    let _clock = StoppedClock::new();
    let all = Bench::new(world(500), &[]).await;
    let row = all.api.truth().remove(7);
    let domain = format!("--kernel.domain={}", row.domain);
    let bench = Bench::new(world(500), &[&domain]).await;
    let expected: Vec<_> = all
        .api
        .truth()
        .into_iter()
        .filter(|other| other.domain == row.domain)
        .collect();
    let scrape = bench.scrape().await;
    assert_eq!(scrape.statuses().len(), expected.len());
    let log = bench.requests();
    assert_eq!(log.total, expected.len().div_ceil(100) as u64);
    assert_eq!(log.entries[0].parameter("domain"), Some(row.domain.clone()));

    let profile = format!("--kernel.profile={}", row.profile_name);
    let bench = Bench::new(world(500), &[&domain, &profile]).await;
    let scrape = bench.scrape().await;
    assert!(scrape.statuses().contains_key(&row.id));
    assert_eq!(bench.cost(), 1);
}

#[tokio::test]
async fn pages_are_fetched_side_by_side_from_the_second_walk_on() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(10_000), &[]).await;
    bench.scrape_within(Duration::from_mins(1)).await;
    bench.requests();
    let latency = Duration::from_millis(100);
    bench.api.set_latency(latency);

    // Each step of the clock is one answer's time, taken only once as many
    // requests are under way as there can be: the first page alone, then eight
    // at a time, then what is left.
    let scrape = bench.scrape();
    tokio::pin!(scrape);
    let everything_asked = |rounds: u64| {
        let log = bench.api.requests();
        // Those under way are in the total.
        let under_way = log.in_flight as u64;
        let answered = if rounds == 0 { 0 } else { 1 + 8 * (rounds - 1) };
        let next = if rounds == 0 {
            1
        } else {
            100_u64.saturating_sub(answered).min(8)
        };
        log.total - under_way == answered && under_way == next
    };
    let mut rounds = 0_u64;
    let scrape = loop {
        let step = async {
            until(|| everything_asked(rounds)).await;
            // The simulator has begun to wait by now.
            moment().await;
        };
        tokio::select! {
            biased;
            scrape = &mut scrape => break scrape,
            () = step => {
                // Timers are a millisecond coarse.
                tokio::time::advance(latency + Duration::from_millis(1)).await;
                rounds += 1;
            }
        }
    };
    assert_eq!(scrape.statuses().len(), 10_000);
    let log = bench.requests();
    assert_eq!(log.total, 100);
    assert_eq!(log.in_flight_high, 8, "no more than --kernel.concurrency");
    assert!(
        rounds <= 15,
        "1.2 × 100 / 8 answers' time, and it took {rounds}"
    );
}

#[tokio::test]
async fn a_long_list_of_unknown_length_is_searched_for_its_end() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(10_000), &[]).await;
    let scrape = bench.scrape_within(Duration::from_mins(1)).await;
    assert_eq!(scrape.statuses().len(), 10_000);
    let first = bench.cost();
    assert!(
        (100..=106).contains(&first),
        "the search for the end wastes little: {first}"
    );
    bench.scrape().await;
    assert_eq!(bench.cost(), 100);
}

#[tokio::test]
async fn a_smaller_page_is_followed_side_by_side_too() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(430), &[]).await;
    bench.api.add_fault(FaultKind::PageCap(50));
    for _ in 0..3 {
        let scrape = bench.scrape().await;
        assert_eq!((scrape.up(), scrape.statuses().len()), (true, 430));
        assert_eq!(bench.cost(), 9);
    }
}

#[tokio::test]
async fn pages_that_are_not_where_they_should_be_are_followed_one_by_one() {
    let _clock = StoppedClock::new();
    for fault in [
        // The cap changes in the middle of a walk.
        Fault {
            skip: 3,
            ..Fault::new(FaultKind::PageCap(30))
        },
        // A page with nothing on it, and more to come.
        Fault::new(FaultKind::EmptyPage(100)),
        Fault::new(FaultKind::EmptyPage(0)),
    ] {
        let bench = Bench::new(world(450), &[]).await;
        bench.scrape().await;
        bench.api.add_fault(fault.clone());
        for _ in 0..2 {
            let scrape = bench.scrape().await;
            assert!(scrape.up(), "{fault:?}");
            assert_eq!(scrape.statuses().len(), 450, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_list_that_grows_and_shrinks_is_read_to_its_end() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(350), &[]).await;
    bench.scrape().await;
    let more: Vec<String> = (0..120).map(|number| format!("new-{number}")).collect();
    for id in &more {
        bench
            .api
            .create_connection(None, Some(id), "new.example", "new")
            .unwrap();
    }
    bench.requests();
    assert_eq!(bench.scrape().await.statuses().len(), 470);
    assert_eq!(bench.cost(), 5);
    for id in &more[20..] {
        bench.api.remove_connection(id);
    }
    // The first shorter walk asks beyond the end; the next one knows better.
    bench.scrape().await;
    bench.requests();
    for _ in 0..4 {
        bench.scrape().await;
    }
    bench.requests();
    assert_eq!(bench.scrape().await.statuses().len(), 370);
    assert_eq!(bench.cost(), 4);
}

#[tokio::test]
async fn more_connections_than_the_bound_are_an_error_and_not_a_smaller_fleet() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(300), &["--kernel.max-connections=250"]).await;
    let scrape = bench.scrape_within(SCRAPE).await;
    assert_eq!((scrape.up(), scrape.outcome), (false, "empty"));
    assert_eq!(scrape.errors("too_many_connections"), 1.0);
    assert!(scrape.statuses().is_empty());
}
