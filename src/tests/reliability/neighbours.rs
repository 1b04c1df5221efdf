//! What hangs, or is asked for too often, is nobody else's trouble.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, RetryAfter, Route};
use tokio::time::{Instant, advance, sleep};

use crate::collect::Request;
use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::{StoppedClock, fast, until};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn projects_that_hang_leave_the_pages_of_another_their_places() {
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        projects: 30,
        ..world(30 * 250)
    };
    let bench = Bench::new(options, &["--kernel.project=all"]).await;
    assert!(bench.scrape().await.is_up_everywhere());
    let mut projects = bench.api.projects();
    projects.retain(|(.., archived)| !archived);
    projects.sort_unstable();
    // The last one in the order in which they are asked.
    let (well, ..) = projects.pop().unwrap();
    for (project, ..) in projects {
        let hangs = Fault::new(FaultKind::Silent).project(&project);
        bench.api.add_fault(hangs.at(Route::Connections));
    }
    // The first ones find out.
    for _ in 0..2 {
        bench.fast_scrape().await;
        fast(sleep(5 * SECOND)).await;
    }
    for _ in 0..2 {
        fast(sleep(5 * SECOND)).await;
        let scrape = bench.fast_scrape().await;
        let up = scrape.of("kernel_auth_up").filter(|(_, up)| *up == 1.0);
        let up: Vec<_> = up.map(|(series, _)| series.to_owned()).collect();
        assert_eq!(up, [format!("project=\"{well}\"")]);
    }
    bench.api.clear_faults();
    for _ in 0..2 {
        bench.fast_scrape().await;
    }
    assert!(bench.fast_scrape().await.is_up_everywhere());
}

#[tokio::test]
async fn one_stalled_answer_is_given_up_however_patient_the_scraper_is() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(10), &[]).await;
    bench.scrape().await;
    bench.api.add_fault(Fault::new(FaultKind::Silent).times(1));
    let scrape = fast(bench.scrape_within(600 * SECOND)).await;
    assert!(scrape.up());
    assert_eq!(scrape.errors("timeout"), 1.0);
    assert!(scrape.took < 25 * SECOND, "{:?}", scrape.took);
}

#[tokio::test]
async fn a_probe_that_runs_out_of_time_is_counted() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(2), &[]).await;
    bench.scrape().await;
    bench.api.add_fault(FaultKind::Silent);
    let id = &bench.ids()[0];
    let request = Request::everything(3 * SECOND);
    let probed = fast(bench.exporter.watcher.probe(id, request)).await;
    assert!(!probed.unwrap().success);
    let shown = bench.shown();
    for series in [
        "kernel_auth_api_requests_total{code=\"error\",endpoint=\"connection\"}",
        "kernel_auth_api_request_duration_seconds_count{endpoint=\"connection\"}",
        "kernel_auth_api_errors_total{reason=\"timeout\"}",
    ] {
        assert_eq!(shown.value(series), Some(1.0), "{series}");
    }
}

#[tokio::test]
async fn every_request_is_counted_also_where_its_answer_is_not_waited_for() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(1_000), &[]).await;
    bench.scrape().await;
    let slow: Fault = "latency=1s,endpoint=connections".parse().unwrap();
    bench.api.add_fault(slow);
    let refused: Fault = "status=403,endpoint=connections,offset=300"
        .parse()
        .unwrap();
    bench.api.add_fault(refused);
    bench.fast_scrape().await;
    let shown = bench.shown();
    let counted = shown.of("kernel_auth_api_requests_total");
    let counted: f64 = counted.map(|(_, count)| count).sum();
    assert_eq!(counted, bench.cost() as f64);
}

