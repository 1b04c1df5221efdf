//! Text as an HTTP body: made when it is asked for, a chunk at a time.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::gzip::Gzip;
use super::piecewise::{CHUNK_BYTES, CHUNK_CAPACITY, Text};

/// How much text may be made before other tasks have a turn, in bytes: less
/// than a millisecond's work, some milliseconds' where it is compressed.
const TURN_BYTES: usize = 1024 * 1024;

/// A text on its way to the socket. Holds one chunk of it.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    text: T,
    gzip: Option<Gzip>,
    complete: bool,
    /// Text made since other tasks had a turn.
    in_turn: usize,
}

impl<T: Text> Chunks<T> {
    /// `gzip`, unless it goes as it is.
    pub(crate) fn new(text: T, gzip: Option<Gzip>) -> Self {
        Self {
            text,
            gzip,
            complete: false,
            in_turn: 0,
        }
    }

    /// The next piece of the answer; `None` when other tasks should have a
    /// turn first.
    fn advance(&mut self) -> Option<Bytes> {
        let Some(gzip) = &mut self.gzip else {
            let mut out = Vec::with_capacity(CHUNK_CAPACITY);
            self.complete = self.text.fill(&mut out, CHUNK_BYTES);
            self.in_turn += out.len();
            return Some(out.into());
        };
        while self.in_turn < TURN_BYTES {
            let (length, complete, piece) = gzip.advance(&mut self.text);
            self.complete = complete;
            self.in_turn += length;
            if piece.is_some() {
                return piece;
            }
        }
        None
    }
}

impl<T: Text + Unpin> Body for Chunks<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.complete {
            return Poll::Ready(None);
        }
        if self.in_turn < TURN_BYTES
            && let Some(chunk) = self.advance()
        {
            // The text can end exactly where the chunk before did.
            let end = chunk.is_empty() && self.complete;
            return Poll::Ready((!end).then(|| Ok(Frame::data(chunk))));
        }
        self.in_turn = 0;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.complete
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
