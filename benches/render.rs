//! How fast the fleet becomes text: `cargo bench --bench render`.
//!
//! 10,000 connections, every default collector and every state, streamed chunk
//! by chunk as to a socket. For comparison the `prometheus` crate gathers and
//! encodes the same series; filling its gauges is not counted.

#![allow(missing_docs)]

use std::collections::BTreeMap;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kernel_auth_exporter::testing::{WAYS, Written};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

const CONNECTIONS: usize = 10_000;

/// The same series in the crate's gauges. Names here need no escape.
fn registry(text: &str) -> Registry {
    let registry = Registry::new();
    let mut gauges: BTreeMap<&str, GaugeVec> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.split_once('{').expect("labels");
        let labels: Vec<(&str, &str)> = labels
            .trim_end_matches("\"}")
            .split("\",")
            .map(|label| label.split_once("=\"").expect("a label"))
            .collect();
        let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        let gauge = gauges.entry(name).or_insert_with(|| {
            let gauge = GaugeVec::new(Opts::new(name, "Help."), &names).expect("a valid name");
            registry
                .register(Box::new(gauge.clone()))
                .expect("a new name");
            gauge
        });
        let value = value.parse().expect("a number");
        gauge.with_label_values(&values).set(value);
    }
    registry
}

fn benchmarks(criterion: &mut Criterion) {
    let fleet = Written::of(CONNECTIONS);
    let mut group = criterion.benchmark_group("render");
    for way in WAYS {
        // Of the text, also where it is compressed.
        group.throughput(Throughput::BytesDecimal(fleet.text(way).len() as u64));
        if way.contains("gzip") {
            group.sample_size(10);
        }
        group.bench_function(way, |bencher| bencher.iter(|| fleet.drain(way)));
    }

    let text = String::from_utf8(fleet.text(WAYS[0])).expect("text");
    let registry = registry(&text);
    group.sample_size(10);
    group.throughput(Throughput::BytesDecimal(text.len() as u64));
    group.bench_function("prometheus crate, gather and encode", |bencher| {
        bencher.iter(|| {
            TextEncoder::new()
                .encode_to_string(&registry.gather())
                .expect("valid families")
                .len()
        });
    });
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