#[tokio::test]
async fn probes_that_are_refused_do_not_make_a_scope_look_well_for_ever() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(5), &[]).await;
    bench.scrape().await;
    let refused = FaultKind::Status {
        status: 429,
        code: None,
        retry_after: Some(RetryAfter::Text("60".to_owned())),
        should_retry: Some(false),
    };
    bench
        .api
        .add_fault(Fault::new(refused).at(Route::Connection));
    let id = &bench.ids()[0];
    let probe = async || {
        let request = Request::new(Instant::now() + 3 * SECOND);
        bench.exporter.watcher.probe(id, request).await
    };
    probe().await.unwrap();
    advance(59 * SECOND).await;
    let scrape = bench.scrape().await;
    assert_eq!((scrape.outcome, scrape.up()), ("held", true));
    advance(2 * SECOND).await;
    probe().await.unwrap();
    bench.requests();
    // Nothing is sent, and that is said.
    let scrape = bench.scrape().await;
    assert_eq!((scrape.outcome, scrape.up()), ("held", false));
    assert_eq!(bench.cost(), 0);
    let reason = "kernel_auth_failure_reason{reason=\"rate_limited\"}";
    assert_eq!(scrape.value(reason), Some(1.0), "{}", scrape.text);
    advance(61 * SECOND).await;
    assert!(bench.scrape().await.up());
}

#[tokio::test]
async fn what_nobody_asked_about_is_held_no_longer_than_anything_else() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(100), &["--kernel.hold=0s"]).await;
    bench.scrape().await;
    advance(20 * SECOND).await;
    for id in &bench.ids()[40..] {
        bench.api.remove_connection(id);
    }
    let scrape = bench.scrape().await;
    assert!(scrape.up());
    assert_eq!(scrape.statuses(), bench.truth());
}

#[tokio::test]
async fn with_no_hold_nothing_comes_back_once_a_minutes_collections_are_spent() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(3), &["--kernel.hold=0s"]).await;
    bench.scrape().await;
    bench
        .api
        .add_fault(Fault::status(500).at(Route::Connections));
    for turn in 0..12 {
        advance(SECOND).await;
        let scrape = bench.fast_scrape().await;
        assert_eq!(scrape.outcome, "empty", "{turn}");
        assert!(scrape.statuses().is_empty(), "{turn}");
    }
}

#[tokio::test]
async fn lists_that_are_cut_short_are_noticed_where_nothing_is_held() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(300), &["--kernel.hold=0s"]).await;
    bench.scrape().await;
    let end = FaultKind::Header("x-has-more".into(), "false".into());
    bench.api.add_fault(Fault::new(end).at(Route::Connections));
    advance(SECOND).await;
    let scrape = bench.scrape().await;
    assert!(!scrape.up());
    assert_eq!(scrape.errors("paging"), 1.0);
}

fn refused(seconds: &str, times: u64) -> Fault {
    let refused = FaultKind::Status {
        status: 429,
        code: None,
        retry_after: Some(RetryAfter::Text(seconds.to_owned())),
        should_retry: None,
    };
    Fault::new(refused).at(Route::Connections).times(times)
}

#[tokio::test]
async fn a_slow_first_answer_after_a_429_costs_no_more_than_one_collection() {
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        projects: 10,
        ..world(10)
    };
    let bench = Bench::new(options, &["--kernel.project=all"]).await;
    assert!(bench.scrape().await.is_up_everywhere());
    bench.requests();
    bench.api.add_fault(refused("7", 8));
    let scrape = bench.scrape();
    tokio::pin!(scrape);
    tokio::select! {
        _ = &mut scrape => panic!("not before seven seconds have passed"),
        () = until(|| bench.api.requests().total >= 8) => {}
    }
    let slow: Fault = "latency=4s,endpoint=connections,times=1".parse().unwrap();
    bench.api.add_fault(slow);
    fast(scrape).await;
    fast(sleep(5 * SECOND)).await;
    let scrape = bench.fast_scrape().await;
    assert!(scrape.is_up_everywhere(), "{}", scrape.text);
}

#[tokio::test]
async fn a_first_request_after_a_429_that_breaks_off_is_tried_again() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(1), &[]).await;
    bench.scrape().await;
    bench.api.add_fault(refused("5", 1));
    bench.api.add_fault(Fault::new(FaultKind::HangUp).times(2));
    let scrape = bench.fast_scrape().await;
    assert!(scrape.up(), "{}", scrape.text);
    assert!(scrape.took < 8 * SECOND, "{:?}", scrape.took);
}
