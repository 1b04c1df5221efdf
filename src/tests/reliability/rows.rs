//! Single connections: those that go missing, end, move while the list is
//! read, or cannot be read.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, Route, Rows, Spoil};
use tokio::time::advance;

use crate::model::{Connection, ScopeView, Snapshot, Timestamp};
use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;

impl Bench {
    /// When the shown state of this connection was asked for.
    fn seen(&self, id: &str) -> Timestamp {
        let fleet = self.exporter.watcher.last();
        let row = |(_, snapshot, row): (&ScopeView, &Snapshot, &Connection)| {
            let asked = snapshot.kept_since(row).unwrap_or(snapshot.fetched_at);
            (row.labels.id() == id).then_some(asked)
        };
        fleet.connections().find_map(row).unwrap()
    }
}

fn other_than(status: &str) -> &'static str {
    match status {
        "NEEDS_AUTH" => "AUTHENTICATED",
        _ => "NEEDS_AUTH",
    }
}

#[tokio::test]
async fn a_deleted_connection_ends_once_a_404_confirms_it() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(120), &[]).await;
    bench.scrape().await;
    let gone = bench.ids().remove(5);
    bench.api.remove_connection(&gone);
    bench.requests();
    let scrape = bench.scrape().await;
    assert!(scrape.up());
    assert_eq!(scrape.statuses().len(), 119);
    assert!(!scrape.text.contains(&gone));
    let log = bench.requests();
    assert_eq!(
        (log.total, log.count_status(Route::Connection, 404)),
        (3, 1)
    );
    bench.scrape().await;
    assert_eq!(bench.cost(), 2, "it is asked for once");
}

#[tokio::test]
async fn rows_that_the_list_skips_while_it_shifts_are_not_lost() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(450), &[]).await;
    bench.scrape().await;
    bench.requests();
    // Rows are deleted at the top between pages, so later ones slip through.
    bench.api.add_fault(FaultKind::DeleteRows(1));
    let scrape = bench.scrape().await;
    let log = bench.requests();
    assert!(
        log.count(Route::Connection) > 0,
        "what went missing was asked for"
    );
    assert!(scrape.up());
    // Those that were deleted after their page was read are there as well.
    let statuses = scrape.statuses();
    let lost: Vec<_> = bench
        .truth()
        .into_iter()
        .filter(|(id, status)| statuses.get(id) != Some(status))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(statuses.len() <= bench.truth().len() + 5);
}

#[tokio::test]
async fn many_deletions_end_over_the_next_collections() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(200), &[]).await;
    let before = bench.scrape().await;
    for id in &bench.ids()[..60] {
        bench.api.remove_connection(id);
    }
    let mut left = Vec::new();
    for _ in 0..4 {
        bench.requests();
        let scrape = bench.scrape().await;
        assert!(scrape.up());
        assert!(bench.cost() <= 2 + 25, "a bounded number of questions");
        for (id, status) in scrape.statuses() {
            assert_eq!(before.statuses()[&id], status);
        }
        left.push(scrape.statuses().len());
    }
    // Those that nobody had time to ask for end with the second list.
    assert_eq!(left, [175, 140, 140, 140]);
}

#[tokio::test]
async fn short_lists_end_nothing_that_the_api_knows_by_id() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(300), &[]).await;
    let before = bench.scrape().await;
    let end = FaultKind::Header("x-has-more".into(), "false".into());
    bench.api.add_fault(Fault::new(end).at(Route::Connections));
    for list in 1..=4 {
        bench.requests();
        let scrape = bench.scrape().await;
        assert_eq!(scrape.statuses(), before.statuses());
        assert!(bench.cost() <= 1 + 25, "a bounded number of questions");
        // One list may be wrong; the second one shows that lists are.
        assert_eq!(scrape.up(), list == 1);
    }
    assert!(bench.scrape().await.errors("paging") > 0.0);
    // Nobody knows how those are that nobody has asked for.
    advance(Duration::from_secs(301)).await;
    let left = bench.scrape().await.statuses().len();
    assert!((100..=175).contains(&left), "{left}");
}

