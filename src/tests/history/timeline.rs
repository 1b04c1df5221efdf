//! The collector `timeline`.

use std::time::Duration;

use kernel_api_simulator::{
    self, CheckOutcome, ErrorCode, EventKind, EventStatus, Fault, FaultKind, FlowKind, Happening,
    Options, Route,
};

use super::ledger::{
    Counts, EVENTS, by, counted, hold_fleet_against_ledger, ledger,
    newest_times_are_those_of_the_timelines, since,
};
use crate::tests::common::api;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::{StoppedClock, moment};
use crate::tests::common::metrics::Metrics;

const ON: &str = "--collector.timeline";
const MINUTE: Duration = Duration::from_mins(1);

/// A world with a limit that nobody reaches, so that collections may follow
/// each other as fast as they come.
fn world(connections: usize) -> Options {
    Options {
        rate_limit: Some(1_000_000),
        ..api::world(connections)
    }
}

#[tokio::test]
async fn after_a_day_the_counters_are_the_worlds_own() {
    let flags = [ON, "--kernel.timeline-requests=200"];
    let bench = Bench::new(world(60), &flags).await;
    bench.collect_and_settle().await;
    let shown = bench.shown();
    assert_eq!(counted(&shown), Counts::new(), "nothing has happened yet");
    // Gaps of all sizes: events come one by one and in heaps.
    for minute in 0..24 * 60 {
        bench.api.advance(MINUTE);
        if minute % 3 == 0 && minute % 100 < 60 {
            bench.collect_and_settle().await;
        }
    }
    for _ in 0..3 {
        bench.collect_and_settle().await;
    }
    let shown = bench.shown();
    assert_eq!(
        shown.value("kernel_auth_timeline_pending_connections"),
        Some(0.0)
    );
    assert!(
        ledger(&bench).len() > 100,
        "a day without events proves nothing"
    );
    assert_eq!(counted(&shown), ledger(&bench));
    hold_fleet_against_ledger(&bench, &shown);
    newest_times_are_those_of_the_timelines(&bench, &shown);
}

#[tokio::test]
async fn a_burst_longer_than_a_page_is_read_over_several_collections() {
    let bench = Bench::new(world(1), &[ON, "--kernel.timeline-requests=1"]).await;
    bench.collect_and_settle().await;
    let id = bench.api.truth()[0].id.clone();
    let check = Happening::Check(CheckOutcome::Confirmed);
    for _ in 0..430 {
        bench.api.advance(Duration::from_secs(1));
        bench.api.happen(&id, &check);
    }
    let mut collections = 0;
    while counted(&bench.shown()) != ledger(&bench) {
        bench.requests();
        bench.collect_and_settle().await;
        assert!(bench.requests().count(Route::Timeline) <= 1);
        // One more in the middle of it.
        if collections == 2 {
            bench.api.advance(Duration::from_secs(1));
            bench.api.happen(&id, &check);
        }
        collections += 1;
        assert!(collections < 15, "{:?}", counted(&bench.shown()));
    }
    assert!(collections >= 5, "{collections}");
}

#[tokio::test]
async fn an_unfinished_login_is_counted_when_it_ends() {
    let bench = Bench::new(world(1), &[ON]).await;
    let id = bench.api.truth()[0].id.clone();
    // Under way when the exporter comes.
    bench
        .api
        .happen(&id, &Happening::FlowStarts(FlowKind::Login));
    bench.collect_and_settle().await;
    let failed = |shown: &Metrics| {
        let labels = ["type", "outcome"];
        let of = |kind: &str, outcome: &str| vec![kind.to_owned(), outcome.to_owned()];
        by(shown, EVENTS, &labels)[&of("login", "FAILED")]
    };
    let before = failed(&bench.shown());
    // Other things happen on top of it.
    for _ in 0..30 {
        bench.api.advance(Duration::from_secs(1));
        bench
            .api
            .happen(&id, &Happening::Check(CheckOutcome::Inconclusive));
        bench.collect_and_settle().await;
    }
    assert!((failed(&bench.shown()) - before).abs() < 1e-9);
    let end = Happening::FlowEnds(EventStatus::Failed, Some(ErrorCode::BotDetected));
    bench.api.advance(Duration::from_secs(12));
    bench.api.happen(&id, &end);
    for _ in 0..3 {
        bench.collect_and_settle().await;
        let shown = bench.shown();
        assert!((failed(&shown) - before - 1.0).abs() < 1e-9, "once");
        let series = "kernel_auth_flow_errors_total{error_code=\"bot_detected\",type=\"login\"}";
        assert_eq!(shown.value(series), Some(1.0));
        let series = "kernel_auth_flow_duration_seconds_sum{outcome=\"FAILED\",type=\"login\"}";
        assert_eq!(shown.value(series), Some(42.0));
    }
    bench.requests();
    bench.collect_and_settle().await;
    assert_eq!(
        bench.requests().count(Route::Timeline),
        0,
        "nothing goes on any more"
    );
}

