//! What is answered at which path.

mod narrowed;
mod pace;
mod reload;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::narrowed::Narrowed;
use self::pace::Pace;
pub(crate) use self::reload::{Order, Reload};
pub(crate) use self::settings::{Reloadable, StaticSettings};
use super::answer::{Refusal, bad, exposed, held, later, not_allowed, of_now, with_permit};
use super::discovery::{self, Targets};
use super::{pages, probe};
use crate::collect::{self, Collected, ProbeError, Settings};
use crate::exposition::{self, Blocks, Chunks, Format, Options, Own};
use crate::logging;
use crate::model::{Fleet, Timestamp};
use crate::telemetry::Telemetry;
use exporter_toolkit::server::{
    Body, Handler, Peer, RequestBody, RequestLimit, RequestPermit, plain, plain_with,
};

/// Pages for people that are under way at once; more get 503. They are sent as a
/// whole, and who does not read them would keep them here.
const PAGES: usize = 16;

/// Of those, pages that are made at once; the others wait for their turn.
const MAKING: usize = 2;

/// When to come again where there are too many at once, in seconds.
const SOON: u16 = 5;

const TOO_MANY_SCRAPES: &str = "too many scrapes at once; --web.max-requests bounds them";

type Answer = Result<Response<Body>, Refusal>;

/// Answers every request that the server lets through.
pub(crate) struct Routes {
    reloadable: RwLock<Arc<Reloadable>>,
    settings: StaticSettings,
    telemetry: Telemetry,
    reload: Reload,
    scrapes: RequestLimit,
    pages: RequestLimit,
    making: Arc<Semaphore>,
    /// The first whole collection has been told.
    has_collected: AtomicBool,
    pace: Mutex<Pace>,
    blocks: Arc<Blocks>,
}

#[derive(Clone, Copy)]
enum Route {
    Metrics,
    Probe,
    Discovery,
    Fleet,
    Connection,
    Healthy,
    Ready,
    Reload,
    /// To the page of the fleet.
    Home,
}

impl Routes {
    pub(crate) fn new(
        reloadable: Reloadable,
        settings: StaticSettings,
        telemetry: Telemetry,
        reload: Reload,
    ) -> Self {
        let scrapes = RequestLimit::new(settings.max_requests);
        Self {
            reloadable: RwLock::new(Arc::new(reloadable)),
            settings,
            telemetry,
            reload,
            scrapes,
            pages: RequestLimit::new(PAGES),
            making: Arc::new(Semaphore::new(MAKING)),
            has_collected: AtomicBool::new(false),
            pace: Mutex::default(),
            blocks: Arc::default(),
        }
    }

    /// Answers from `new` from now on; scrapes under way end as they began.
    pub(crate) fn replace(&self, new: Reloadable) {
        *self.reloadable.write() = Arc::new(new);
    }

    /// What answers now.
    pub(crate) fn reloadable(&self) -> Arc<Reloadable> {
        Arc::clone(&self.reloadable.read())
    }

    /// How loading the configuration went.
    pub(crate) fn reload(&self) -> &Reload {
        &self.reload
    }

