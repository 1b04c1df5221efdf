//! That what is shown is what the API said, and only that: lists that change
//! while they are read, ghosts, clocks, limits that are no longer published.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kernel_api_simulator::{
    DEFAULT_API_KEY, Fault, FaultKind, KeyScope, Options, Route, Rows, Spoil,
};
use tokio::time::advance;

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, Scrape};
use crate::tests::common::clock::{StoppedClock, fast, until};

const FETCHED: &str = "kernel_auth_snapshot_timestamp_seconds";

fn reason(scrape: &Scrape) -> Option<String> {
    let (written, _) = scrape.of("kernel_auth_failure_reason").next()?;
    let labels = crate::tests::common::metrics::labels(written);
    Some(labels["reason"].to_owned())
}

fn at(kind: FaultKind, offset: usize) -> Fault {
    Fault {
        offset: Some(offset),
        ..Fault::new(kind).at(Route::Connections)
    }
}

#[tokio::test]
async fn a_first_walk_notices_rows_that_move_and_walks_again() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(450), &[]).await;
    // Each page but the first finds one row less before it, the first time.
    bench.api.add_fault(Fault {
        times: Some(4),
        ..Fault::new(FaultKind::DeleteRows(1)).at(Route::Connections)
    });
    let scrape = bench.scrape().await;
    assert!(scrape.up());
    let statuses = scrape.statuses();
    assert_eq!(statuses, bench.truth());
    assert!(bench.cost() >= 10, "twice from the start");
}

#[tokio::test]
async fn a_first_walk_of_a_list_that_never_stands_still_says_so() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(450), &[]).await;
    bench
        .api
        .add_fault(Fault::new(FaultKind::DeleteRows(1)).at(Route::Connections));
    let scrape = bench.scrape().await;
    assert_eq!(reason(&scrape).as_deref(), Some("paging"));
    assert!(scrape.statuses().is_empty(), "nobody knows what is missing");
    assert!(bench.cost() <= 3 * 5);
    bench.api.clear_faults();
    let scrape = bench.scrape().await;
    assert!(scrape.up());
    assert_eq!(scrape.statuses(), bench.truth());
}

#[tokio::test]
async fn new_rows_at_the_top_hide_none_of_the_others() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(450), &[]).await;
    let there = bench.truth();
    bench
        .api
        .add_fault(Fault::new(FaultKind::InsertRows(1)).at(Route::Connections));
    let scrape = bench.scrape().await;
    assert!(scrape.up());
    let statuses = scrape.statuses();
    assert!(
        there
            .iter()
            .all(|(id, status)| statuses.get(id) == Some(status))
    );
    assert!(bench.cost() <= 5, "walked once");
}

#[tokio::test]
async fn ghosts_of_a_bulk_deletion_last_two_collections_at_most() {
    let _clock = StoppedClock::new();
    for left in [200, 0] {
        let bench = Bench::new(world(2_000), &[]).await;
        bench.scrape().await;
        for id in &bench.ids()[left..] {
            bench.api.remove_connection(id);
        }
        assert!(bench.scrape().await.up());
        let scrape = bench.scrape().await;
        assert!(scrape.up());
        assert_eq!(scrape.statuses(), bench.truth(), "{left} left");
    }
}

#[tokio::test]
async fn an_offset_behind_the_end_ends_the_walk_well() {
    let _clock = StoppedClock::new();
    for status in [400, 404] {
        let bench = Bench::new(world(1_000), &[]).await;
        assert!(bench.scrape().await.up());
        for id in &bench.ids()[700..] {
            bench.api.remove_connection(id);
        }
        for offset in [700, 800, 900] {
            let Fault { kind, .. } = Fault::status(status);
            bench.api.add_fault(at(kind, offset));
        }
        assert!(bench.scrape().await.up(), "{status}");
        let scrape = bench.scrape().await;
        assert!(scrape.up(), "{status}");
        assert_eq!(scrape.statuses(), bench.truth(), "{status}");
        bench.requests();
        bench.scrape().await;
        assert_eq!(bench.cost(), 7, "it has learnt how long the list is");
    }
}

#[tokio::test]
async fn a_snapshot_is_as_old_as_its_oldest_page() {
    let bench = Bench::new(world(150), &[]).await;
    let latency = Duration::from_millis(400);
    bench.api.set_latency(latency);
    let scrape = bench.scrape().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - scrape.value(FETCHED).unwrap();
    assert!(age >= 2.0 * latency.as_secs_f64(), "two pages ago: {age}");
}

