//! A bad hour: every fault in turn, and a world that goes on behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_api_simulator::{Fault, FaultKind, RetryAfter, Rows, Spoil};
use tokio::time::advance;

use crate::tests::common::api::world;
use crate::tests::common::bench::{Bench, SCRAPE};
use crate::tests::common::clock::{STEP, StoppedClock};

fn faults() -> Vec<Fault> {
    let status = |status| Fault::status(status);
    let mut all: Vec<Fault> = [400, 401, 403, 404, 408, 429, 500, 502, 503, 504, 529]
        .into_iter()
        .map(status)
        .collect();
    all.push(Fault::new(FaultKind::Status {
        status: 429,
        code: None,
        retry_after: Some(RetryAfter::Text("10".to_owned())),
        should_retry: None,
    }));
    all.extend(
        [
            FaultKind::Latency(Duration::from_secs(3)),
            FaultKind::Latency(Duration::from_secs(30)),
            FaultKind::Silent,
            FaultKind::HangUp,
            FaultKind::Stall,
            FaultKind::StallBody,
            FaultKind::Reset,
            FaultKind::Truncate,
            FaultKind::Garbage,
            FaultKind::Html,
            FaultKind::Huge(50_000_000),
            FaultKind::Endless,
            FaultKind::Deep(50_000),
            FaultKind::Redirect("http://127.0.0.1:9/".to_owned()),
            FaultKind::MoreWithoutOffset,
            FaultKind::MoreWithZero,
            FaultKind::Circle,
            FaultKind::StuckOffset,
            FaultKind::EmptyPage(100),
            FaultKind::PageCap(30),
            FaultKind::DuplicateRows(7),
            FaultKind::Row(Spoil::Types, Rows::At(3)),
            FaultKind::Row(Spoil::NoId, Rows::At(3)),
            FaultKind::Row(Spoil::UnknownValues, Rows::At(3)),
            FaultKind::Row(Spoil::Null, Rows::All),
            FaultKind::DateSkew(3_600),
        ]
        .map(Fault::new),
    );
    all.push(Fault::status(503).every(3));
    all
}

#[tokio::test]
async fn an_hour_of_every_fault_in_turn_pages_nobody_falsely() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(230), &["--kernel.hold=5m"]).await;
    let mut toggle = 0_usize;
    for fault in faults() {
        let clean = bench.scrape().await;
        assert_eq!(
            (clean.up(), clean.outcome),
            (true, "fresh"),
            "before {fault:?}"
        );
        assert_eq!(clean.statuses(), bench.truth(), "before {fault:?}");
        // What the API has said of each connection since.
        let mut said: BTreeMap<String, Vec<String>> = bench
            .truth()
            .into_iter()
            .map(|(id, status)| (id, vec![status]))
            .collect();

        bench.api.add_fault(fault.clone());
        for _ in 0..3 {
            // Something logs out, something is logged in again, unseen or not.
            let ids: Vec<String> = said.keys().cloned().collect();
            for (offset, status) in [(0, "NEEDS_AUTH"), (97, "AUTHENTICATED")] {
                let id = &ids[(toggle + offset) % ids.len()];
                bench
                    .api
                    .set_connection(id, serde_json::json!({"status": status}));
                said.get_mut(id).unwrap().push(status.to_owned());
            }
            toggle += 1;
            let scrape = bench.fast_scrape().await;
            assert!(scrape.took <= SCRAPE + STEP, "{fault:?}: {:?}", scrape.took);
            for (id, status) in scrape.statuses() {
                if status == "AUTHENTICATED" {
                    assert!(
                        said[&id].contains(&status),
                        "{fault:?}: nobody said so of {id}"
                    );
                }
            }
            if scrape.up() && scrape.outcome == "fresh" && !unknown(&fault) {
                assert_eq!(scrape.statuses(), bench.truth(), "{fault:?}");
            }
            advance(Duration::from_secs(15)).await;
        }
        bench.api.clear_faults();
        advance(Duration::from_secs(61)).await;
    }
}

fn unknown(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::Row(Spoil::UnknownValues | Spoil::Types, _)
    )
}
