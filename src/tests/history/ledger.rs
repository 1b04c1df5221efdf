//! What is shown, held against the world's own ledger.

use std::collections::BTreeMap;

use crate::tests::common::bench::Bench;
use crate::tests::common::metrics::{Metrics, labels};

pub(super) const EVENTS: &str = "kernel_auth_connection_events_total";

pub(super) type Counts = BTreeMap<Vec<String>, f64>;

/// The samples of a name, by the values of these labels.
pub(super) fn by(shown: &Metrics, name: &str, names: &[&str]) -> Counts {
    let mut found = Counts::new();
    for (written, value) in shown.of(name) {
        let labels = labels(written);
        let key = names.iter().map(|name| labels[name].to_owned());
        *found.entry(key.collect()).or_default() += value;
    }
    found
}

/// The ledger's events of the connections that are there, with zeros left out.
pub(super) fn ledger(bench: &Bench) -> Counts {
    let ledger = bench.api.ledger();
    let there: Vec<String> = bench.api.truth().into_iter().map(|row| row.id).collect();
    let rows = ledger.counts.iter().filter(|row| there.contains(&row.id));
    rows.map(|row| {
        let (kind, outcome) = (row.kind.as_str(), row.outcome.as_str());
        let key = [&*row.id, kind, outcome].map(str::to_owned).to_vec();
        (key, row.count as f64)
    })
    .collect()
}

pub(super) fn counted(shown: &Metrics) -> Counts {
    let mut counts = by(shown, EVENTS, &["connection_id", "type", "outcome"]);
    counts.retain(|_, count| *count > 0.0);
    counts
}

/// What came on top of `before`.
pub(super) fn since(before: &Counts, now: Counts) -> Counts {
    let less = |(key, count): (Vec<String>, f64)| {
        let count = count - before.get(&key).copied().unwrap_or_default();
        (key, count)
    };
    let mut counts: Counts = now.into_iter().map(less).collect();
    counts.retain(|_, count| *count != 0.0);
    counts
}

pub(super) fn hold_fleet_against_ledger(bench: &Bench, shown: &Metrics) {
    let ledger = bench.api.ledger();
    let mut errors = by(
        shown,
        "kernel_auth_flow_errors_total",
        &["type", "error_code"],
    );
    errors.retain(|_, count| *count > 0.0);
    let expected: Counts = ledger
        .errors
        .iter()
        .map(|row| {
            let key = [row.kind.as_str(), row.error_code.as_str()].map(str::to_owned);
            (key.to_vec(), row.count as f64)
        })
        .collect();
    assert_eq!(errors, expected);
    for (suffix, value) in [("count", true), ("sum", false)] {
        let name = format!("kernel_auth_flow_duration_seconds_{suffix}");
        let shown = by(shown, &name, &["type", "outcome"]);
        for row in &ledger.durations {
            let key = [row.kind.as_str(), row.outcome.as_str()].map(str::to_owned);
            let expected = if value {
                row.count as f64
            } else {
                row.sum_seconds
            };
            assert!(
                (shown[&key.to_vec()] - expected).abs() < 1e-3,
                "{name}{key:?}: {} and not {expected}",
                shown[&key.to_vec()]
            );
        }
    }
}

pub(super) fn newest_times_are_those_of_the_timelines(bench: &Bench, shown: &Metrics) {
    let newest = |id: &str, of: &dyn Fn(&serde_json::Value) -> Option<String>| {
        let events = bench.api.timeline(id).unwrap();
        let times = events.iter().filter_map(|event| of(&event.object));
        times
            .map(|time| {
                let time: jiff::Timestamp = time.parse().unwrap();
                time.as_microsecond() as f64 / 1e6
            })
            .fold(None, |newest: Option<f64>, time| {
                Some(newest.map_or(time, |newest| newest.max(time)))
            })
    };
    let text =
        |object: &serde_json::Value, name: &str| Some(object.get(name)?.as_str()?.to_owned());
    let success = |object: &serde_json::Value| {
        (text(object, "status")? == "SUCCESS")
            .then(|| text(object, "completed_at").or_else(|| text(object, "timestamp")))?
    };
    let confirmed = |object: &serde_json::Value| {
        (text(object, "status")? == "AUTHENTICATED").then(|| text(object, "timestamp"))?
    };
    let is = |name: &str| {
        let name = format!("kernel_auth_connection_{name}_timestamp_seconds");
        by(shown, &name, &["connection_id"])
    };
    let (successes, confirmations) = (is("last_success"), is("last_confirmed"));
    for row in bench.api.truth() {
        let key = vec![row.id.clone()];
        // The first page may not reach back to the last success of a quiet one.
        if let Some(shown) = successes.get(&key) {
            assert_eq!(Some(*shown), newest(&row.id, &success), "{}", row.id);
        }
        assert_eq!(
            confirmations.get(&key).copied(),
            newest(&row.id, &confirmed),
            "{}",
            row.id
        );
    }
    assert!(successes.len() > 20);
}
