//! What is answered at which path.

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

use super::landing;
use super::server::{Body, Handler, Peer, RequestBody, plain};
use crate::collect::{self, Collector};
use crate::exposition::{self, Options, negotiate};
use crate::model::{self, CollectorSet, States, Timestamp};
use crate::telemetry::Telemetry;

/// The scraper's own timeout, seconds with a fraction, as Prometheus sends it.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// No scraper is believed to wait longer than this.
const LONGEST_SCRAPE: f64 = 600.0;

/// What a reload replaces.
pub struct Live {
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
}

/// What stays as it was started.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Scrapes at once; more get 503.
    pub max_requests: usize,
}

/// Answers every request that the server lets through.
pub struct Routes {
    live: RwLock<Arc<Live>>,
    fixed: Fixed,
    telemetry: Telemetry,
    scrapes: Arc<Semaphore>,
}

impl Routes {
    /// Routes over `live`, which can be replaced.
    pub fn new(live: Live, fixed: Fixed, telemetry: Telemetry) -> Self {
        let scrapes = Arc::new(Semaphore::new(fixed.max_requests));
        Self {
            live: RwLock::new(Arc::new(live)),
            fixed,
            telemetry,
            scrapes,
        }
    }

    /// Answers from `live` from now on; scrapes under way end as they began.
    pub fn replace(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// What answers now.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn route(&self, request: &Request<RequestBody>) -> Response<Body> {
        let path = request.uri().path();
        let known =
            path == self.fixed.telemetry_path || matches!(path, "/" | "/-/healthy" | "/-/ready");
        if !known {
            return plain(
                StatusCode::NOT_FOUND,
                "no such page; the metrics are at /metrics",
            );
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match path {
            "/-/healthy" => plain(StatusCode::OK, "kernel-auth-exporter is healthy."),
            "/-/ready" => plain(StatusCode::OK, "kernel-auth-exporter is ready."),
            path if path == self.fixed.telemetry_path => self.metrics(request).await,
            _ => landing::page(&self.fixed.telemetry_path),
        }
    }

    async fn metrics(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Ok(place) = Arc::clone(&self.scrapes).try_acquire_owned() else {
            return busy();
        };
        let started = Instant::now();
        let live = self.live();
        let narrowed = match Narrowed::read(request.uri().query().unwrap_or_default(), &live) {
            Ok(narrowed) => narrowed,
            Err(complaint) => return plain(StatusCode::BAD_REQUEST, &complaint),
        };
        let budget = live.budget(request.headers());
        let collected = live
            .collector
            .collect(collect::Request {
                deadline: started + budget,
                account: narrowed.account.as_deref(),
                project: narrowed.project.as_deref(),
            })
            .await;
        self.telemetry.scrape(collected.outcome, started.elapsed());
        let accepted = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let format = negotiate::format(accepted(header::ACCEPT));
        let encoding = negotiate::encoding(accepted(header::ACCEPT_ENCODING));
        let options = Options {
            collectors: narrowed.collectors,
            states: live.states,
            format,
            encoding,
        };
        let now = Timestamp::from(SystemTime::now());
        let text = exposition::stream(collected.fleet, self.telemetry.gather(), now, options);
        let body = Placed {
            body: text,
            _place: place,
        }
        .map_err(|never| match never {});
        let mut response = Response::new(body.boxed_unsync());
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(format.content_type()),
        );
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(encoding) = encoding.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
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
        timeout - offset
    }
}

/// What the query string leaves of a scrape.
#[derive(Debug)]
struct Narrowed {
    collectors: CollectorSet,
    account: Option<String>,
    project: Option<String>,
}

impl Narrowed {
    /// `collect[]=NAME`, `account=`, `project=`. Other parameters are somebody
    /// else's.
    fn read(query: &str, live: &Live) -> Result<Self, String> {
        let mut asked = None;
        let mut account = None;
        let mut project = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "collect[]" => {
                    let collector = model::Collector::ALL
                        .iter()
                        .find(|collector| collector.as_str() == value)
                        .filter(|collector| live.collectors.has(**collector))
                        .ok_or_else(|| {
                            let on = model::Collector::ALL
                                .iter()
                                .filter(|collector| live.collectors.has(**collector))
                                .map(|collector| collector.as_str());
                            let on = on.collect::<Vec<_>>().join(", ");
                            format!("no such collector, or it is off; these are on: {on}")
                        })?;
                    asked = Some(asked.unwrap_or(CollectorSet::EMPTY).with(*collector, true));
                }
                "account" => account = Some(value.into_owned()),
                "project" => project = Some(value.into_owned()),
                _ => {}
            }
        }
        let known = |name: &str| {
            live.collector
                .account_names()
                .any(|known| known == Some(name))
        };
        if account.as_deref().is_some_and(|name| !known(name)) {
            return Err("no such account in the configuration".to_owned());
        }
        let collectors = asked.map_or(live.collectors, |asked| live.collectors.and(asked));
        Ok(Self {
            collectors,
            account,
            project,
        })
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
