//! Rows with members and values that this build does not know.

use kernel_api_simulator::{FaultKind, Rows, Spoil};

use crate::tests::common::api::world;
use crate::tests::common::bench::Bench;
use crate::tests::common::clock::StoppedClock;

#[tokio::test]
async fn a_row_with_odd_members_is_there_and_counted() {
    let _clock = StoppedClock::new();
    for spoil in [Spoil::Types, Spoil::NoStatus] {
        let bench = Bench::new(world(30), &[]).await;
        let before = bench.scrape().await;
        let id = bench.ids().remove(4);
        let fault = FaultKind::Row(spoil, Rows::Id(id.clone()));
        bench.api.add_fault(fault.clone());
        let scrape = bench.scrape().await;
        assert!(scrape.up(), "{fault:?}");
        let mut expected = before.statuses();
        expected.insert(id, "UNKNOWN".to_owned());
        assert_eq!(scrape.statuses(), expected, "{fault:?}");
        let counted = "kernel_auth_api_unknown_values_total{field=\"status\"}";
        assert_eq!(scrape.value(counted), Some(1.0), "{fault:?}");
    }
}

#[tokio::test]
async fn unknown_values_are_unknown_and_counted() {
    let _clock = StoppedClock::new();
    let bench = Bench::new(world(10), &[]).await;
    bench
        .api
        .add_fault(FaultKind::Row(Spoil::UnknownValues, Rows::All));
    let scrape = bench.scrape().await;
    assert!(scrape.up(), "a value that is not known is not an error");
    assert_eq!(scrape.statuses().len(), 10);
    assert!(scrape.statuses().values().all(|status| status == "UNKNOWN"));
    assert_eq!(
        scrape.value("kernel_auth_api_unknown_values_total{field=\"status\"}"),
        Some(10.0)
    );
    assert_eq!(
        scrape.value("kernel_auth_connections{status=\"UNKNOWN\"}"),
        Some(10.0)
    );
}
