//! How fast the fleet becomes text: `cargo bench --bench render`.
//!
//! 10,000 connections, every default collector and every state, streamed chunk
//! by chunk as to a socket. For comparison the `prometheus` crate gathers and
//! encodes the same series; filling its gauges is not counted.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body::Body;
use kernel_auth_exporter::exposition::{Encoding, Escaping, Format, Options, render, stream};
use kernel_auth_exporter::model::{
    AccountView, AuthStatus, ClockOffset, Connection, CredentialKind, Fleet, Flow, FlowStatus,
    FlowStep, FlowType, LabelBlock, PendingInputs, ReauthReason, Scope, ScopeView, Settings,
    Snapshot, States, Timestamp,
};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

const CONNECTIONS: usize = 10_000;
const NOW: Timestamp = Timestamp::from_micros(1_795_341_600_250_000);

fn pick<T: Copy>(all: &[T], index: usize) -> T {
    all[index % all.len()]
}

fn connection(index: usize, scope: &Scope, scratch: &mut String) -> Connection {
    let ago = |seconds: usize| {
        let seconds = i64::try_from(seconds).expect("a few hours");
        Some(Timestamp::from_micros(
            NOW.as_micros() - seconds * 1_000_000 - 67_000,
        ))
    };
    Connection {
        labels: LabelBlock::new(
            &format!("{:024x}", index * 0x9e37_79b9_7f4a),
            &format!("site-{}.example.com", index % 400),
            Some(&format!("customer-{index}")),
            scope,
            scratch,
        ),
        status: pick(
            &[AuthStatus::Authenticated, AuthStatus::NeedsAuth],
            index / 7,
        ),
        last_auth_at: ago(index % 3600),
        last_auth_check_at: ago(index % 3600),
        flow: Flow {
            status: pick(FlowStatus::ALL, index / 3),
            step: pick(FlowStep::ALL, index / 5),
            kind: pick(FlowType::ALL, index / 11),
            expires_at: ago(index % 86_400),
            error_code: None,
            pending: PendingInputs::default(),
        },
        can_reauth: Some(index.is_multiple_of(3)),
        can_reauth_reason: Some(pick(ReauthReason::ALL, index)),
        settings: Settings {
            health_check_interval: Some(3600),
            health_checks: Some(true),
            auto_reauth: Some(true),
            save_credentials: Some(index.is_multiple_of(2)),
            record_session: Some(false),
            health_check_unavailable: None,
            credential: pick(CredentialKind::ALL, index),
        },
        history: None,
    }
}

fn fleet() -> Arc<Fleet> {
    let scope = Scope::new(None, Some("proj_bench"));
    let mut scratch = String::new();
    let connections = (0..CONNECTIONS)
        .map(|index| connection(index, &scope, &mut scratch))
        .collect();
    Arc::new(Fleet {
        accounts: vec![AccountView::default()],
        scopes: vec![ScopeView {
            scope: Arc::new(scope),
            up: true,
            snapshot: Some(Arc::new(Snapshot {
                fetched_at: NOW,
                clock: ClockOffset::default(),
                connections,
                found: Vec::new(),
            })),
        }],
    })
}

/// Reads a body to its end, as a connection does, and gives its length.
fn drain(fleet: &Arc<Fleet>, options: Options) -> usize {
    let mut body = stream(Arc::clone(fleet), Vec::new(), NOW, options);
    let mut context = Context::from_waker(Waker::noop());
    let mut length = 0;
    loop {
        match Pin::new(&mut body).poll_frame(&mut context) {
            Poll::Ready(Some(Ok(frame))) => {
                length += frame.data_ref().map_or(0, bytes::Bytes::len);
                black_box(frame);
            }
            Poll::Ready(None) => return length,
            Poll::Pending => {}
            Poll::Ready(Some(Err(never))) => match never {},
        }
    }
}

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
    let fleet = fleet();
    let plain = Options::default();
    let with = |format| Options { format, ..plain };
    let cases = [
        ("text 0.0.4", plain),
        ("text 1.0.0", with(Format::Text100(Escaping::AllowUtf8))),
        (
            "openmetrics 1.0.0",
            with(Format::OpenMetrics100(Escaping::AllowUtf8)),
        ),
        (
            "text 0.0.4, active states",
            Options {
                states: States::Active,
                ..plain
            },
        ),
        (
            "text 0.0.4, gzip",
            Options {
                encoding: Encoding::Gzip,
                ..plain
            },
        ),
    ];
    let mut group = criterion.benchmark_group("render");
    for (name, options) in cases {
        let text = render(
            &fleet,
            &[],
            NOW,
            Options {
                encoding: Encoding::Identity,
                ..options
            },
        );
        // Of the text, also where it is compressed.
        group.throughput(Throughput::BytesDecimal(text.len() as u64));
        if options.encoding == Encoding::Gzip {
            group.sample_size(10);
        }
        group.bench_function(name, |bencher| bencher.iter(|| drain(&fleet, options)));
    }

    let text = String::from_utf8(render(&fleet, &[], NOW, plain)).expect("text");
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
