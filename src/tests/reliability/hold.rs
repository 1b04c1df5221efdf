//! What is served while the API fails, for how long, and what ends it.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, KeyScope, Route};
use tokio::time::advance;

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, Scrape};
use crate::tests::common::clock::{StoppedClock, until};

const MINUTE: Duration = Duration::from_mins(1);

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
    advance(Duration::from_millis(1)).await;
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
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yml");
    let accounts =
        "accounts:\n- {name: good, api_key_env: GOOD}\n- {name: bad, api_key_env: BAD}\n";
    std::fs::write(&file, accounts).unwrap();
    let config = format!("--config.file={}", file.display());
    let keys = [("GOOD", "sk_good"), ("BAD", "sk_bad")];
    let bench = Bench::with_key(world(40), &[&config], &keys).await;
    for (_, key) in keys {
        bench.api.add_api_key(key, KeyScope::Organization);
    }
    let before = bench.scrape().await;
    assert!(before.is_up_everywhere());
    bench.api.add_fault(Fault {
        key: Some("sk_bad".to_owned()),
        ..Fault::status(500)
    });
    advance(MINUTE).await;
    let scrape = bench.fast_scrape().await;
    let of = |scrape: &Scrape, name: &str, account: &str| {
        scrape.value(&format!("{name}{{account=\"{account}\"}}"))
    };
    assert_eq!(of(&scrape, "kernel_auth_up", "good"), Some(1.0));
    assert_eq!(of(&scrape, "kernel_auth_up", "bad"), Some(0.0));
    let taken = "kernel_auth_snapshot_timestamp_seconds";
    assert!(of(&scrape, taken, "good") > of(&before, taken, "good"));
    assert_eq!(of(&scrape, taken, "bad"), of(&before, taken, "bad"));
    let rows = |scrape: &Scrape| {
        let rows = scrape
            .text
            .lines()
            .filter(|line| line.starts_with("kernel_auth_connection_status{"));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&scrape), rows(&before));
}

#[tokio::test]
async fn one_projects_bad_hour_leaves_the_others_fresh() {
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        projects: 3,
        ..world(60)
    };
    let bench = Bench::new(options, &["--kernel.project=all"]).await;
    let before = bench.scrape().await;
    assert_eq!(
        (before.is_up_everywhere(), before.statuses().len()),
        (true, 60)
    );
    let (bad, _, _) = bench.api.projects().remove(1);
    bench
        .api
        .add_fault(Fault::status(500).at(Route::Connections).project(&bad));
    let scrape = bench.fast_scrape().await;
    for (id, _, archived) in bench.api.projects() {
        let up = scrape.value(&format!("kernel_auth_up{{project=\"{id}\"}}"));
        assert_eq!(
            up,
            (!archived).then_some(if id == bad { 0.0 } else { 1.0 }),
            "{id}"
        );
    }
    assert_eq!(scrape.statuses(), before.statuses());
}

#[tokio::test]
async fn ages_are_true_while_held() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(1), &[]).await;
    bench.scrape().await;
    bench.api.add_fault(FaultKind::HangUp);
    let scrape = bench.fast_scrape().await;
    assert_eq!(scrape.outcome, "held");
    let of = |rest: &str| {
        let name = format!("kernel_auth_connection_last_auth_check_{rest}");
        let (_, value) = scrape.of(&name).next().unwrap();
        value
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs_f64() - of("timestamp_seconds");
    assert!((of("age_seconds") - age).abs() < 60.0, "{age}");
    assert!(of("age_seconds").fract() == 0.0, "whole seconds");
}
