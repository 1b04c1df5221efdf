//! Who answers, and who asks.

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::Limited;
use hyper::body::Incoming;

use crate::response::Body;

/// A request body that ends with an error beyond [`Limits::request_body`](super::Limits::request_body)
/// bytes. Nothing of it is read unless the handler reads it.
pub type RequestBody = Limited<Incoming>;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the TCP connection; a proxy's when there is one.
    pub address: SocketAddr,
    /// Whether the request came over TLS.
    pub tls: bool,
}

/// Answers requests. Access rules have been applied before.
///
/// A panic is answered with 500. The future is dropped when the connection
/// ends first.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. For HEAD the body is left out by the server.
    fn handle(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
    ) -> impl Future<Output = Response<Body>> + Send;
}
