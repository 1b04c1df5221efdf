//! The text as an HTTP body: made when it is asked for, a chunk at a time.

use std::convert::Infallible;
use std::io::Write as _;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};
use prometheus::proto::MetricFamily;

use super::render::{CHUNK_CAPACITY, Renderer};
use super::{CHUNK_BYTES, Encoding, Options};
use crate::model::{Fleet, Timestamp};

/// How much text may be made before other tasks have a turn, in bytes: less
/// than a millisecond's work, some milliseconds' where it is compressed.
const TURN_BYTES: usize = 1024 * 1024;

/// Compressed text is handed on from this size, in bytes.
const GZIP_CHUNK_BYTES: usize = 16 * 1024;

/// The answer to a scrape. Holds the fleet, and one chunk.
#[derive(Debug)]
pub(crate) struct ExpositionBody {
    fleet: Arc<Fleet>,
    own: Vec<MetricFamily>,
    renderer: Renderer,
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

impl ExpositionBody {
    pub(super) fn new(
        fleet: Arc<Fleet>,
        own: Vec<MetricFamily>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        Self::of(fleet, own, Renderer::new(now, options), options)
    }

    pub(super) fn of_probe(
        fleet: Arc<Fleet>,
        own: Vec<MetricFamily>,
        now: Timestamp,
        options: Options,
    ) -> Self {
        Self::of(fleet, own, Renderer::of_probe(now, options), options)
    }

    fn of(fleet: Arc<Fleet>, own: Vec<MetricFamily>, renderer: Renderer, options: Options) -> Self {
        Self {
            fleet,
            own,
            renderer,
            gzip: (options.encoding == Encoding::Gzip).then(Gzip::new),
            complete: false,
            in_turn: 0,
        }
    }

    /// The next piece of the answer; `None` when other tasks should have a
    /// turn first. Call it until [`Self::complete`].
    fn advance(&mut self) -> Option<Vec<u8>> {
        let Some(gzip) = &mut self.gzip else {
            let mut out = Vec::with_capacity(CHUNK_CAPACITY);
            self.complete = self
                .renderer
                .fill(&self.fleet, &self.own, &mut out, CHUNK_BYTES);
            self.in_turn += out.len();
            return Some(out);
        };
        while self.in_turn < TURN_BYTES {
            self.complete = self
                .renderer
                .fill(&self.fleet, &self.own, &mut gzip.text, CHUNK_BYTES);
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

impl Body for ExpositionBody {
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

/// The whole answer at once.
pub(super) fn render(
    fleet: &Fleet,
    own: &[MetricFamily],
    now: Timestamp,
    options: Options,
) -> Vec<u8> {
    let mut renderer = Renderer::new(now, options);
    match options.encoding {
        Encoding::Identity => {
            let mut out = Vec::with_capacity(CHUNK_CAPACITY);
            renderer.fill(fleet, own, &mut out, usize::MAX);
            out
        }
        Encoding::Gzip => {
            let mut gzip = Gzip::new();
            while {
                let complete = renderer.fill(fleet, own, &mut gzip.text, CHUNK_BYTES);
                gzip.absorb();
                !complete
            } {}
            gzip.encoder.finish().expect("a Vec takes everything")
        }
    }
}