    /// The exporter's own metrics.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn find(&self, path: &str) -> Option<Route> {
        let prefix = self.settings.prefix.as_str();
        if !prefix.is_empty() && (path == prefix || path == "/") {
            return Some(Route::Home);
        }
        Some(match path.strip_prefix(prefix)? {
            "/" => Route::Fleet,
            "/connection" => Route::Connection,
            "/probe" => Route::Probe,
            "/sd" => Route::Discovery,
            "/-/healthy" => Route::Healthy,
            "/-/ready" => Route::Ready,
            "/-/reload" => Route::Reload,
            path if path == self.settings.telemetry_path => Route::Metrics,
            _ => return None,
        })
    }

    async fn answer(&self, request: &Request<RequestBody>) -> Response<Body> {
        let Some(route) = self.find(request.uri().path()) else {
            let prefix = self.settings.prefix.as_str();
            let text = format!(
                "no such page; the metrics are at {prefix}{}, the pages for people are at {prefix}/",
                self.settings.telemetry_path
            );
            return plain(StatusCode::NOT_FOUND, &text);
        };
        let (allowed, named) = match route {
            Route::Reload => ([Method::POST, Method::PUT], "POST, PUT"),
            _ => ([Method::GET, Method::HEAD], "GET, HEAD"),
        };
        if !allowed.contains(request.method()) {
            return not_allowed(named);
        }
        let answer = match route {
            Route::Healthy => Ok(plain(StatusCode::OK, "kernel-auth-exporter is healthy.")),
            Route::Ready => Ok(plain(StatusCode::OK, "kernel-auth-exporter is ready.")),
            Route::Metrics => self.metrics(request).await,
            Route::Probe => self.probe(request).await,
            Route::Discovery => self.discovery(request).await,
            Route::Fleet => self.fleet(request).await,
            Route::Connection => self.connection(request).await,
            Route::Home => Ok(self.home()),
            Route::Reload => {
                let external = self.settings.external_url.as_ref();
                Ok(self.reload.order(request, external).await)
            }
        };
        answer.unwrap_or_else(|Refusal(response)| *response)
    }

    async fn scrape_permit(
        &self,
        request: &Request<RequestBody>,
    ) -> Result<RequestPermit, Refusal> {
        let permit = self.scrapes.take(request).await;
        permit.ok_or_else(|| later(TOO_MANY_SCRAPES, SOON))
    }

    fn home(&self) -> Response<Body> {
        let home = self.settings.home();
        let text = format!("the pages are at {home}");
        let home = HeaderValue::try_from(home).expect("URLs and prefixes are visible ASCII");
        plain_with(StatusCode::FOUND, &text, (header::LOCATION, home))
    }

    async fn metrics(&self, request: &Request<RequestBody>) -> Answer {
        let permit = self.scrape_permit(request).await?;
        let started = Instant::now();
        let live = self.reloadable();
        let narrowed = Narrowed::read(query_of(request), &live)?;
        let hold = live.watcher.settings.hold;
        if let Some(passed) = self.pace.lock().scraped(started, hold) {
            tracing::warn!(
                seconds_between_scrapes = passed.as_secs(),
                hold_seconds = hold.as_secs(),
                "--kernel.hold is not longer than the scrape interval, so nothing is left to \
                 show as soon as one collection fails; set several intervals"
            );
        }
        let deadline = started + live.budget(request.headers());
        let collected = live.watcher.collect(narrowed.request(deadline)).await;
        self.telemetry.scrape(collected.outcome, started.elapsed());
        narrowed.place(&live)?;
        self.tell_first(&collected, started);
        let own = Own {
            gathered: self.telemetry.gather(),
            config_load: Some(self.reload.state()),
            timelines_pending: Some(live.watcher.timelines_pending()),
            log_dropped: Some(logging::dropped_lines()),
            ceilings: Some(live.watcher.ceilings()),
            probe: None,
        };
        let options = live.options(narrowed.collectors, request.headers());
        Ok(exposed(collected.fleet, own, options, &self.blocks, permit))
    }

    /// One collection that no scrape asks for; the pages show it.
    pub(crate) async fn collect(&self) {
        let (started, live) = (Instant::now(), self.reloadable());
        let request = collect::Request::everything(live.watcher.settings.timeout);
        let collected = live.watcher.collect(request).await;
        self.tell_first(&collected, started);
    }

    /// Tells the log of the first collection that came whole: it works.
    fn tell_first(&self, collected: &Collected, started: Instant) {
        if !collected.is_whole() || self.has_collected.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::info!(
            connections = collected.fleet.connections().count(),
            scopes = collected.fleet.scopes.len(),
            seconds = started.elapsed().as_millis() as f64 / 1e3,
            "first collection; the API answers"
        );
    }

    async fn probe(&self, request: &Request<RequestBody>) -> Answer {
        let permit = self.scrape_permit(request).await?;
        let started = Instant::now();
        let live = self.reloadable();
        let query = query_of(request);
        let target = probe::target(query).map_err(|text| bad(&text))?;
        let narrowed = Narrowed::read(query, &live)?;
        let deadline = started + live.budget(request.headers());
        let probing = live.watcher.probe(&target, narrowed.request(deadline));
        let (probed, log) = if probe::is_to_explain(query) {
            let (probed, log) = logging::capture(probing).await;
            (probed, Some(log))
        } else {
            (probing.await, None)
        };
        let probed = match probed {
            Ok(probed) => probed,
            Err(error) => {
                narrowed.place(&live)?;
                let text = error.to_string();
                return Err(match error {
                    ProbeError::Spent => later(&text, 60),
                    _ => bad(&text),
                });
            }
        };
        let own = Own {
            probe: Some((probed.success, started.elapsed())),
            ..Own::default()
        };
        let options = live.options(narrowed.collectors, request.headers());
        Ok(match log {
            Some(log) => {
                let options = Options {
                    format: Format::default(),
                    gzip: false,
                    ..options
                };
                let metrics = exposition::render(&probed.fleet, &own, now(), options);
                let text = probe::explained(&target, &probed, &log, &metrics);
                held(plain(StatusCode::OK, &text), permit)
            }
            None => exposed(probed.fleet, own, options, &self.blocks, permit),
        })
    }

    async fn discovery(&self, request: &Request<RequestBody>) -> Answer {
        let permit = self.scrape_permit(request).await?;
        let live = self.reloadable();
        let narrowed = Narrowed::read(query_of(request), &live)?;
        let mut fleet = narrowed.narrow(live.watcher.last());
        let Settings { cache, timeout, .. } = *live.watcher.settings;
        if !discovery::is_fresh(&fleet, now(), cache) {
            let deadline = Instant::now() + timeout;
            let collected = live.watcher.collect(narrowed.request(deadline)).await;
            fleet = Arc::unwrap_or_clone(collected.fleet);
        }
        narrowed.place(&live)?;
        if !discovery::is_known(&fleet) {
            return Err(later(discovery::UNKNOWN, 10));
        }
        let body = with_permit(Chunks::new(Targets::new(fleet), None), permit);
        let kind = HeaderValue::from_static("application/json");
        Ok(of_now(kind, body))
    }

    async fn fleet(&self, request: &Request<RequestBody>) -> Answer {
        let query = query_of(request);
        let live = self.reloadable();
        let narrowed = Narrowed::read(query, &live)?;
        narrowed.place(&live)?;
        let query = pages::Query::read(query);
        let narrow = move |fleet| narrowed.narrow(fleet);
        self.page(request, narrow, move |view| pages::fleet(view, &query))
            .await
    }

    async fn connection(&self, request: &Request<RequestBody>) -> Answer {
        let query = query_of(request);
        let live = self.reloadable();
        let narrowed = Narrowed::read(query, &live)?;
        narrowed.place(&live)?;
        let id = pages::asked_id(query)
            .ok_or_else(|| bad("name one connection by its id, as in /connection?id=ID"))?;
        let paused = pages::Query::read(query).paused;
        let narrow = move |fleet| narrowed.narrow(fleet);
        let page = move |view: &pages::View<'_>| pages::connection(view, &id, paused);
        self.page(request, narrow, page).await
    }

    /// A page of what `narrow` leaves of the fleet.
    async fn page(
        &self,
        request: &Request<RequestBody>,
        narrow: impl FnOnce(Fleet) -> Fleet + Send + 'static,
        make: impl FnOnce(&pages::View<'_>) -> Response<Body> + Send + 'static,
    ) -> Answer {
        let permit = self.pages.take(request).await;
        let permit = permit
            .ok_or_else(|| later("too many pages at once; load it again in a moment", SOON))?;
        // Kept until the page is made, also where nobody waits for it any more.
        let turn = Arc::clone(&self.making).acquire_owned().await;
        let live = self.reloadable();
        let telemetry_path = self.settings.telemetry_path.clone();
        let refresh = self.settings.refresh;
        // Judging and sorting a large fleet takes some milliseconds.
        let rendered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            make(&pages::View {
                fleet: &narrow(live.watcher.last()),
                untouched: live.watcher.is_untouched(),
                now: now(),
                telemetry_path: &telemetry_path,
                refresh,
            })
        });
        let page = rendered.await.unwrap_or_else(|_| {
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the page could not be made; the log may say why",
            )
        });
        Ok(held(page, permit))
    }
}

fn query_of(request: &Request<RequestBody>) -> &str {
    request.uri().query().unwrap_or_default()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

impl Handler for Routes {
    async fn handle(&self, request: Request<RequestBody>, _peer: Peer) -> Response<Body> {
        self.answer(&request).await
    }
}
