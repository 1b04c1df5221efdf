//! Text as an HTTP body: made when it is asked for, a chunk at a time.

use std::convert::Infallible;
use std::io::Write as _;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

use super::negotiate::Encoding;

/// How much is made before it is handed on, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// Room for a chunk and for what one connection can put on top of it.
pub(super) const CHUNK_CAPACITY: usize = CHUNK_BYTES + 8 * 1024;

/// How much text may be made before other tasks have a turn, in bytes: less
/// than a millisecond's work, some milliseconds' where it is compressed.
const TURN_BYTES: usize = 1024 * 1024;

/// Compressed text is handed on from this size, in bytes.
const GZIP_CHUNK_BYTES: usize = 16 * 1024;

/// A text that is made bit by bit.
pub(crate) trait Text {
    /// Appends to `out` until it holds `limit` bytes, or little more, or the
    /// text is complete, which is `true`. Goes on where it stopped.
    fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> bool;
}

/// A text on its way to the socket. Holds one chunk of it.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    text: T,
    gzip: Option<Gzip>,
    complete: bool,
    /// Text made since other tasks had a turn.
    in_turn: usize,
}

/// A compressor and the text on its way into it.
#[derive(Debug)]
struct Gzip {
    encoder: GzEncoder<Vec<u8>>,
    text: Vec<u8>,
}

impl Gzip {
    fn new() -> Self {
        Self {
            encoder: GzEncoder::new(Vec::with_capacity(GZIP_CHUNK_BYTES), Compression::fast()),
            text: Vec::with_capacity(CHUNK_CAPACITY),
        }
    }

    /// Compresses what is in `text`, and empties it.
    fn absorb(&mut self) {
        self.encoder
            .write_all(&self.text)
            .expect("a Vec takes everything");
        self.text.clear();
    }
}

impl<T: Text> Chunks<T> {
    pub(crate) fn new(text: T, encoding: Encoding) -> Self {
        Self {
            text,
            gzip: (encoding == Encoding::Gzip).then(Gzip::new),
            complete: false,
            in_turn: 0,
        }
    }

    /// The next piece of the answer; `None` when other tasks should have a
    /// turn first.
    fn advance(&mut self) -> Option<Vec<u8>> {
        let Some(gzip) = &mut self.gzip else {
            let mut out = Vec::with_capacity(CHUNK_CAPACITY);
            self.complete = self.text.fill(&mut out, CHUNK_BYTES);
            self.in_turn += out.len();
            return Some(out);
        };
        while self.in_turn < TURN_BYTES {
            self.complete = self.text.fill(&mut gzip.text, CHUNK_BYTES);
            self.in_turn += gzip.text.len();
            gzip.absorb();
            if self.complete {
                gzip.encoder.try_finish().expect("a Vec takes everything");
                return Some(mem::take(gzip.encoder.get_mut()));
            }
            if gzip.encoder.get_ref().len() >= GZIP_CHUNK_BYTES {
                let next = Vec::with_capacity(GZIP_CHUNK_BYTES);
                return Some(mem::replace(gzip.encoder.get_mut(), next));
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
            return Poll::Ready((!end).then(|| Ok(Frame::data(Bytes::from(chunk)))));
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
