//! The organisation's rate limit, which serves the agents too.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, RetryAfter, Route};
use tokio::time::{Instant, advance};

use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;

fn limited(connections: usize, per_minute: u32) -> kernel_api_simulator::Options {
    kernel_api_simulator::Options {
        rate_limit: Some(per_minute),
        ..world(connections)
    }
}

#[tokio::test]
async fn at_most_the_share_of_the_limit_is_used_in_a_minute() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(limited(250, 60), &["--kernel.quota-share=0.5"]).await;
    let begun = Instant::now();
    let mut sent: Vec<(Duration, u64)> = Vec::new();
    let mut outcomes = std::collections::BTreeSet::new();
    for _ in 0..80 {
        let scrape = bench.fast_scrape().await;
        assert!(
            scrape.up(),
            "an earlier snapshot served to save the quota is no failure"
        );
        assert_eq!(scrape.statuses().len(), 250);
        outcomes.insert(scrape.outcome);
        let log = bench.requests();
        assert_eq!(
            log.counts
                .iter()
                .filter(|count| count.status == 429)
                .count(),
            0
        );
        sent.push((begun.elapsed(), log.total));
        advance(Duration::from_secs(5)).await;
    }
    for (start, _) in &sent {
        let minute: u64 = sent
            .iter()
            .filter(|(at, _)| at >= start && *at < *start + Duration::from_mins(1))
            .map(|(_, requests)| requests)
            .sum();
        assert!(minute <= 30, "{minute} requests in a minute");
    }
    assert_eq!(
        outcomes.into_iter().collect::<Vec<_>>(),
        ["budgeted", "fresh"]
    );
}

#[tokio::test]
async fn without_a_limit_no_failure_costs_more_than_eight_collections_a_minute() {
    let _clock = StoppedClock::new();
    let few = ["--kernel.max-connections=300"];
    // One that fails late, over what is held; one that never brings anything.
    for (flags, held) in [(&[][..], true), (&few[..], false)] {
        let bench = Bench::new(world(1_000), flags).await;
        if held {
            assert!(bench.fast_scrape().await.up());
            let mut late = Fault::status(500).at(Route::Connections);
            late.offset = Some(900);
            bench.api.add_fault(late);
            bench.fast_scrape().await;
            advance(Duration::from_mins(2)).await;
        }
        bench.requests();
        let begun = Instant::now();
        let mut cost = Vec::new();
        while begun.elapsed() < Duration::from_secs(50) {
            let scrape = bench.fast_scrape().await;
            assert!(!scrape.up());
            assert_eq!(scrape.statuses().len(), if held { 1_000 } else { 0 });
            cost.push(bench.cost());
            advance(Duration::from_secs(2)).await;
        }
        let asked = cost.iter().filter(|cost| **cost > 0).count();
        assert!((1..=8).contains(&asked), "{asked} of {}", cost.len());
        assert!(cost.len() > 16, "{cost:?}");
    }
}

#[tokio::test]
async fn a_fleet_larger_than_the_share_is_read_at_the_pace_it_allows() {
    let _clock = StoppedClock::new();
    // Twelve pages, five requests a minute.
    let bench = Bench::new(limited(1_200, 10), &["--kernel.quota-share=0.5"]).await;
    let mut seen = Vec::new();
    for _ in 0..40 {
        let scrape = bench.fast_scrape().await;
        seen.push(scrape.statuses().len());
        advance(Duration::from_secs(10)).await;
    }
    assert_eq!(seen[0], 0, "nothing is known at first");
    assert_eq!(seen.last(), Some(&1_200), "and then all of it: {seen:?}");
    let first = seen.iter().position(|count| *count > 0).unwrap();
    assert!(
        seen[first..].iter().all(|count| *count == 1_200),
        "{seen:?}"
    );
    let log = bench.requests();
    assert!(
        log.counts.iter().all(|count| count.status == 200),
        "{:?}",
        log.counts
    );
}

#[tokio::test]
async fn the_exporter_steps_back_before_the_agents_feel_it() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &["--kernel.quota-share=1"]).await;
    bench.api.add_fault(FaultKind::Header(
        "X-RateLimit-Limit".to_owned(),
        "100".to_owned(),
    ));
    bench.api.add_fault(FaultKind::Header(
        "X-RateLimit-Remaining".to_owned(),
        "5".to_owned(),
    ));
    let first = bench.scrape().await;
    assert_eq!(first.outcome, "fresh");
    assert_eq!(first.value("kernel_auth_api_ratelimit_limit"), Some(100.0));
    assert_eq!(
        first.value("kernel_auth_api_ratelimit_remaining"),
        Some(5.0)
    );
    bench.requests();
    let scrape = bench.scrape().await;
    assert_eq!((scrape.outcome, scrape.up()), ("budgeted", true));
    assert_eq!(bench.cost(), 0);
    advance(Duration::from_mins(1)).await;
    assert_eq!(bench.scrape().await.outcome, "fresh");
}