#[tokio::test]
async fn a_restart_counts_nothing_old_and_a_reload_loses_nothing() {
    let flags = [ON, "--kernel.timeline-requests=200"];
    let mut bench = Bench::new(world(40), &flags).await;
    bench.collect_and_settle().await;
    bench.api.advance(6 * 60 * MINUTE);
    bench.collect_and_settle().await;
    let first = ledger(&bench);
    assert!(!first.is_empty());
    assert_eq!(counted(&bench.shown()), first);

    bench.restart(&flags);
    bench.collect_and_settle().await;
    assert_eq!(counted(&bench.shown()), Counts::new());
    assert!(
        bench
            .shown()
            .text
            .contains("kernel_auth_connection_last_success_age_seconds{")
    );
    bench.api.advance(6 * 60 * MINUTE);
    bench.collect_and_settle().await;
    let second = since(&first, ledger(&bench));
    assert!(!second.is_empty());
    assert_eq!(counted(&bench.shown()), second);

    bench.reload(&[ON, "--kernel.timeline-requests=100"]);
    assert_eq!(counted(&bench.shown()), second);
    bench.api.advance(6 * 60 * MINUTE);
    bench.collect_and_settle().await;
    assert_eq!(counted(&bench.shown()), since(&first, ledger(&bench)));
}

#[tokio::test]
async fn ten_thousand_of_which_fifty_change_catch_up_in_three_collections() {
    let few = "--metrics.states=active";
    let many = [ON, few, "--kernel.timeline-requests=1000"];
    let mut bench = Bench::new(world(10_000), &many).await;
    for _ in 0..11 {
        bench.collect_and_settle().await;
    }
    bench.reload(&[ON, few]);
    // Whoever had something under way is looked at until it ends.
    for _ in 0..3 {
        bench.collect_and_settle().await;
    }
    let busy = bench.api.truth();
    let busy = busy
        .iter()
        .filter(|row| row.flow_status.as_deref() == Some("IN_PROGRESS"));
    for row in busy {
        bench
            .api
            .happen(&row.id, &Happening::FlowEnds(EventStatus::Canceled, None));
    }
    let mut quiet = 0;
    while bench
        .shown()
        .value("kernel_auth_timeline_pending_connections")
        != Some(0.0)
        || quiet == 0
    {
        bench.requests();
        bench.collect_and_settle().await;
        quiet = usize::from(bench.requests().count(Route::Timeline) == 0);
    }
    let before = counted(&bench.shown());
    let known = ledger(&bench);
    let changed: Vec<String> = bench
        .api
        .truth()
        .into_iter()
        .step_by(200)
        .map(|row| row.id)
        .collect();
    assert_eq!(changed.len(), 50);
    for id in &changed {
        bench
            .api
            .happen(id, &Happening::FlowStarts(FlowKind::Reauth));
        bench
            .api
            .happen(id, &Happening::FlowEnds(EventStatus::Success, None));
    }
    let mut timelines = 0;
    for _ in 0..3 {
        bench.requests();
        bench.collect_and_settle().await;
        let log = bench.requests();
        let asked = log.count(Route::Timeline);
        assert!(asked <= 20, "{asked}");
        assert_eq!(log.total - asked, 100, "the list itself");
        timelines += asked;
    }
    assert_eq!(timelines, 50);
    let gained = since(&before, counted(&bench.shown()));
    assert_eq!(gained.len(), 50);
    assert_eq!(gained, since(&known, ledger(&bench)));
    assert!(
        gained
            .keys()
            .all(|key| key[1] == EventKind::Reauth.as_str())
    );
}

#[tokio::test]
async fn zeros_are_there_unless_only_active_states_are_wanted() {
    let mut bench = Bench::new(world(3), &[ON]).await;
    bench.collect_and_settle().await;
    assert_eq!(
        by(
            &bench.shown(),
            EVENTS,
            &["connection_id", "type", "outcome"]
        )
        .len(),
        30
    );
    bench.reload(&[ON, "--metrics.states=active"]);
    assert!(!bench.shown().text.contains(EVENTS));
    bench.reload(&[]);
    assert!(!bench.shown().text.contains("kernel_auth_flow_errors_total"));
}