#[tokio::test]
async fn what_the_list_forgets_but_the_api_knows_stays() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(50), &[]).await;
    let before = bench.scrape().await;
    let id = bench.ids().remove(7);
    let fresh = other_than(&before.statuses()[&id]);
    bench
        .api
        .set_connection(&id, serde_json::json!({"status": fresh}));
    let nameless = FaultKind::Row(Spoil::NoId, Rows::Id(id));
    bench
        .api
        .add_fault(Fault::new(nameless).at(Route::Connections));
    bench.requests();
    let scrape = bench.scrape().await;
    assert_eq!(bench.requests().count(Route::Connection), 1);
    assert_eq!(
        scrape.statuses(),
        bench.truth(),
        "as the API tells it by id"
    );
}

#[tokio::test]
async fn a_missing_row_that_cannot_be_asked_for_is_held() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(30), &["--kernel.hold=5m"]).await;
    let before = bench.scrape().await;
    let gone = bench.ids().remove(3);
    bench.api.remove_connection(&gone);
    bench
        .api
        .add_fault(Fault::status(500).at(Route::Connection));
    let scrape = bench.fast_scrape().await;
    assert!(!scrape.up(), "nobody has said that it is gone");
    assert_eq!(scrape.statuses(), before.statuses());
    advance(Duration::from_secs(301)).await;
    let scrape = bench.fast_scrape().await;
    assert_eq!(
        scrape.statuses().len(),
        29,
        "held for as long as anything is"
    );
}

#[tokio::test]
async fn an_unreadable_row_keeps_its_last_known_state_for_a_while() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(30), &["--kernel.hold=5m"]).await;
    let before = bench.scrape().await;
    let taken = before.value("kernel_auth_snapshot_timestamp_seconds");
    let id = bench.ids().remove(4);
    let other = bench.ids().remove(9);
    let fresh = other_than(&before.statuses()[&other]);
    bench
        .api
        .set_connection(&other, serde_json::json!({"status": fresh}));
    bench
        .api
        .add_fault(FaultKind::Row(Spoil::NoId, Rows::Id(id.clone())));
    let seen = bench.seen(&id);
    for minute in 0..5 {
        let scrape = bench.scrape().await;
        assert!(!scrape.up());
        assert_eq!(bench.seen(&id), seen, "said to be as old as it is");
        assert!(bench.seen(&other) > seen);
        assert_eq!(scrape.errors("malformed_row"), f64::from(2 * (minute + 1)));
        assert_eq!(scrape.statuses()[&id], before.statuses()[&id]);
        assert_eq!(scrape.statuses()[&other], fresh, "the others are fresh");
        assert!(scrape.value("kernel_auth_snapshot_timestamp_seconds") > taken);
        advance(Duration::from_mins(1)).await;
    }
    advance(Duration::from_secs(10)).await;
    let scrape = bench.scrape().await;
    assert!(!scrape.statuses().contains_key(&id), "its time is over");
    assert_eq!(scrape.statuses().len(), 29);
}

#[tokio::test]
async fn a_configured_id_that_the_api_does_not_know_is_told() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(
        world(30),
        &["--kernel.connection=nobody", "--kernel.connection=q"],
    )
    .await;
    let scrape = bench.scrape().await;
    assert!(scrape.up(), "a 404 for a connection is an answer");
    for id in ["nobody", "q"] {
        let found = format!("kernel_auth_connection_found{{connection_id=\"{id}\"}}");
        assert_eq!(scrape.value(&found), Some(0.0), "{}", scrape.text);
    }
    bench
        .api
        .create_connection(None, Some("q"), "d.example", "p")
        .unwrap();
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value("kernel_auth_connection_found{connection_id=\"q\"}"),
        Some(1.0)
    );
    assert_eq!(scrape.statuses().len(), 1);
    bench.api.remove_connection("q");
    let scrape = bench.scrape().await;
    assert_eq!(
        scrape.value("kernel_auth_connection_found{connection_id=\"q\"}"),
        Some(0.0)
    );
    assert!(scrape.statuses().is_empty());
}

