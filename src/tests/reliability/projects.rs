//! `projects: all`: the active projects, as the API lists them.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Route, Rows, Spoil};
use tokio::time::{Instant, advance};

use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;

async fn bench(projects: usize, connections: usize) -> Bench {
    let options = kernel_api_simulator::Options {
        projects,
        ..world(connections)
    };
    Bench::new(options, &["--kernel.project=all"]).await
}

#[tokio::test]
async fn every_active_project_is_followed_and_no_archived_one() {
    let bench = bench(3, 90).await;
    let scrape = bench.scrape().await;
    assert!(scrape.is_up_everywhere());
    for (id, _, archived) in bench.api.projects() {
        let up = scrape.value(&format!("kernel_auth_up{{project=\"{id}\"}}"));
        assert_eq!(up, (!archived).then_some(1.0), "{id}");
    }
    let log = bench.requests();
    assert_eq!(
        (log.count(Route::Projects), log.count(Route::Connections)),
        (1, 3)
    );
    bench.scrape().await;
    assert_eq!(
        bench.requests().count(Route::Projects),
        0,
        "the list is good for a minute"
    );
}

#[tokio::test]
async fn projects_come_and_go() {
    let _clock = StoppedClock::new();
    let bench = bench(2, 20).await;
    bench.scrape().await;
    let new = bench.api.add_project("Another");
    let (old, _, _) = bench.api.projects().remove(1);
    bench.api.archive_project(&old, true);
    // The archived one answers that it is gone, so the list is read again.
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value(&format!("kernel_auth_up{{project=\"{old}\"}}")),
        Some(0.0)
    );
    assert_eq!(scrape.errors("project_not_found"), 1.0);
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value(&format!("kernel_auth_up{{project=\"{old}\"}}")),
        None
    );
    assert_eq!(
        scrape.value(&format!("kernel_auth_up{{project=\"{new}\"}}")),
        Some(1.0)
    );
    assert!(!scrape.text.contains(&old));
    let another = bench.api.add_project("One more");
    advance(Duration::from_secs(61)).await;
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value(&format!("kernel_auth_up{{project=\"{another}\"}}")),
        Some(1.0)
    );
}

#[tokio::test]
async fn a_list_of_projects_that_fails_is_not_an_empty_organisation() {
    let _clock = StoppedClock::new();
    let bench = bench(2, 20).await;
    bench.api.add_fault(Fault::status(403).at(Route::Projects));
    let scrape = bench.scrape().await;
    assert_eq!(
        (scrape.value("kernel_auth_up"), scrape.outcome),
        (Some(0.0), "empty")
    );
    bench.api.clear_faults();
    let before = bench.scrape().await;
    assert!(before.is_up_everywhere());
    advance(Duration::from_secs(61)).await;
    bench.api.add_fault(Fault::status(500).at(Route::Projects));
    let scrape = bench.fast_scrape().await;
    assert_eq!(
        scrape.value("kernel_auth_up"),
        Some(0.0),
        "there may be projects nobody looks at"
    );
    assert_eq!(
        scrape.statuses(),
        before.statuses(),
        "those that are known are fresh"
    );
}

#[tokio::test]
async fn one_list_that_lacks_a_project_ends_nothing() {
    let _clock = StoppedClock::new();
    let bench = bench(2, 20).await;
    let before = bench.scrape().await;
    // A list that ends too early, and says so itself.
    let lists = |rows: usize| {
        bench.api.clear_faults();
        let ends = FaultKind::Header("x-has-more".into(), "false".into());
        for kind in [FaultKind::PageCap(rows), ends] {
            bench.api.add_fault(Fault::new(kind).at(Route::Projects));
        }
    };
    let later = async || {
        advance(Duration::from_secs(61)).await;
        bench.scrape().await
    };
    lists(1);
    assert_eq!(later().await.statuses(), before.statuses());
    bench.api.clear_faults();
    assert!(later().await.is_up_everywhere());
    // A list of none is wrong, however often it comes.
    lists(0);
    for _ in 0..3 {
        let scrape = later().await;
        assert_eq!(scrape.statuses(), before.statuses());
        let reason = "kernel_auth_failure_reason{reason=\"project_not_found\"}";
        assert_eq!(scrape.value(reason), Some(1.0));
    }
    // A second one in a row that lacks a project ends it.
    lists(1);
    for left in [2, 1] {
        assert_eq!(later().await.of("kernel_auth_up").count(), left);
    }
}