#[tokio::test]
async fn a_timeline_that_fails_leaves_the_collection_whole_and_is_tried_again() {
    let bench = Bench::new(world(30), &[ON, "--kernel.timeline-requests=30"]).await;
    for fault in [Fault::status(500), Fault::status(403), Fault::status(404)] {
        bench.api.add_fault(Fault {
            routes: vec![Route::Timeline],
            ..fault
        });
        bench.requests();
        bench.collect_and_settle().await;
        let asked = bench.requests().count(Route::Timeline);
        assert!((1..=30).contains(&asked), "{asked}");
        let shown = bench.shown();
        assert_eq!(shown.value("kernel_auth_up"), Some(1.0));
        assert!(!shown.text.contains(EVENTS));
        bench.api.clear_faults();
    }
    // Without a timeline now; with one once something happens.
    for row in bench.api.truth() {
        bench.api.advance(Duration::from_secs(1));
        bench
            .api
            .happen(&row.id, &Happening::Check(CheckOutcome::Confirmed));
    }
    bench.collect_and_settle().await;
    let shown = bench.shown();
    assert_eq!(
        shown.value("kernel_auth_timeline_pending_connections"),
        Some(0.0)
    );
    assert_eq!(by(&shown, EVENTS, &["connection_id"]).len(), 30);
}

#[tokio::test]
async fn only_kernel_says_that_there_is_no_timeline() {
    for (code, asked_again) in [("route_not_found", 3), ("not_found", 0)] {
        let bench = Bench::new(world(3), &[ON]).await;
        let kind = FaultKind::Status {
            status: 404,
            code: Some(code.to_owned()),
            retry_after: None,
            should_retry: None,
        };
        bench.api.add_fault(Fault {
            routes: vec![Route::Timeline],
            ..Fault::new(kind)
        });
        bench.collect_and_settle().await;
        bench.requests();
        bench.collect_and_settle().await;
        let again = bench.requests().count(Route::Timeline);
        assert_eq!(again, asked_again, "{code}");
    }
}

#[tokio::test]
async fn a_scrape_waits_for_no_timeline_and_a_second_one_asks_for_none_twice() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(30), &[ON]).await;
    bench.api.add_fault(Fault {
        routes: vec![Route::Timeline],
        ..Fault::new(FaultKind::Silent)
    });
    // The clock stands still, so that whoever waited would wait for ever.
    for _ in 0..3 {
        bench.collect().await;
    }
    while bench.api.requests().in_flight < 4 {
        moment().await;
    }
    assert_eq!(
        bench.requests().count(Route::Timeline),
        4,
        "those of the first collection"
    );
    bench.api.clear_faults();
    tokio::time::advance(5 * MINUTE).await;
    bench.settle().await;
    bench.collect_and_settle().await;
    assert_eq!(bench.requests().count(Route::Timeline), 20);
}

#[tokio::test]
async fn timelines_leave_the_quota_to_the_collections() {
    let _clock = StoppedClock::new();
    let limited = kernel_api_simulator::Options {
        rate_limit: Some(60),
        ..world(250)
    };
    let flags = [
        ON,
        "--kernel.timeline-requests=500",
        "--kernel.quota-share=0.5",
    ];
    let bench = Bench::new(limited, &flags).await;
    let mut asked = Vec::new();
    for _ in 0..6 {
        // Fresh each time, as `collect` holds.
        bench.collect_and_settle().await;
        let log = bench.requests();
        assert!(log.total <= 30, "{} requests in a minute", log.total);
        asked.push(log.count(Route::Timeline));
        tokio::time::advance(MINUTE).await;
    }
    assert!(asked.iter().skip(1).all(|asked| *asked >= 20), "{asked:?}");
}

#[tokio::test]
async fn nothing_that_nobody_should_read_gets_out() {
    let bench = Bench::new(world(20), &[ON, "--collector.org"]).await;
    bench.collect_and_settle().await;
    bench.api.advance(60 * MINUTE);
    bench.collect_and_settle().await;
    let text = bench.shown().text;
    assert!(text.contains(EVENTS));
    assert!(!text.contains(kernel_api_simulator::SENSITIVE_MARK));
}
