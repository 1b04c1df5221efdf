//! Ways to the API: direct, or through a proxy.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::TryFutureExt;
use http::header::{HeaderMap, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use tokio::time::timeout;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use super::NAME;
use super::stream::{Io, Stream};

/// How long a connection may take to be made, through a proxy and with TLS.
/// Five seconds, as the official Python client has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

type Plain = HttpsConnector<HttpConnector>;

/// How to get to the API.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    way: Way,
    /// Parts of answers that came.
    pub(super) heard: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Way {
    Direct(Plain),
    /// An `http` API: the proxy sends each request on.
    Forwarded(Plain, Intercept),
    /// An `https` API: the proxy passes on what it cannot read.
    Tunnelled(HttpsConnector<Tunnel<Plain>>),
}

impl Connector {
    pub(super) fn new(is_secure: bool, roots: RootCertStore, proxy: Option<Intercept>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        tcp.set_keepalive_interval(Some(Duration::from_secs(15)));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(Duration::from_secs(30)));
        let to_proxy = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut to_api = to_proxy.clone();
        to_api.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let way = match proxy {
            None => Way::Direct((tcp, to_api).into()),
            Some(proxy) if is_secure => {
                let mut headers = HeaderMap::from_iter([(USER_AGENT, NAME)]);
                headers.extend(credentials(&proxy));
                let tunnel = Tunnel::new(proxy.uri().clone(), (tcp, to_proxy).into());
                Way::Tunnelled((tunnel.with_headers(headers), to_api).into())
            }
            Some(proxy) => Way::Forwarded((tcp, to_proxy).into(), proxy),
        };
        let heard = Arc::default();
        Self { way, heard }
    }

    /// What each request has to show the proxy.
    pub(super) fn credentials(&self) -> Option<(HeaderName, HeaderValue)> {
        match &self.way {
            Way::Forwarded(_, proxy) => credentials(proxy),
            Way::Direct(_) | Way::Tunnelled(_) => None,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, api: Uri) -> BoxFuture<Stream> {
        let is_forwarded = matches!(self.way, Way::Forwarded(..));
        let heard = Arc::clone(&self.heard);
        let connecting: BoxFuture<Box<dyn Io>> = match &mut self.way {
            Way::Direct(connector) => Box::pin(connector.call(api).map_ok(boxed)),
            Way::Forwarded(connector, proxy) => {
                Box::pin(connector.call(proxy.uri().clone()).map_ok(boxed))
            }
            Way::Tunnelled(connector) => Box::pin(connector.call(api).map_ok(boxed)),
        };
        Box::pin(async move {
            let io = timeout(CONNECT_TIMEOUT, connecting).await??;
            Ok(Stream::new(io, heard, is_forwarded))
        })
    }
}

/// What the proxy is shown, where its URL has a user.
fn credentials(proxy: &Intercept) -> Option<(HeaderName, HeaderValue)> {
    Some((PROXY_AUTHORIZATION, proxy.basic_auth()?.clone()))
}

fn boxed(io: impl Io + 'static) -> Box<dyn Io> {
    Box::new(io)
}