#[tokio::test]
async fn the_apis_clock_is_believed_within_reason_and_not_for_ever() {
    let _clock = StoppedClock::new();
    let offset = |scrape: &Scrape| scrape.value("kernel_auth_api_clock_offset_seconds");
    let odd =
        |scrape: &Scrape| scrape.value("kernel_auth_api_unknown_values_total{field=\"date\"}");
    let bench = Bench::new(world(3), &[]).await;
    bench.api.add_fault(FaultKind::DateSkew(3_600));
    let scrape = bench.scrape().await;
    assert!((offset(&scrape).unwrap() - 3_600.0).abs() < 10.0);
    // A proxy's error page, with yesterday's date or not, tells nothing.
    bench.api.clear_faults();
    bench.api.add_fault(Fault::status(502));
    let scrape = bench.fast_scrape().await;
    assert!(!scrape.up() && (offset(&scrape).unwrap() - 3_600.0).abs() < 10.0);
    advance(Duration::from_mins(10)).await;
    assert_eq!(offset(&bench.fast_scrape().await), None, "forgotten");
    bench.api.clear_faults();
    bench.api.add_fault(FaultKind::DateSkew(-2 * 86_400));
    let scrape = bench.scrape().await;
    assert_eq!((offset(&scrape), odd(&scrape)), (None, Some(1.0)));
    bench.api.clear_faults();
    assert_eq!(offset(&bench.scrape().await), Some(0.0));
}

#[tokio::test]
async fn a_stored_answer_tells_the_time_with_its_age() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(3), &[]).await;
    bench.api.add_fault(FaultKind::DateSkew(-3_600));
    let age = FaultKind::Header("age".to_owned(), "3600".to_owned());
    bench.api.add_fault(age);
    let scrape = bench.scrape().await;
    let offset = scrape.value("kernel_auth_api_clock_offset_seconds");
    assert_eq!(offset, Some(0.0));
}

#[tokio::test]
async fn a_limit_that_is_no_longer_published_is_forgotten() {
    let _clock = StoppedClock::new();
    let limited = Options {
        rate_limit: Some(10),
        ..world(300)
    };
    let bench = Bench::new(limited, &[]).await;
    let limit = "kernel_auth_api_ratelimit_limit";
    assert!(bench.scrape().await.has(limit));
    bench.api.set_rate_limit(None);
    advance(Duration::from_mins(1)).await;
    bench.scrape().await;
    advance(Duration::from_mins(2)).await;
    let scrape = bench.scrape().await;
    assert_eq!((scrape.outcome, scrape.has(limit)), ("fresh", false));
    assert!(!scrape.has("kernel_auth_api_ratelimit_remaining"));
    assert_eq!(bench.scrape().await.outcome, "fresh", "and not enforced");
}

#[tokio::test]
async fn accounts_with_the_same_key_share_the_organisations_limit() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yml");
    let account = |name: &str, project: &str| {
        format!("  - {{name: {name}, api_key_env: KERNEL_API_KEY, projects: [{project}]}}\n")
    };
    let options = Options {
        projects: 2,
        rate_limit: Some(20),
        ..world(400)
    };
    let probe = Bench::new(options.clone(), &[]).await;
    let projects = probe.api.projects();
    let text = account("a", &projects[0].0) + &account("b", &projects[1].0);
    fs::write(&path, format!("accounts:\n{text}")).unwrap();
    let flag = format!("--config.file={}", path.display());
    let bench = Bench::new(options, &[&flag]).await;
    for _ in 0..4 {
        bench.fast_scrape().await;
        advance(Duration::from_secs(5)).await;
    }
    assert!(bench.cost() <= 10, "half of twenty, together");
}