#[tokio::test]
async fn a_429_of_a_timeline_is_told_as_what_it_is() {
    let _clock = StoppedClock::new();
    let flags = ["--kernel.hold=0s", "--collector.timeline"];
    let bench = Bench::new(world(5), &flags).await;
    let mut fault = Fault::status(429).at(Route::Timeline);
    if let FaultKind::Status { retry_after, .. } = &mut fault.kind {
        *retry_after = Some(RetryAfter::Text("30".to_owned()));
    }
    bench.api.add_fault(fault);
    bench.collect_and_settle().await;
    advance(Duration::from_secs(1)).await;
    let scrape = bench.fast_scrape().await;
    assert!(!scrape.up(), "nothing is held, and nothing may be asked");
    let reason = "kernel_auth_failure_reason{reason=\"rate_limited\"}";
    assert_eq!(scrape.value(reason), Some(1.0));
}

#[tokio::test]
async fn after_a_429_nothing_is_sent_until_its_time_has_passed() {
    let _clock = StoppedClock::new();
    let text = |text: &str| Some(RetryAfter::Text(text.to_owned()));
    for (name, retry_after, quiet) in [
        ("seconds", text("30"), 30),
        ("a fraction", text("20.5"), 20),
        (
            "a date",
            Some(RetryAfter::Date(Duration::from_secs(40))),
            39,
        ),
        ("an hour is believed for a minute", text("3600"), 60),
        ("nonsense", text("soon"), 5),
        ("nothing", None, 5),
    ] {
        let bench = Bench::new(world(250), &[]).await;
        let before = bench.scrape().await;
        bench.requests();
        bench.api.add_fault(
            Fault::new(FaultKind::Status {
                status: 429,
                code: None,
                retry_after,
                should_retry: Some(false),
            })
            .times(1),
        );
        let scrape = bench.scrape().await;
        assert_eq!((scrape.up(), scrape.outcome), (false, "held"), "{name}");
        assert_eq!(scrape.errors("rate_limited"), 1.0, "{name}");
        assert_eq!(bench.cost(), 1, "{name}");
        advance(
            Duration::from_secs(quiet)
                .checked_sub(Duration::from_millis(100))
                .unwrap(),
        )
        .await;
        for _ in 0..3 {
            let scrape = bench.scrape().await;
            assert_eq!((scrape.outcome, scrape.up()), ("held", false), "{name}");
            assert_eq!(scrape.statuses(), before.statuses(), "{name}");
        }
        assert_eq!(bench.cost(), 0, "{name}: across scrapes");
        advance(Duration::from_millis(1_200)).await;
        let scrape = bench.scrape().await;
        assert_eq!((scrape.up(), scrape.outcome), (true, "fresh"), "{name}");
    }
}

#[tokio::test]
async fn every_wait_is_counted() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &[]).await;
    bench.api.add_fault(
        Fault::new(FaultKind::Status {
            status: 429,
            code: None,
            retry_after: Some(RetryAfter::Text("2".to_owned())),
            should_retry: None,
        })
        .times(1),
    );
    bench.api.add_fault(Fault::status(500).skip(1).times(1));
    let scrape = bench.fast_scrape().await;
    assert!(scrape.up());
    let waited = |reason: &str| {
        scrape
            .value(&format!(
                "kernel_auth_api_wait_seconds_total{{reason=\"{reason}\"}}"
            ))
            .unwrap()
    };
    assert!(
        (waited("retry_after") - 2.0).abs() < 0.5,
        "{}",
        waited("retry_after")
    );
    assert!(waited("backoff") > 0.3);
    let retries = |reason: &str| {
        scrape
            .value(&format!(
                "kernel_auth_api_retries_total{{reason=\"{reason}\"}}"
            ))
            .unwrap()
    };
    assert_eq!(
        (retries("rate_limited"), retries("server_error")),
        (1.0, 1.0)
    );
}

#[tokio::test]
async fn a_walk_of_many_minutes_lets_no_series_go() {
    let _clock = StoppedClock::new();
    // Thirty pages at five requests a minute are six minutes, and the hold is
    // five.
    let bench = Bench::new(limited(3_000, 10), &["--kernel.quota-share=0.5"]).await;
    let mut seen = Vec::new();
    for _ in 0..120 {
        let scrape = bench.fast_scrape().await;
        seen.push((scrape.statuses().len(), scrape.outcome));
        advance(Duration::from_secs(10)).await;
    }
    let first = seen.iter().position(|(count, _)| *count > 0).unwrap();
    assert!(
        seen[first..].iter().all(|(count, _)| *count == 3_000),
        "{seen:?}"
    );
    assert!(
        seen[first + 1..]
            .iter()
            .all(|(_, outcome)| ["budgeted", "fresh", "shared"].contains(outcome)),
        "{seen:?}"
    );
}
