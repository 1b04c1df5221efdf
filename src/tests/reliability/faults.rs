//! Every fault in turn: what the scraper sees, and what the API sees.

use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, RetryAfter, Route, Rows, Spoil};

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, SCRAPE, Scrape};
use crate::tests::common::clock::{STEP, StoppedClock, fast, moment, until};

/// A fault at the list, met by the second scrape.
struct Case {
    /// As `docs/reliability.md` names it.
    name: &'static str,
    fault: Fault,
    /// The reason that is counted; `None`: the collection comes whole.
    reason: Option<&'static str>,
    /// Requests that the scrape costs, at least and at most.
    requests: std::ops::RangeInclusive<u64>,
}

fn case(
    name: &'static str,
    fault: impl Into<Fault>,
    reason: impl Into<Option<&'static str>>,
    requests: std::ops::RangeInclusive<u64>,
) -> Case {
    Case {
        name,
        fault: fault.into().at(Route::Connections),
        reason: reason.into(),
        requests,
    }
}

/// 250 connections are three pages.
#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let status = |status, retry_after| {
        let retry_after: Option<&str> = retry_after;
        Fault::new(FaultKind::Status {
            status,
            code: None,
            retry_after: retry_after.map(|text| RetryAfter::Text(text.to_owned())),
            should_retry: None,
        })
    };
    let should_retry = |status, should_retry| {
        Fault::new(FaultKind::Status {
            status,
            code: None,
            retry_after: None,
            should_retry: Some(should_retry),
        })
    };
    vec![
        case("500", Fault::status(500), "server_error", 3..=3),
        case("500, once", Fault::status(500).times(1), None, 4..=4),
        case(
            "every third answer 503",
            Fault::status(503).every(3),
            None,
            4..=6,
        ),
        case(
            "503 with `Retry-After`",
            status(503, Some("2")).times(1),
            None,
            4..=4,
        ),
        case(
            "503, `x-should-retry: false`",
            should_retry(503, false),
            "server_error",
            1..=1,
        ),
        case(
            "404, `x-should-retry: true`",
            should_retry(404, true),
            "not_found",
            3..=3,
        ),
        case("408", Fault::status(408), "client_error", 3..=3),
        case("409", Fault::status(409), "client_error", 1..=1),
        case("400", Fault::status(400), "client_error", 1..=1),
        case("401", Fault::status(401), "unauthorized", 1..=1),
        case("403", Fault::status(403), "forbidden", 1..=1),
        case(
            "429 without `Retry-After`",
            Fault::status(429),
            "rate_limited",
            2..=2,
        ),
        case(
            "429 with `Retry-After: 3`",
            status(429, Some("3")),
            "rate_limited",
            3..=3,
        ),
        case(
            "429 with `Retry-After: 0.5`, once",
            status(429, Some("0.5")).times(1),
            None,
            4..=4,
        ),
        case(
            "429 with `Retry-After: 3600`",
            status(429, Some("3600")),
            "rate_limited",
            1..=1,
        ),
        case(
            "reset in the middle of a body",
            FaultKind::Reset,
            "transport",
            3..=3,
        ),
        case(
            "connection closed without an answer",
            FaultKind::HangUp,
            "transport",
            3..=3,
        ),
        case("no answer", FaultKind::Silent, "timeout", 2..=3),
        case(
            "headers, and then nothing",
            FaultKind::Stall,
            "timeout",
            2..=3,
        ),
        case(
            "stalled in the middle of a body",
            FaultKind::StallBody,
            "timeout",
            2..=3,
        ),
        case(
            "3 s per page",
            FaultKind::Latency(Duration::from_secs(3)),
            None,
            3..=3,
        ),
        case("half a page as JSON", FaultKind::Truncate, "decode", 1..=1),
        case("garbage", FaultKind::Garbage, "decode", 1..=1),
        case("HTML", FaultKind::Html, "proxy", 1..=1),
        case(
            "a body of 200 MB",
            FaultKind::Huge(200_000_000),
            "body_too_large",
            1..=1,
        ),
        case(
            "a body without end",
            FaultKind::Endless,
            "body_too_large",
            1..=1,
        ),
        case(
            "JSON nested 100,000 deep",
            FaultKind::Deep(100_000),
            "malformed_row",
            3..=28,
        ),
        case(
            "redirect",
            FaultKind::Redirect("http://127.0.0.1:9/".to_owned()),
            "redirect",
            1..=1,
        ),
        case(
            "has more, without offset",
            FaultKind::MoreWithoutOffset,
            "paging",
            1..=1,
        ),
        case(
            "has more, at offset 0",
            FaultKind::MoreWithZero,
            "paging",
            1..=1,
        ),
        case(
            "an offset that stands still",
            FaultKind::StuckOffset,
            "paging",
            1..=3,
        ),
        case("offsets in a circle", FaultKind::Circle, "paging", 1..=3),
        case(
            "rows twice, across pages",
            FaultKind::DuplicateRows(5),
            None,
            3..=4,
        ),
        case(
            "rows inserted while paging",
            FaultKind::InsertRows(3),
            None,
            3..=6,
        ),
        case(
            "an empty page with more to come",
            FaultKind::EmptyPage(100),
            None,
            3..=7,
        ),
        case(
            "smaller pages than asked for",
            FaultKind::PageCap(40),
            None,
            7..=7,
        ),
        case("an hour ahead", FaultKind::DateSkew(3_600), None, 3..=3),
        case("an hour behind", FaultKind::DateSkew(-3_600), None, 3..=3),
        case(
            "no `Date`",
            FaultKind::WithoutHeader("date".to_owned()),
            None,
            3..=3,
        ),
        case(
            "a row that is text",
            FaultKind::Row(Spoil::Text, Rows::At(7)),
            "malformed_row",
            3..=7,
        ),
        case(
            "a row that is null",
            FaultKind::Row(Spoil::Null, Rows::At(7)),
            "malformed_row",
            3..=7,
        ),
        case(
            "a row without id",
            FaultKind::Row(Spoil::NoId, Rows::At(7)),
            "malformed_row",
            3..=7,
        ),
    ]
}