#[tokio::test]
async fn an_answer_in_which_nothing_can_be_read_is_no_empty_fleet() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(12), &[]).await;
    let before = bench.scrape().await.statuses();
    bench.api.add_fault(FaultKind::Row(Spoil::NoId, Rows::All));
    for (minutes, shown) in [(1, before), (5, BTreeMap::new())] {
        advance(Duration::from_mins(minutes)).await;
        let scrape = bench.fast_scrape().await;
        assert!(!scrape.up());
        assert_eq!(scrape.statuses(), shown);
        let reason = "kernel_auth_failure_reason{reason=\"malformed_row\"}";
        assert_eq!(scrape.value(reason), Some(1.0));
        assert_eq!(scrape.value("kernel_auth_unread_connections"), None);
        assert_eq!(
            scrape.of("kernel_auth_connections").count() > 0,
            !shown.is_empty()
        );
    }
}

#[tokio::test]
async fn one_id_that_fails_leaves_the_others_fresh() {
    let _clock = StoppedClock::new();
    let ids = Bench::new(world(2_000), &[]).await.ids();
    let flags: Vec<String> = ids[..5]
        .iter()
        .map(|id| format!("--kernel.connection={id}"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    // Also where it is the one that is asked for first.
    for bad in [0, 2] {
        let bench = Bench::new(world(2_000), &flags).await;
        let before = bench.scrape().await.statuses();
        assert_eq!(before.len(), 5);
        bench.api.add_fault(Fault {
            id: Some(ids[bad].clone()),
            ..Fault::status(500)
        });
        let fresh = other_than(&before[&ids[1]]);
        bench
            .api
            .set_connection(&ids[1], serde_json::json!({"status": fresh}));
        let scrape = bench.fast_scrape().await;
        assert!(!scrape.up());
        let unread = scrape.value("kernel_auth_unread_connections");
        assert_eq!(unread, Some(1.0), "the rules take it for no outage");
        let fleet = bench.exporter.watcher.last();
        let failure = fleet.scopes[0].failure.as_ref().unwrap();
        assert!(failure.message.contains(&ids[bad]), "{}", failure.message);
        let statuses = scrape.statuses();
        assert_eq!(statuses[&ids[1]], fresh);
        assert_eq!(statuses[&ids[bad]], before[&ids[bad]]);
        assert_eq!(statuses.len(), 5);
    }
}

#[tokio::test]
async fn an_answer_about_another_connection_says_nothing_of_this_one() {
    let _clock = StoppedClock::new();
    for (name, body) in [
        (
            "another id",
            r#"{"id":"Q","domain":"d","profile_name":"p","status":"AUTHENTICATED"}"#,
        ),
        ("no object", "null"),
        ("no id", "{}"),
    ] {
        let bench = Bench::new(world(5), &["--kernel.connection=q"]).await;
        bench
            .api
            .create_connection(None, Some("q"), "d.example", "p")
            .unwrap();
        let before = bench.scrape().await;
        assert!(before.up(), "{name}");
        bench.api.set_verbatim("q", body);
        let scrape = bench.scrape().await;
        assert!(!scrape.up(), "{name}");
        assert_eq!(scrape.statuses(), before.statuses(), "{name}");
        assert!(scrape.errors("malformed_row") >= 1.0, "{name}");
    }
}

#[tokio::test]
async fn ids_that_always_fail_do_not_keep_the_others_from_their_turn() {
    let _clock = StoppedClock::new();
    let ids = Bench::new(world(2_000), &[]).await.ids();
    let flags: Vec<String> = ids[..8]
        .iter()
        .map(|id| format!("--kernel.connection={id}"))
        .collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let bench = Bench::new(world(2_000), &flags).await;
    for id in &ids[..3] {
        bench.api.add_fault(Fault {
            id: Some(id.clone()),
            ..Fault::status(500)
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..8 {
        seen.extend(bench.fast_scrape().await.statuses().into_keys());
        advance(Duration::from_secs(15)).await;
    }
    assert!(ids[3..8].iter().all(|id| seen.contains(id)), "{seen:?}");
}
