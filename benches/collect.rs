//! How fast answers become a snapshot: `cargo bench --bench collect`.
//!
//! The bodies are the simulated API's, made once and then served as they are
//! by a small server on the loopback interface, so that its work is no more
//! than copying. `decode` is one page of 100 connections, without a network;
//! `collect` is a whole collection of 10,000: requests, decoding, sorting and
//! comparing with the snapshot before.

#![allow(missing_docs)]

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kernel_api_simulator::{DEFAULT_API_KEY, Options, Simulator};
use kernel_auth_exporter::testing::{Collecting, decode};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const CONNECTIONS: usize = 10_000;
const PAGE: usize = 100;

/// The pages of the simulated API.
async fn pages() -> Vec<Bytes> {
    let options = Options {
        connections: CONNECTIONS,
        speed: 0.0,
        ..Options::default()
    };
    let simulator = Simulator::bind("127.0.0.1:0", options)
        .await
        .expect("a free port");
    let base = simulator.base_url();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(simulator.run(shutdown.clone()));
    let client = reqwest::Client::new();
    let mut pages = Vec::new();
    for offset in (0..CONNECTIONS).step_by(PAGE) {
        let url = format!("{base}/auth/connections?limit={PAGE}&offset={offset}");
        let answer = client.get(url).bearer_auth(DEFAULT_API_KEY).send().await;
        let body = answer.expect("an answer").bytes().await;
        pages.push(body.expect("a page"));
    }
    shutdown.cancel();
    running.await.expect("the simulator does not panic");
    pages
}

/// Serves `pages` for as long as the runtime lives; returns the base URL.
async fn serve(pages: Arc<Vec<Bytes>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pages = Arc::clone(&pages);
            let service = service_fn(move |request: Request<_>| {
                let answer = answer(&pages, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    format!("http://{address}")
}

fn answer(pages: &[Bytes], request: &Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap_or_default();
    let index = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "offset")
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or(0)
        / PAGE;
    let page = pages.get(index).cloned();
    let more = index + 1 < pages.len();
    let mut response = Response::new(Full::new(page.unwrap_or(Bytes::from_static(b"[]"))));
    let headers = response.headers_mut();
    headers.insert(
        "x-has-more",
        if more { "true" } else { "false" }.parse().expect("ascii"),
    );
    headers.insert(
        "x-next-offset",
        if more { (index + 1) * PAGE } else { 0 }.into(),
    );
    response
}

fn benchmarks(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let pages = Arc::new(runtime.block_on(pages()));

    let mut group = criterion.benchmark_group("decode");
    let page = &pages[0];
    group.throughput(Throughput::BytesDecimal(page.len() as u64));
    group.bench_function("page of 100", |bencher| {
        bencher.iter(|| decode(black_box(page)));
    });
    group.bench_function("page of 100, as serde_json::Value", |bencher| {
        bencher
            .iter(|| serde_json::from_slice::<serde_json::Value>(black_box(page)).expect("a page"));
    });
    group.finish();

    let mut group = criterion.benchmark_group("collect");
    group.sample_size(20);
    group.throughput(Throughput::Elements(CONNECTIONS as u64));
    let base = runtime.block_on(serve(Arc::clone(&pages)));
    let collector = Collecting::new(base, DEFAULT_API_KEY);
    group.bench_function("snapshot of 10,000 over loopback", |bencher| {
        bencher.iter(|| {
            assert!(runtime.block_on(collector.collect()), "the API answers");
        });
    });
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
