//! What is answered at which path.

mod narrowed;
mod reload;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use self::narrowed::Narrowed;
pub(crate) use self::reload::{Order, Reload};
use super::discovery::{self, Targets};
use super::{probe, status_page};
use crate::collect::Collector;
use crate::exposition::{self, ExpositionBody, Options, negotiate};
use crate::model::{CollectorSet, States, Timestamp};
use crate::telemetry::Telemetry;
use exporter_toolkit::server::{Body, Handler, Peer, RequestBody, plain};

/// The scraper's own timeout, seconds with a fraction, as Prometheus sends it.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// No scraper is believed to wait longer than this.
const LONGEST_SCRAPE: f64 = 600.0;

/// Status pages that are made at once; others wait for their turn.
const PAGES: usize = 2;

/// What a reload replaces.
pub(crate) struct Live {
    /// Fetches and holds the fleet.
    pub collector: Collector,
    /// Which families are shown.
    pub collectors: CollectorSet,
    /// Which states of an enum are shown.
    pub states: States,
    /// Budget of a scrape that names none.
    pub timeout: Duration,
    /// Taken off the scraper's timeout.
    pub timeout_offset: Duration,
    /// `--kernel.cache`: scrapes within this age share one collection.
    pub cache: Duration,
}

/// What stays as it was started.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Scrapes, probes and discoveries at once; more get 503.
    pub max_requests: usize,
}

/// Answers every request that the server lets through.
pub(crate) struct Routes {
    live: RwLock<Arc<Live>>,
    fixed: Fixed,
    telemetry: Telemetry,
    reload: Reload,
    scrapes: Arc<Semaphore>,
    pages: Semaphore,
}

/// Something that answers.
#[derive(Clone, Copy)]
enum Place {
    Metrics,
    Probe,
    Discovery,
    StatusPage,
    Healthy,
    Ready,
    Reload,
}

impl Routes {
    /// Routes over `live`, which can be replaced.
    pub(crate) fn new(live: Live, fixed: Fixed, telemetry: Telemetry, reload: Reload) -> Self {
        let scrapes = Arc::new(Semaphore::new(fixed.max_requests));
        Self {
            live: RwLock::new(Arc::new(live)),
            fixed,
            telemetry,
            reload,
            scrapes,
            pages: Semaphore::new(PAGES),
        }
    }

    /// Answers from `live` from now on; scrapes under way end as they began.
    pub(crate) fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// What answers now.
    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How loading the configuration went.
    pub(crate) fn reload(&self) -> &Reload {
        &self.reload
    }

