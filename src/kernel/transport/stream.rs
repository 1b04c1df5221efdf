//! Connections, as HTTP sees them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// How often a connection is read before others have their turn.
const READS: u32 = 4;

/// How often it is read while no part of an answer comes. A frame of a body
/// takes a dozen reads where the network is slow.
const READS_IN_VAIN: u32 = 256;

/// A connection, whatever it is made of.
pub(super) trait Io: Connection + Read + Write + Send + Unpin {}

impl<T: Connection + Read + Write + Send + Unpin> Io for T {}

/// A connection that gives way: a peer who sends faster than it is read does
/// not keep a thread for itself, and one who sends without end what belongs to
/// no answer, such as interim heads over HTTP/2, loses it.
pub(super) struct Stream {
    io: Box<dyn Io>,
    /// Since others had their turn.
    reads: u32,
    /// Parts of answers that came, over all connections.
    heard: Arc<AtomicU64>,
    /// How many those were at the last read, and how often it was read since.
    in_vain: (u64, u32),
    is_forwarded: bool,
}

impl Stream {
    /// `is_forwarded` where requests are a proxy's to send on.
    pub(super) fn new(io: Box<dyn Io>, heard: Arc<AtomicU64>, is_forwarded: bool) -> Self {
        Self {
            io,
            reads: 0,
            heard,
            in_vain: (0, 0),
            is_forwarded,
        }
    }

    /// Counts a read.
    fn has_read(&mut self) -> io::Result<()> {
        let heard = self.heard.load(Ordering::Relaxed);
        if heard != self.in_vain.0 {
            self.in_vain = (heard, 0);
        }
        self.in_vain.1 += 1;
        if self.in_vain.1 > READS_IN_VAIN {
            return Err(io::Error::other(
                "much was sent that is no part of an answer",
            ));
        }
        Ok(())
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads == READS {
            self.reads = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.reads += 1;
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if read.is_pending() {
            self.reads = 0;
            return read;
        }
        self.has_read()?;
        read
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use hyper::rt::ReadBuf;
    use tokio::time::timeout;

    use super::*;

    /// A peer who has always sent something.
    struct Endless;

    impl Connection for Endless {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    impl Read for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buffer: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            buffer.put_slice(b"1");
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Endless {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_who_always_sends_lets_others_have_their_turn() {
        let mut stream = Stream::new(Box::new(Endless), Arc::default(), false);
        let mut turns = 0;
        let reading = poll_fn(|context| {
            turns += 1;
            if turns > 3 {
                return Poll::Ready(());
            }
            for _ in 0..=READS {
                let mut bytes = [0];
                let mut buffer = ReadBuf::new(&mut bytes);
                let read = Pin::new(&mut stream).poll_read(context, buffer.unfilled());
                if read.is_pending() {
                    return Poll::Pending;
                }
            }
            panic!("it is read without end");
        });
        let woken = timeout(Duration::from_secs(1), reading).await;
        woken.expect("its own turn comes again");
    }

    #[test]
    fn who_sends_in_vain_is_left_and_who_answers_is_not() {
        let heard = Arc::<AtomicU64>::default();
        let mut stream = Stream::new(Box::new(Endless), Arc::clone(&heard), false);
        for _ in 0..3 * READS_IN_VAIN {
            heard.fetch_add(1, Ordering::Relaxed);
            stream.has_read().expect("answers come");
        }
        for _ in 1..READS_IN_VAIN {
            stream.has_read().expect("not too often");
        }
        stream.has_read().expect_err("too often");
    }
}
