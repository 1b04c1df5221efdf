//! Text that is made piece by piece.

/// How much is made before it is handed on, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// Room for a chunk and for what one connection can put on top of it.
pub(super) const CHUNK_CAPACITY: usize = CHUNK_BYTES + 8 * 1024;

/// A text that is made bit by bit.
pub(crate) trait Text {
    /// Appends to `out` until it holds `limit` bytes, or little more, or the
    /// text is complete, which is `true`. Goes on where it stopped.
    fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> bool;

    /// Appends the next block to `out`, which is empty: a part that begins and
    /// ends where the text itself says so, so that a text that differs in one
    /// place has the other blocks too. Returns whether the text is complete,
    /// and whether the block will come again while nothing changes.
    fn block(&mut self, out: &mut Vec<u8>) -> (bool, bool) {
        (self.fill(out, CHUNK_BYTES), false)
    }
}
