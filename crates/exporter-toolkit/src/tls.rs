//! TLS handshakes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;

/// Why there was no handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("plain HTTP on a TLS port")]
    PlainHttp,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an HTTP client is told that forgot the `s` in `https`.
const PLAIN_HTTP: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\n\
    this server speaks HTTPS\n";

/// Does a handshake as `tls` has it. `wrap` puts the caller's instruments
/// around the socket, `progressed` is called after each step. The caller bounds
/// the time.
pub(crate) async fn accept<S>(
    stream: TcpStream,
    tls: &Arc<ServerConfig>,
    wrap: impl FnOnce(TcpStream) -> S,
    progressed: impl Fn(),
) -> Result<TlsStream<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        explain(stream).await?;
        return Err(HandshakeError::PlainHttp);
    }
    let hello = LazyConfigAcceptor::new(Acceptor::default(), wrap(stream)).await?;
    progressed();
    let stream = hello.into_stream(Arc::clone(tls)).await?;
    progressed();
    Ok(stream)
}

async fn explain(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await?;
    // Closing with unread bytes would reset the connection and take the answer
    // away from the client; a little patience and a bound are enough.
    let mut rest = [0; 4096];
    let read = async {
        for _ in 0..16 {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(1), read)
        .await
        .unwrap_or(Ok(()))
}