#[tokio::test]
async fn accounts_of_one_organisation_share_its_limit_whatever_their_keys() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yml");
    let account = |name: &str| format!("  - {{name: {name}, api_key_env: KEY_{name}}}\n");
    let text = account("A") + &account("B");
    fs::write(&path, format!("accounts:\n{text}")).unwrap();
    let flag = format!("--config.file={}", path.display());
    let options = Options {
        rate_limit: Some(40),
        ..world(300)
    };
    let env = [("KEY_A", DEFAULT_API_KEY), ("KEY_B", "sk_two")];
    let bench = Bench::with_key(options, &[&flag], &env).await;
    bench.api.add_api_key("sk_two", KeyScope::Organization);
    bench.collect_and_settle().await;
    assert_eq!(bench.requests().count(Route::AuthContext), 0, "not for one");
    bench.collect_and_settle().await;
    let log = bench.requests();
    assert_eq!(log.count(Route::AuthContext), 2, "each asks once");
    let mut cost = 6 + log.total;
    for _ in 0..12 {
        bench.fast_scrape().await;
        advance(Duration::from_secs(4)).await;
        let log = bench.requests();
        assert_eq!(log.count(Route::AuthContext), 0);
        cost += log.total;
    }
    assert!((15..=20).contains(&cost), "half of forty, together: {cost}");
}

#[tokio::test]
async fn one_bad_row_does_not_switch_the_cache_off() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(30), &["--kernel.cache=30s"]).await;
    let id = bench.ids().remove(3);
    bench
        .api
        .add_fault(FaultKind::Row(Spoil::NoId, Rows::Id(id)));
    assert!(!bench.scrape().await.up());
    bench.requests();
    let scrape = bench.scrape().await;
    assert_eq!((scrape.up(), bench.cost()), (false, 0));
}

#[tokio::test]
async fn a_lost_row_is_named_by_its_place() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(150), &[]).await;
    let id = bench.ids().remove(3);
    bench
        .api
        .add_fault(FaultKind::Row(Spoil::NoId, Rows::Id(id)));
    bench.scrape().await;
    let fleet = bench.exporter.watcher.last();
    let message = &fleet.scopes[0].failure.as_ref().unwrap().message;
    assert!(message.contains("the one at offset "), "{message}");
}

#[tokio::test]
async fn a_key_that_changes_in_the_middle_of_a_walk_fails_none() {
    let _clock = StoppedClock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_demo").unwrap();
    let env = [("KERNEL_API_KEY_FILE", path.to_str().unwrap())];
    let limited = Options {
        rate_limit: Some(1_000_000),
        ..world(2_000)
    };
    let bench = Bench::with_key(limited, &["--kernel.concurrency=4"], &env).await;
    assert!(bench.scrape().await.up());
    bench.api.set_latency(Duration::from_millis(200));
    for turn in 0..20 {
        bench.requests();
        let scrape = fast(bench.scrape());
        tokio::pin!(scrape);
        tokio::select! {
            _ = &mut scrape => panic!("a walk has twenty pages"),
            () = until(|| bench.api.requests().total > turn % 15) => {}
        }
        let key = format!("sk_{turn}");
        fs::write(&path, &key).unwrap();
        bench.api.set_api_key(&key);
        let scrape = scrape.await;
        assert!(scrape.up(), "turn {turn}: {:?}", reason(&scrape));
    }
}

#[tokio::test]
async fn strangers_cost_eight_walks_a_minute_where_no_limit_is_published() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(250), &[]).await;
    for _ in 0..50 {
        assert!(bench.scrape().await.up());
    }
    assert_eq!(bench.cost(), 8 * 3);
    let scrape = bench.scrape().await;
    assert_eq!((scrape.outcome, scrape.statuses().len()), ("budgeted", 250));
    advance(Duration::from_mins(1)).await;
    assert_eq!(bench.scrape().await.outcome, "fresh");
    // Two servers that ask every fifteen seconds never meet the bound.
    let bench = Bench::new(world(250), &[]).await;
    for _ in 0..40 {
        assert_eq!(bench.scrape().await.outcome, "fresh");
        advance(Duration::from_millis(7_500)).await;
    }
}

#[tokio::test]
async fn a_page_that_is_not_the_apis_is_not_taken_for_its_word() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(3), &[]).await;
    let before = bench.scrape().await;
    bench.api.add_fault(FaultKind::Html);
    let scrape = bench.scrape().await;
    assert_eq!(reason(&scrape).as_deref(), Some("proxy"));
    assert_eq!(scrape.statuses(), before.statuses());
    let limit = FaultKind::Header("x-ratelimit-limit".into(), "1".into());
    bench.api.add_fault(limit);
    let scrape = bench.scrape().await;
    assert_eq!(scrape.of("kernel_auth_api_ratelimit_limit").count(), 0);
    bench.api.clear_faults();
    assert!(bench.scrape().await.up(), "it holds nothing back");
}
