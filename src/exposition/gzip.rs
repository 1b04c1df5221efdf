//! Text in one gzip member (RFC 1952), made of blocks that are compressed on
//! their own.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::blocks::{Block, Blocks};
use super::options::Options;
use super::piecewise::{CHUNK_BYTES, CHUNK_CAPACITY, Text};
use crate::model::Fleet;

/// DEFLATE, no name, no time, of an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compressed text is handed on from this size, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// A compressor, and the text on its way into it.
#[derive(Debug)]
pub(crate) struct Gzip {
    deflate: Compress,
    text: Vec<u8>,
    out: Vec<u8>,
    crc: crc32fast::Hasher,
    length: u32,
    /// Where blocks are kept, and for which kind of scrapes.
    kept: Option<(Arc<Blocks>, u64)>,
}

impl Gzip {
    /// For one answer about `fleet`.
    pub(crate) fn new(blocks: &Arc<Blocks>, fleet: &Fleet, options: Options) -> Self {
        let kind = blocks.begin(fleet, options);
        Self {
            deflate: Compress::new(Compression::fast(), false),
            text: Vec::with_capacity(CHUNK_CAPACITY),
            out: HEAD.to_vec(),
            crc: crc32fast::Hasher::new(),
            length: 0,
            kept: kind.map(|kind| (Arc::clone(blocks), kind)),
        }
    }

    /// Takes in the next part of `text`. Returns its length, whether that was
    /// all, and what there is to hand on.
    pub(super) fn advance(&mut self, text: &mut impl Text) -> (usize, bool, Option<Bytes>) {
        self.text.clear();
        let (complete, lasts) = match self.kept {
            Some(_) => text.block(&mut self.text),
            None => (text.fill(&mut self.text, CHUNK_BYTES), false),
        };
        let length = self.text.len();
        // Gzip counts modulo 2^32.
        #[allow(clippy::cast_possible_truncation)]
        let counted = length as u32;
        self.length = self.length.wrapping_add(counted);
        let kept = self.kept.clone();
        match &kept {
            Some((blocks, kind)) if lasts => {
                let block = self.block(blocks, *kind);
                if self.out.is_empty() && !complete {
                    return (length, complete, Some(block));
                }
                self.out.extend_from_slice(&block);
            }
            Some(_) => self.take(FlushCompress::Full),
            None => self.take(FlushCompress::None),
        }
        if complete {
            self.text.clear();
            self.deflate(FlushCompress::Finish);
            let crc = self.crc.clone().finalize();
            self.out.extend_from_slice(&crc.to_le_bytes());
            self.out.extend_from_slice(&self.length.to_le_bytes());
            if let Some((blocks, kind)) = kept {
                blocks.end(kind);
            }
        }
        let enough = complete || self.out.len() >= PIECE_BYTES;
        let piece = enough.then(|| {
            let next = Vec::with_capacity(PIECE_BYTES);
            Bytes::from(mem::replace(&mut self.out, next))
        });
        (length, complete, piece)
    }

    /// The block of what is in `text`: kept, or made and kept.
    fn block(&mut self, blocks: &Blocks, kind: u64) -> Bytes {
        let hash = blocks.hash(&self.text);
        let block = blocks.get(kind, hash).unwrap_or_else(|| {
            let mut crc = crc32fast::Hasher::new();
            crc.update(&self.text);
            let start = self.out.len();
            self.deflate(FlushCompress::Full);
            let bytes = Bytes::copy_from_slice(&self.out[start..]);
            self.out.truncate(start);
            let block = Block { bytes, crc };
            blocks.keep(kind, hash, &block);
            block
        });
        self.crc.combine(&block.crc);
        block.bytes
    }

    fn take(&mut self, flush: FlushCompress) {
        self.crc.update(&self.text);
        self.deflate(flush);
    }

    /// Compresses what is in `text`, to the end of `out`.
    fn deflate(&mut self, flush: FlushCompress) {
        let mut taken = 0;
        loop {
            self.out.reserve(PIECE_BYTES);
            let before = self.deflate.total_in();
            self.deflate
                .compress_vec(&self.text[taken..], &mut self.out, flush)
                .expect("the state of a stream that is only written to is never wrong");
            taken += usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            if taken == self.text.len() && self.out.len() < self.out.capacity() {
                return;
            }
        }
    }
}
