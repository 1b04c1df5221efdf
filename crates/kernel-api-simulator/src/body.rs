//! Answers' bodies: whole ones, and those that misbehave.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body::{Frame, SizeHint};

use super::log::Ticket;

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

enum Inner {
    Whole(Option<Bytes>),
    Chunks(Chunks),
}

/// The body of an answer. Keeps the request's ticket until it is sent.
pub(crate) struct Body {
    inner: Inner,
    ticket: Option<Ticket>,
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            inner: Inner::Whole(Some(bytes.into())),
            ticket: None,
        }
    }

    pub(crate) fn chunks(chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self {
            inner: Inner::Chunks(Box::pin(chunks)),
            ticket: None,
        }
    }

    /// Counts the request as under way until the body has been sent.
    pub(crate) fn with(mut self, ticket: Ticket) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// `start`, and then nothing for ever.
    pub(crate) fn stalled(start: Bytes) -> Self {
        let start = (!start.is_empty()).then_some(Ok(start));
        Self::chunks(stream::iter(start).chain(stream::pending()))
    }

    /// `start`, and then the connection breaks. `abort` makes it a TCP reset.
    pub(crate) fn broken(start: Bytes, abort: Arc<AtomicBool>) -> Self {
        let break_off = async move {
            // Time for the start to get out before the socket is torn down.
            tokio::time::sleep(Duration::from_millis(20)).await;
            abort.store(true, Ordering::Relaxed);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        };
        Self::chunks(stream::iter([Ok(start)]).chain(stream::once(break_off)))
    }

    /// `start`, `filling` times the letter `a`, `end`.
    pub(crate) fn huge(start: Bytes, filling: u64, end: Bytes) -> Self {
        const CHUNK: u64 = 64 * 1024;
        let chunk = Bytes::from(vec![b'a'; usize::try_from(CHUNK).unwrap_or(0)]);
        let rest = chunk.slice(..usize::try_from(filling % CHUNK).unwrap_or(0));
        let whole = usize::try_from(filling / CHUNK).unwrap_or(usize::MAX);
        let middle = std::iter::repeat_n(chunk, whole);
        let chunks = std::iter::once(start).chain(middle).chain([rest, end]);
        Self::chunks(stream::iter(
            chunks.filter(|chunk| !chunk.is_empty()).map(Ok),
        ))
    }

    /// `start`, and then `again` for ever.
    pub(crate) fn endless(start: Bytes, again: Bytes) -> Self {
        Self::chunks(stream::iter(
            std::iter::once(start)
                .chain(std::iter::repeat(again))
                .map(Ok),
        ))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = match &mut self.inner {
            Inner::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Inner::Chunks(chunks) => chunks.poll_next_unpin(context),
        };
        next.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.inner, Inner::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Chunks(_) => SizeHint::default(),
        }
    }
}
