//! One connection, from its first byte to its last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::admission::Slot;
use super::handler::{Handler, Peer};
use super::service;
use super::shared::Shared;
use super::watched::Watched;
use crate::tls;

pub(super) async fn serve<H: Handler>(
    server: &Arc<Shared<H>>,
    slot: &Arc<Slot>,
    stream: TcpStream,
    address: SocketAddr,
) {
    slot.activity().listening(Instant::now());
    // Nagle's delay would hold back the tail of every response. Where it
    // cannot be set the connection is gone, which the next read tells.
    let _ = stream.set_nodelay(true);
    let mut peer = Peer {
        address,
        tls: false,
    };
    // Only once something comes: a connection may have waited since before TLS
    // was switched on or off.
    let mut first = [0];
    let comes = tokio::select! {
        biased;
        seen = stream.peek(&mut first) => matches!(seen, Ok(1..)),
        () = server.shutdown.cancelled() => false,
    };
    if !comes {
        return;
    }
    let config = server.web_config.current().await;
    let http2 = config.http2();
    let wrap = |stream| Watched::new(stream, Arc::clone(slot));
    let Some(tls) = config.tls() else {
        return serve_http(server, slot, wrap(stream), peer, http2).await;
    };
    peer.tls = true;
    let progressed = || slot.progressed(Instant::now());
    match tls::accept(stream, tls, wrap, progressed).await {
        Ok(stream) => serve_http(server, slot, stream, peer, http2).await,
        Err(error) => tracing::debug!(peer = %address, %error, "TLS handshake failed"),
    }
}

async fn serve_http<H: Handler, S>(
    server: &Arc<Shared<H>>,
    slot: &Arc<Slot>,
    stream: S,
    peer: Peer,
    http2: bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &server.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !http2 {
        builder = builder.http1_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        // `admission` keeps the time, of heads and of everything before them.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(8192))
        // `printf 'GET …' | nc -N` wants an answer too.
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    let service =
        service_fn(|request| service::respond(Arc::clone(server), Arc::clone(slot), peer, request));
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = server.shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.address, %error, "connection ended with an error");
    }
}
