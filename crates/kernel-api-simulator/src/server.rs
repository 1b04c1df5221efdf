//! The server: sockets, and what is spoken over them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::command;
use super::respond::{HangUp, respond};
use super::state::Shared;

/// Serves until `shutdown`; connections are cut then.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    control: Option<TcpListener>,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            stream = accept(Some(&listener)) => {
                connections.spawn(converse(stream, Arc::clone(&shared), false));
            }
            stream = accept(control.as_ref()) => {
                connections.spawn(converse(stream, Arc::clone(&shared), true));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection; none ever comes where there is no listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of file descriptors, as a rule: trying at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>, control: bool) {
    // A small answer must not wait for a large one to be acknowledged.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let abort = Arc::new(AtomicBool::new(false));
    let socket = Socket {
        stream,
        abort: Arc::clone(&abort),
    };
    let service = service_fn(move |request| {
        let (shared, abort) = (Arc::clone(&shared), Arc::clone(&abort));
        async move {
            if control {
                Ok::<_, HangUp>(command::answer(&shared, request).await)
            } else {
                respond(&shared, &request, abort).await
            }
        }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    // The world's clock may differ from this machine's.
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false);
    // What ends a connection early is the client's business, or a fault.
    let _ = builder
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

/// A socket that can be told to end with a reset.
struct Socket {
    stream: TcpStream,
    abort: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.abort.load(Ordering::Relaxed) {
            // Without lingering, closing sends RST. Where that cannot be set
            // the peer sees an early end, which is close enough.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.abort.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
