//! Connections to the API: made in time, directly or through a proxy, and kept
//! between requests. What a peer sends without end costs it its connection.

mod connector;
mod problem;
mod stream;

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::RootCertStore;

use self::connector::Connector;
pub(super) use self::problem::problem;
use super::error::Problem;

const NAME: HeaderValue =
    HeaderValue::from_static(concat!("kernel-auth-exporter/", env!("CARGO_PKG_VERSION")));

/// How often an HTTP/2 connection on which a request waits is asked whether it
/// is alive, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Interim answers (1xx) that a request may have over HTTP/1.1. The API sends none.
const MAX_INTERIM: u32 = 64;

/// How often a request is sent again that the server says it did not begin.
const MAX_NACKS: u32 = 2;

/// What HTTP/1.1 reads at once, bytes; the largest head of an answer, too.
const BUFFER: usize = 64 * 1024;

/// Connections that are kept.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: legacy::Client<Connector, Empty<Bytes>>,
    connector: Connector,
    /// How often all connections were left before.
    pub(super) generation: u64,
}

impl Transport {
    /// None yet, to be made to `api`.
    pub(super) fn new(api: &str, roots: RootCertStore, proxy: Option<Intercept>) -> Self {
        let is_secure = api.starts_with("https:");
        Self::of(Connector::new(is_secure, roots, proxy), 0)
    }

    /// None yet, to be made in the same way.
    pub(super) fn anew(&self) -> Self {
        Self::of(self.connector.clone(), self.generation + 1)
    }

    fn of(connector: Connector, generation: u64) -> Self {
        Self {
            client: client(connector.clone()),
            connector,
            generation,
        }
    }

    /// Sends a request; its answer has come as far as its head.
    pub(super) async fn send(
        &self,
        mut request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, Problem> {
        request.headers_mut().insert(USER_AGENT, NAME);
        request.headers_mut().extend(self.connector.credentials());
        let interim = Arc::new(Semaphore::new(0));
        let counted = Arc::clone(&interim);
        hyper::ext::on_informational(&mut request, move |_| counted.add_permits(1));
        let mut nacks = 0;
        loop {
            let answer = tokio::select! {
                biased;
                // The connection goes with the request that nobody waits for.
                _ = interim.acquire_many(MAX_INTERIM + 1) => return Err(Problem::unreachable(
                    format!("more than {MAX_INTERIM} interim answers (1xx) and no final one"),
                )),
                answer = self.client.request(request.clone()) => answer,
            };
            match answer {
                Err(error) if nacks < MAX_NACKS && is_nack(&error) => nacks += 1,
                answer => {
                    let answer = answer.map_err(|error| problem(&error))?;
                    self.heard();
                    return Ok(answer);
                }
            }
        }
    }

    /// How often parts of answers have come.
    pub(super) fn times_heard(&self) -> u64 {
        self.connector.heard.load(Ordering::Relaxed)
    }

    /// A part of an answer came: connections carry what they should.
    pub(super) fn heard(&self) {
        self.connector.heard.fetch_add(1, Ordering::Relaxed);
    }
}

fn client(connector: Connector) -> legacy::Client<Connector, Empty<Bytes>> {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(90))
        .http1_max_buf_size(BUFFER)
        .http2_adaptive_window(true)
        // Only while a request waits, and no oftener than servers tolerate.
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector)
}

/// Whether the server says that it did not begin with the request: it closes
/// the connection in good order, or refuses the stream.
fn is_nack(error: &legacy::Error) -> bool {
    let told = error.source().and_then(StdError::source);
    let told = told.and_then(|told| told.downcast_ref::<h2::Error>());
    told.is_some_and(|told| {
        let graceful = told.is_go_away() && told.reason() == Some(h2::Reason::NO_ERROR);
        let refused = told.is_reset() && told.reason() == Some(h2::Reason::REFUSED_STREAM);
        told.is_remote() && (graceful || refused)
    })
}
