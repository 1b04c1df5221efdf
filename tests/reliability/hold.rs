//! What is served while the API fails, for how long, and what ends it.

use std::time::Duration;

use kernel_auth_exporter::simulator::{Fault, FaultKind, Route};
use tokio::time::advance;

use crate::harness::{Bench, StoppedClock, until, world};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_last_known_state_is_held_and_then_gone() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &["--kernel.hold=5m"]).await;
    let before = bench.scrape().await;
    let taken = before.value("kernel_auth_snapshot_timestamp_seconds");
    bench.api.add_fault(Fault::status(503));
    for _ in 0..4 {
        advance(MINUTE).await;
        let scrape = bench.fast_scrape().await;
        assert_eq!((scrape.up(), scrape.outcome), (false, "held"));
        assert_eq!(scrape.statuses(), before.statuses());
        assert_eq!(
            scrape.value("kernel_auth_snapshot_timestamp_seconds"),
            taken
        );
    }
    advance(2 * MINUTE).await;
    let scrape = bench.fast_scrape().await;
    assert_eq!((scrape.up(), scrape.outcome), (false, "empty"));
    assert!(scrape.statuses().is_empty());
    assert_eq!(
        scrape.value("kernel_auth_connections{status=\"AUTHENTICATED\"}"),
        None
    );
    bench.api.clear_faults();
    assert_eq!(bench.scrape().await.statuses(), before.statuses());
}

#[tokio::test]
async fn with_no_hold_a_failure_shows_nothing() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &["--kernel.hold=0s"]).await;
    assert_eq!(bench.scrape().await.statuses().len(), 50);
    bench.api.add_fault(Fault::status(500));
    let scrape = bench.fast_scrape().await;
    assert_eq!(scrape.outcome, "empty");
    assert!(scrape.statuses().is_empty());
}

#[tokio::test]
async fn a_half_read_list_is_a_failure_and_not_a_fleet_that_shrank() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(450), &[]).await;
    let before = bench.scrape().await;
    // The first pages come, the third never does.
    bench.api.add_fault(Fault {
        offset: Some(200),
        ..Fault::status(500)
    });
    let scrape = bench.fast_scrape().await;
    assert!(!scrape.up());
    assert_eq!(scrape.statuses(), before.statuses());
}

#[tokio::test]
async fn a_scrape_that_runs_out_of_time_is_answered_and_the_next_one_is_served() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(250), &[]).await;
    let before = bench.scrape().await;
    bench
        .api
        .set_connection(&bench.ids()[0], serde_json::json!({"status": "NEEDS_AUTH"}));
    bench.requests();
    bench.api.set_latency(Duration::from_secs(2));

    // Three pages of two seconds: too long for this scrape, not for the
    // collection, which has ten.
    let short = bench.scrape_within(Duration::from_secs(1));
    tokio::pin!(short);
    let scrape = loop {
        tokio::select! {
            biased;
            scrape = &mut short => break scrape,
            () = until(|| bench.api.requests().in_flight > 0) => {
                advance(Duration::from_millis(1_500)).await;
            }
        }
    };
    assert_eq!(scrape.outcome, "held");
    assert_eq!(scrape.statuses(), before.statuses());

    let next = bench.fast_scrape().await;
    assert_eq!((next.outcome, next.up()), ("shared", true));
    assert_eq!(next.statuses(), bench.truth());
    assert_eq!(bench.cost(), 3, "one collection served both");
}

#[tokio::test]
async fn one_accounts_bad_hour_leaves_the_others_fresh() {
    let _clock = StoppedClock::new();
    let good = Bench::new(world(20), &[]).await;
    let bench = Bench::new(
        kernel_auth_exporter::simulator::Options {
            projects: 2,
            ..world(40)
        },
        &["--kernel.project=all"],
    )
    .await;
    drop(good);
    let before = bench.scrape().await;
    assert_eq!(before.statuses().len(), 40);
    let (bad, _, _) = bench.api.projects().remove(1);
    bench
        .api
        .add_fault(Fault::status(500).at(Route::Connections).project(&bad));
    let scrape = bench.fast_scrape().await;
    let up = |project: &str| scrape.value(&format!("kernel_auth_up{{project=\"{project}\"}}"));
    assert_eq!(up(&bad), Some(0.0));
    let others: Vec<_> = bench
        .api
        .projects()
        .into_iter()
        .filter(|(id, _, active)| *active && *id != bad)
        .collect();
    assert!(others.iter().all(|(id, _, _)| up(id) == Some(1.0)));
    assert_eq!(scrape.statuses(), before.statuses());
}

#[tokio::test]
async fn ages_go_on_growing_while_held() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &[]).await;
    let age_of = |scrape: &crate::harness::Scrape| {
        let name = "kernel_auth_connection_last_auth_check_age_seconds{";
        let line = scrape
            .text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let before = age_of(&bench.scrape().await);
    bench.api.add_fault(FaultKind::HangUp);
    let first = age_of(&bench.fast_scrape().await);
    let second = age_of(&bench.fast_scrape().await);
    assert!(
        before < first && first < second,
        "{before} {first} {second}"
    );
}
