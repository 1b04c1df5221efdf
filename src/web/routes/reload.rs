//! `/-/reload`, and whether the configuration in force is the one in the files.

use std::time::SystemTime;

use http::{HeaderValue, Request, Response, StatusCode, header};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::config::ExternalUrl;
use crate::model::Timestamp;
use exporter_toolkit::server::{Body, plain};
use exporter_toolkit::web_config::WebConfigHandle;

/// Somebody wants a reload, and how it went: in the error's words what is
/// wrong.
pub(crate) type Order = oneshot::Sender<Result<(), String>>;

/// Orders that wait. Each reloads everything, so more would be for nothing.
const WAITING: usize = 4;

/// Passes orders on, and remembers how the latest load of the files went.
pub(crate) struct Reload {
    /// `None`: `--web.enable-lifecycle` was not given.
    orders: Option<mpsc::Sender<Order>>,
    web_config: WebConfigHandle,
    /// Whether the latest load succeeded, and when one last did.
    latest: Mutex<(bool, Timestamp)>,
}

impl Reload {
    /// The first load has just succeeded. With `over_http`, orders come out of
    /// the receiver.
    pub(crate) fn new(
        web_config: WebConfigHandle,
        over_http: bool,
    ) -> (Self, Option<mpsc::Receiver<Order>>) {
        let (orders, ordered) = mpsc::channel(WAITING);
        let reload = Self {
            orders: over_http.then_some(orders),
            web_config,
            latest: Mutex::new((true, SystemTime::now().into())),
        };
        (reload, over_http.then_some(ordered))
    }

    /// Notes how a reload went.
    pub(crate) fn note(&self, ok: bool) {
        let mut latest = self.latest.lock();
        latest.0 = ok;
        if ok {
            latest.1 = SystemTime::now().into();
        }
    }

    /// Whether the latest load of each file succeeded, and when one last did.
    ///
    /// The web configuration is also read again by itself when its files
    /// change.
    pub(crate) fn state(&self) -> (bool, Timestamp) {
        let (ok, at) = *self.latest.lock();
        let web = self.web_config.last_reload_success().map(Timestamp::from);
        // What was read of it since a reload that failed is not all there was.
        let web = web.filter(|_| ok);
        (
            ok && self.web_config.last_reload_ok(),
            web.map_or(at, |web| web.max(at)),
        )
    }

    /// Answers `POST /-/reload`; `external` is where others reach this server.
    pub(super) async fn order<B>(
        &self,
        request: &Request<B>,
        external: Option<&ExternalUrl>,
    ) -> Response<Body> {
        let Some(orders) = &self.orders else {
            return plain(
                StatusCode::FORBIDDEN,
                "reloading over HTTP is off; start with --web.enable-lifecycle, or send SIGHUP",
            );
        };
        // A page of another site that a browser has open has no say here.
        if !is_from_here(request, external) {
            return plain(StatusCode::FORBIDDEN, "not from another site");
        }
        let (order, done) = oneshot::channel();
        let gone = || {
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the exporter is stopping, or too many reloads are waiting",
            )
        };
        if orders.try_send(order).is_err() {
            return gone();
        }
        match done.await {
            Ok(Ok(())) => plain(StatusCode::OK, "configuration reloaded"),
            Ok(Err(complaint)) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("nothing changed: {complaint}"),
            ),
            Err(_) => gone(),
        }
    }
}

/// Whether no browser says that a page of another site sent it. Browsers leave
/// `Sec-Fetch-Site` out where the host is neither on HTTPS nor loopback, but not
/// `Origin`; what is no browser sends neither.
fn is_from_here<B>(request: &Request<B>, external: Option<&ExternalUrl>) -> bool {
    let headers = request.headers();
    let of_this_site = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    if !headers.get_all("sec-fetch-site").iter().all(of_this_site) {
        return false;
    }
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| Some(request.uri().authority()?.as_str().as_bytes()));
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let named = origin.split_once("://").map(|(_, named)| named.as_bytes());
        let is_this = named.is_some() && named == host;
        is_this || external.is_some_and(|url| url.is_origin(origin))
    })
}
