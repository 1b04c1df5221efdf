//! Events that ended before their connection was looked at, or that the API
//! tells of later than of what they changed.

use std::fs;
use std::time::Duration;

use kernel_api_simulator::{
    CheckOutcome, ErrorCode, EventStatus, Fault, FlowKind, Happening, Route,
};
use tokio::time::advance;

use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;
use crate::tests::common::metrics::Metrics;

const FAILED: &str = "kernel_auth_flow_errors_total{error_code=\"bot_detected\",type=\"login\"}";

/// Failed logins of the connection, where they are shown.
fn failures(shown: &Metrics, id: &str) -> Option<f64> {
    let all = shown.of("kernel_auth_connection_events_total");
    let mut of_it = all.filter(|(series, _)| {
        let parts = [id, "type=\"login\"", "outcome=\"FAILED\""];
        parts.iter().all(|part| series.contains(part))
    });
    of_it.next().map(|(_, value)| value)
}

fn fails(bench: &Bench, id: &str) {
    let start = Happening::FlowStarts(FlowKind::Login);
    let end = Happening::FlowEnds(EventStatus::Failed, Some(ErrorCode::BotDetected));
    bench.api.happen(id, &start);
    bench.api.advance(Duration::from_secs(5));
    bench.api.happen(id, &end);
}

#[tokio::test]
async fn the_first_login_of_a_new_connection_is_counted_after_it_was_shown_as_none() {
    let bench = Bench::new(world(1), &["--collector.timeline"]).await;
    bench.collect_and_settle().await;
    let id = bench
        .api
        .create_connection(None, None, "new.example", "new")
        .unwrap();
    fails(&bench, &id);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let scrape = bench.scrape().await;
        seen.push(failures(&scrape, &id));
        bench.settle().await;
    }
    assert_eq!(seen, [None, Some(0.0), Some(1.0), Some(1.0)]);
    assert_eq!(bench.scrape().await.value(FAILED), Some(1.0));
}

#[tokio::test]
async fn an_event_that_the_timeline_tells_of_later_is_found_by_the_next_look() {
    let bench = Bench::new(world(1), &["--collector.timeline"]).await;
    let id = bench.ids().remove(0);
    bench.collect_and_settle().await;
    bench.collect_and_settle().await;
    let before = failures(&bench.shown(), &id);
    // The object has changed, and its timeline is that of before.
    let check = Happening::Check(CheckOutcome::Inconclusive);
    bench.api.happen(&id, &check);
    bench.collect_and_settle().await;
    bench.requests();
    fails(&bench, &id);
    // As if nothing in the object told of the login.
    bench.collect_and_settle().await;
    assert_eq!(bench.requests().count(Route::Timeline), 1, "looked again");
    let after = failures(&bench.shown(), &id);
    assert_eq!(after, before.map(|count| count + 1.0));
}

#[tokio::test]
async fn two_accounts_that_see_one_connection_count_its_logins_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yml");
    let account = |name: &str| format!("  - {{name: {name}, api_key_env: KERNEL_API_KEY}}\n");
    let text = format!("accounts:\n{}{}", account("a"), account("b"));
    fs::write(&path, text + "collectors: {timeline: true}\n").unwrap();
    let flag = format!("--config.file={}", path.display());
    let bench = Bench::new(world(1), &[&flag]).await;
    let id = bench.ids().remove(0);
    bench.collect_and_settle().await;
    fails(&bench, &id);
    bench.collect_and_settle().await;
    bench.collect_and_settle().await;
    let shown = bench.shown();
    let each = shown.of("kernel_auth_connection_events_total");
    let each = each.filter(|(series, value)| series.contains("\"FAILED\"") && *value > 0.0);
    assert_eq!(each.count(), 2, "an account's own series each");
    assert_eq!(shown.value(FAILED), Some(1.0));
}

#[tokio::test]
async fn a_reload_counts_nothing_again_and_nothing_old() {
    let [timeline, one, two] = [
        "--collector.timeline",
        "--kernel.domain=one.example",
        "--kernel.domain=two.example",
    ];
    let options = kernel_api_simulator::Options {
        rate_limit: Some(100_000),
        ..world(0)
    };
    let mut bench = Bench::new(options, &[timeline, one]).await;
    let [seen, unseen] = ["one.example", "two.example"].map(|domain| {
        let made = bench.api.create_connection(None, None, domain, "profile");
        made.unwrap()
    });
    bench.collect_and_settle().await;
    bench.collect_and_settle().await;
    for id in [&seen, &unseen] {
        fails(&bench, id);
        fails(&bench, id);
    }
    bench.collect_and_settle().await;
    assert_eq!(failures(&bench.shown(), &seen), Some(2.0));
    // More is watched; nothing for a while; all of it again, at last without
    // what was watched first.
    for (flags, counts) in [
        (&[timeline, one, two][..], [Some(2.0), Some(0.0)]),
        (&[one, two], [None, None]),
        (&[timeline, one, two], [Some(0.0), Some(0.0)]),
        (&[timeline, two], [None, Some(0.0)]),
    ] {
        bench.api.advance(Duration::from_mins(1));
        bench.reload(flags);
        for _ in 0..4 {
            bench.collect_and_settle().await;
        }
        let shown = bench.shown();
        assert_eq!([&seen, &unseen].map(|id| failures(&shown, id)), counts);
    }
    fails(&bench, &unseen);
    bench.collect_and_settle().await;
    assert_eq!(failures(&bench.shown(), &unseen), Some(1.0));
}

#[tokio::test]
async fn what_ends_while_a_connection_cannot_be_read_is_counted() {
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        rate_limit: Some(100_000),
        ..world(3)
    };
    let ids = Bench::new(options.clone(), &[]).await.ids();
    let flags = ids.iter().map(|id| format!("--kernel.connection={id}"));
    let mut flags: Vec<String> = flags.collect();
    flags.push("--collector.timeline".to_owned());
    flags.push("--kernel.hold=1s".to_owned());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let bench = Bench::new(options, &flags).await;
    let id = &ids[1];
    for _ in 0..3 {
        bench.collect_and_settle().await;
    }
    let before = failures(&bench.shown(), id).unwrap();
    bench.api.add_fault(Fault {
        id: Some(id.clone()),
        ..Fault::status(500).at(Route::Connection)
    });
    // It goes on for longer than the connection is held.
    for turn in 0..3 {
        advance(Duration::from_secs(10)).await;
        if turn == 1 {
            fails(&bench, id);
        }
        bench.fast_scrape().await;
        bench.settle().await;
        assert_eq!(failures(&bench.shown(), id), None);
    }
    bench.api.clear_faults();
    for _ in 0..3 {
        bench.collect_and_settle().await;
    }
    let counted = failures(&bench.shown(), id).unwrap() - before;
    assert!((counted - 1.0).abs() < 1e-9, "{counted}");
}