#[tokio::test]
async fn a_project_that_cannot_be_read_ends_none() {
    let _clock = StoppedClock::new();
    let bench = bench(3, 30).await;
    let before = bench.scrape().await;
    let spoilt = FaultKind::Row(Spoil::NoId, Rows::At(0));
    bench.api.add_fault(Fault::new(spoilt).at(Route::Projects));
    for lists in 1..4 {
        advance(Duration::from_secs(61)).await;
        let scrape = bench.scrape().await;
        assert_eq!(scrape.statuses(), before.statuses());
        let reason = "kernel_auth_failure_reason{reason=\"malformed_row\"}";
        assert_eq!(scrape.value(reason), Some(1.0));
        assert_eq!(scrape.errors("malformed_row"), f64::from(lists));
    }
}

#[tokio::test]
async fn an_unknown_project_is_an_error_that_says_so() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(20), &["--kernel.project=proj_nobody"]).await;
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value("kernel_auth_up{project=\"proj_nobody\"}"),
        Some(0.0)
    );
    assert_eq!(scrape.errors("project_not_found"), 1.0);
    assert_eq!(bench.cost(), 1);
}

#[tokio::test]
async fn a_list_of_projects_that_hangs_keeps_nobody_waiting_who_is_known() {
    let _clock = StoppedClock::new();
    let bench = bench(2, 20).await;
    bench.scrape().await;
    advance(Duration::from_secs(61)).await;
    bench
        .api
        .add_fault(Fault::new(FaultKind::Silent).at(Route::Projects));
    let id = bench.ids().remove(0);
    let fresh = match bench.truth()[&id].as_str() {
        "NEEDS_AUTH" => "AUTHENTICATED",
        _ => "NEEDS_AUTH",
    };
    bench
        .api
        .set_connection(&id, serde_json::json!({"status": fresh}));
    let begun = Instant::now();
    let scrape = bench.fast_scrape().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "of ten");
    assert_eq!(scrape.statuses(), bench.truth(), "fresh all the same");
    assert_eq!(scrape.outcome, "fresh");
}

#[tokio::test]
async fn a_new_project_is_found_also_where_the_quota_is_always_spent() {
    let _clock = StoppedClock::new();
    let options = kernel_api_simulator::Options {
        projects: 30,
        rate_limit: Some(20),
        ..world(30)
    };
    let bench = Bench::new(options, &["--kernel.project=all"]).await;
    let scrape = async || {
        bench.fast_scrape().await;
        advance(Duration::from_secs(15)).await;
    };
    for _ in 0..20 {
        scrape().await;
    }
    let new = bench.api.add_project("new");
    for _ in 0..60 {
        scrape().await;
    }
    let up = format!("kernel_auth_up{{project=\"{new}\"}}");
    assert!(bench.fast_scrape().await.value(&up).is_some());
}

#[tokio::test]
async fn an_organisation_without_projects_says_so() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(10), &["--kernel.project=all"]).await;
    for (id, _, _) in bench.api.projects() {
        bench.api.archive_project(&id, true);
    }
    let scrape = bench.scrape().await;
    assert_eq!(scrape.value("kernel_auth_up"), Some(0.0), "{}", scrape.text);
    let reason = "kernel_auth_failure_reason{reason=\"project_not_found\"}";
    assert_eq!(scrape.value(reason), Some(1.0));
}

#[tokio::test]
async fn many_projects_are_listed_with_the_same_care_as_connections() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(0), &["--kernel.project=all"]).await;
    for number in 0..250 {
        bench.api.add_project(&format!("project {number}"));
    }
    let scrape = bench.fast_scrape().await;
    assert!(scrape.is_up_everywhere());
    assert_eq!(scrape.of("kernel_auth_up").count(), 251);
    let names = scrape.of("kernel_auth_project_info");
    assert_eq!(names.count(), 251, "people know names");
    // A page begins with the last project of the one before.
    let log = bench.requests();
    let projects = log
        .entries
        .iter()
        .filter(|entry| entry.route == Route::Projects);
    let offsets: Vec<_> = projects
        .filter_map(|entry| entry.parameter("offset"))
        .collect();
    assert_eq!(offsets, ["0", "99", "198"]);
}