    /// The exporter's own metrics.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn place(&self, path: &str) -> Option<Place> {
        Some(match path {
            "/" => Place::StatusPage,
            "/probe" => Place::Probe,
            "/sd" => Place::Discovery,
            "/-/healthy" => Place::Healthy,
            "/-/ready" => Place::Ready,
            "/-/reload" => Place::Reload,
            path if path == self.fixed.telemetry_path => Place::Metrics,
            _ => return None,
        })
    }

    async fn route(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Some(place) = self.place(request.uri().path()) else {
            let text = format!(
                "no such page; the metrics are at {}, the status page is at /",
                self.fixed.telemetry_path
            );
            return plain(StatusCode::NOT_FOUND, &text);
        };
        if let Place::Reload = place {
            return match *request.method() {
                Method::POST | Method::PUT => self.reload.order(request.headers()).await,
                _ => not_allowed("POST, PUT"),
            };
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match place {
            Place::Healthy => plain(StatusCode::OK, "kernel-auth-exporter is healthy."),
            Place::Ready => plain(StatusCode::OK, "kernel-auth-exporter is ready."),
            Place::Metrics => self.metrics(request).await,
            Place::Probe => self.probe(request).await,
            Place::Discovery => self.discovery(request).await,
            Place::StatusPage => self.status_page(request).await,
            Place::Reload => not_allowed("POST, PUT"),
        }
    }

    async fn metrics(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Some(taken) = self.take_place() else {
            return busy();
        };
        let started = Instant::now();
        let live = self.live();
        let narrowed = match Narrowed::read(query_of(request), &live) {
            Ok(narrowed) => narrowed,
            Err(complaint) => return plain(StatusCode::BAD_REQUEST, &complaint),
        };
        let deadline = started + live.budget(request.headers());
        let collected = live.collector.collect(narrowed.request(deadline)).await;
        self.telemetry.scrape(collected.outcome, started.elapsed());
        let (reloaded, at) = self.reload.state();
        self.telemetry.config_reloaded(reloaded, at);
        let options = live.options(&narrowed, request.headers());
        self.telemetry
            .timelines_pending(live.collector.timelines_pending());
        let own = self.telemetry.gather();
        exposed(
            exposition::stream(collected.fleet, own, now(), options),
            options,
            taken,
        )
    }

    async fn probe(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Some(taken) = self.take_place() else {
            return busy();
        };
        let started = Instant::now();
        let live = self.live();
        let query = query_of(request);
        let (target, narrowed) = match probe::target(query)
            .and_then(|target| Ok((target, Narrowed::read(query, &live)?)))
        {
            Ok(asked) => asked,
            Err(complaint) => return plain(StatusCode::BAD_REQUEST, &complaint),
        };
        let deadline = started + live.budget(request.headers());
        let asked = narrowed.request(deadline);
        let probed = match live.collector.probe(target.as_str(), asked).await {
            Ok(probed) => probed,
            Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let options = live.options(&narrowed, request.headers());
        let took = started.elapsed();
        exposed(
            exposition::stream_probe(probed.fleet, probed.success, took, now(), options),
            options,
            taken,
        )
    }

    async fn discovery(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Some(taken) = self.take_place() else {
            return busy();
        };
        let live = self.live();
        let narrowed = match Narrowed::read(query_of(request), &live) {
            Ok(narrowed) => narrowed,
            Err(complaint) => return plain(StatusCode::BAD_REQUEST, &complaint),
        };
        let mut fleet = narrowed.narrow(live.collector.last());
        if !discovery::is_fresh(&fleet, now(), live.cache) {
            let deadline = Instant::now() + live.timeout;
            let collected = live.collector.collect(narrowed.request(deadline)).await;
            fleet = Arc::unwrap_or_clone(collected.fleet);
        }
        let named_project = narrowed.project.is_some();
        if !discovery::is_known(&fleet) || (named_project && fleet.scopes.is_empty()) {
            return discovery::unknown();
        }
        let mut response = Response::new(placed(Targets::new(fleet), taken));
        let headers = response.headers_mut();
        let put = HeaderValue::from_static;
        headers.insert(header::CONTENT_TYPE, put("application/json"));
        headers.insert(header::CACHE_CONTROL, put("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, put("nosniff"));
        response
    }

    async fn status_page(&self, request: &Request<RequestBody>) -> Response<Body> {
        let _turn = self.pages.acquire().await;
        let live = self.live();
        let query = status_page::Query::read(query_of(request));
        let telemetry_path = self.fixed.telemetry_path.clone();
        // Judging and sorting a large fleet takes some milliseconds.
        let made = tokio::task::spawn_blocking(move || {
            let view = status_page::View {
                fleet: &live.collector.last(),
                untouched: live.collector.is_untouched(),
                now: now(),
                telemetry_path: &telemetry_path,
            };
            status_page::render(&view, &query)
        });
        match made.await {
            Ok(html) => status_page::response(html),
            Err(_) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page could not be made; the log may say why",
            ),
        }
    }

    fn take_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.scrapes).try_acquire_owned().ok()
    }
}

fn query_of(request: &Request<RequestBody>) -> &str {
    request.uri().query().unwrap_or_default()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// The answer to a scrape or a probe.
fn exposed(text: ExpositionBody, options: Options, taken: OwnedSemaphorePermit) -> Response<Body> {
    let mut response = Response::new(placed(text, taken));
    let headers = response.headers_mut();
    let put = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, put(options.format.content_type()));
    headers.insert(header::VARY, put("Accept, Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, put("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, put("nosniff"));
    if let Some(encoding) = options.encoding.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, put(encoding));
    }
    response
}

fn placed<B>(body: B, taken: OwnedSemaphorePermit) -> Body
where
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let body = Placed {
        body,
        _place: taken,
    };
    body.map_err(|never| match never {}).boxed_unsync()
}

impl Handler for Routes {
    async fn handle(&self, request: Request<RequestBody>, _peer: Peer) -> Response<Body> {
        self.route(&request).await
    }
}

impl Live {
    /// How long a scrape may take: the scraper's own timeout less the offset.
    /// An offset that would eat the whole timeout is halved until it does not.
    fn budget(&self, headers: &HeaderMap) -> Duration {
        let named = headers
            .get(SCRAPE_TIMEOUT)
            .and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok())
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_SCRAPE)));
        let Some(timeout) = named else {
            return self.timeout;
        };
        let mut offset = self.timeout_offset;
        while offset >= timeout && !offset.is_zero() {
            offset /= 2;
        }
        timeout.saturating_sub(offset)
    }

    fn options(&self, narrowed: &Narrowed, headers: &HeaderMap) -> Options {
        let accepted = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Options {
            collectors: narrowed.collectors,
            states: self.states,
            format: negotiate::format(accepted(header::ACCEPT)),
            encoding: negotiate::encoding(accepted(header::ACCEPT_ENCODING)),
        }
    }
}

/// A body that keeps its place among the scrapes until it is sent.
struct Placed<B> {
    body: B,
    _place: OwnedSemaphorePermit,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Placed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn not_allowed(allow: &'static str) -> Response<Body> {
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not allowed here",
    );
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn busy() -> Response<Body> {
    let mut response = plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many scrapes at once; --web.max-requests bounds them",
    );
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