#[tokio::test]
async fn every_fault_leaves_the_fleet_in_sight_and_says_what_it_is() {
    let _clock = StoppedClock::new();
    for Case {
        name,
        fault,
        reason,
        requests,
    } in cases()
    {
        let bench = Bench::new(world(250), &[]).await;
        let before = bench.scrape().await;
        assert_eq!(
            (before.up(), before.statuses().len()),
            (true, 250),
            "{name}"
        );
        bench.requests();
        bench.api.add_fault(fault);

        let mut scrape = bench.fast_scrape().await;

        assert!(scrape.took <= SCRAPE + STEP, "{name}: {:?}", scrape.took);
        if reason == Some("timeout") {
            // The scrape did not wait to the end; its collection has, by the
            // time of the next one.
            assert_eq!((scrape.outcome, scrape.up()), ("held", true), "{name}");
            fast(until(|| bench.api.requests().in_flight == 0)).await;
            assert_eq!(scrape.statuses(), before.statuses(), "{name}");
            scrape = fast(bench.scrape_within(Duration::from_millis(100))).await;
            bench.api.reset_requests();
        } else {
            let cost = bench.cost();
            assert!(requests.contains(&cost), "{name}: {cost} requests");
        }
        assert_eq!(scrape.up(), reason.is_none(), "{name}");
        assert_eq!(
            scrape.outcome,
            if reason.is_some() { "held" } else { "fresh" },
            "{name}"
        );
        if let Some(reason) = reason {
            assert!(scrape.errors(reason) >= 1.0, "{name}: {}", scrape.text);
        }
        // Everything that was known still is, and nothing is made up.
        let statuses = scrape.statuses();
        for (id, status) in &before.statuses() {
            assert_eq!(statuses.get(id), Some(status), "{name}");
        }
        bench.api.clear_faults();
        tokio::time::advance(Duration::from_secs(61)).await;
        moment().await;
        let after = bench.scrape().await;
        assert_eq!((after.up(), after.outcome), (true, "fresh"), "{name}: over");
        assert_eq!(after.statuses(), bench.truth(), "{name}: over");
    }
}

#[tokio::test]
async fn without_anything_known_every_fault_shows_nothing_but_that() {
    let _clock = StoppedClock::new();
    for Case {
        name,
        fault,
        reason,
        ..
    } in cases()
    {
        let Some(reason) = reason.filter(|reason| *reason != "malformed_row") else {
            continue;
        };
        let bench = Bench::new(world(250), &[]).await;
        bench.api.add_fault(fault);
        let scrape = bench.fast_scrape().await;
        assert_eq!((scrape.up(), scrape.outcome), (false, "empty"), "{name}");
        assert!(scrape.statuses().is_empty(), "{name}");
        assert!(scrape.errors(reason) >= 1.0, "{name}");
        assert_eq!(
            scrape.value("kernel_auth_snapshot_timestamp_seconds"),
            None,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_clock_that_is_off_does_not_end_flows() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(100), &[]).await;
    let live = |scrape: &Scrape| {
        let flows = scrape.of("kernel_auth_connection_flow_live");
        flows.filter(|(_, live)| *live == 1.0).count()
    };
    let before = live(&bench.scrape().await);
    assert!(before > 0, "the world has flows under way");
    for skew in [3_600, -3_600] {
        // The API's own clock and everything that it says move together.
        let ahead = Duration::from_hours(1);
        let bench = Bench::new(
            kernel_api_simulator::Options {
                start: Some(if skew > 0 {
                    std::time::SystemTime::now() + ahead
                } else {
                    std::time::SystemTime::now() - ahead
                }),
                ..world(100)
            },
            &[],
        )
        .await;
        let scrape = bench.scrape().await;
        assert_eq!(live(&scrape), before, "{skew}");
        let offset = scrape
            .value("kernel_auth_api_clock_offset_seconds")
            .unwrap();
        assert!((offset - f64::from(skew)).abs() < 60.0, "{offset}");
    }
}

#[test]
fn every_fault_is_in_the_table_of_the_docs() {
    let docs = include_str!("../../../docs/reliability.md");
    for Case { name, .. } in cases() {
        assert!(
            docs.contains(&format!("| {name} |")),
            "docs/reliability.md has no row `{name}`"
        );
    }
}
