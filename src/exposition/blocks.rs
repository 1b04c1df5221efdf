//! Compressed text that is kept from one scrape to the next.
//!
//! Of a fleet that stands still most of the text comes again, word for word.
//! It is cut into blocks at places that it tells itself, and each block that was
//! compressed before is found by a hash of its text.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;

use bytes::Bytes;
use parking_lot::Mutex;
use twox_hash::XxHash3_128;

use super::options::Options;
use crate::model::Fleet;

/// Below this, one family is hardly a block, and what the families have in
/// common compresses better together.
const MIN_CONNECTIONS: usize = 2_000;

/// Kinds of scrapes whose blocks are kept: a format, collectors, places.
const KINDS: usize = 4;

/// A block of a DEFLATE stream (RFC 1951): no reference leads out of it, and it
/// ends with a byte.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) bytes: Bytes,
    /// CRC-32 of its text, and that text's length.
    pub(super) crc: crc32fast::Hasher,
}

/// The blocks of the latest scrapes.
pub(crate) struct Blocks {
    /// Makes it impossible to find two texts of one hash from outside.
    secret: [u8; 192],
    /// That used last comes last.
    kinds: Mutex<Vec<ScrapeKind>>,
}

/// What scrapes of one kind left.
struct ScrapeKind {
    mark: u64,
    /// The snapshots that they showed.
    of: u64,
    blocks: HashMap<u128, Block>,
    /// Those of the snapshots before, until a scrape has seen which are left.
    before: HashMap<u128, Block>,
}

impl Default for Blocks {
    fn default() -> Self {
        let random = RandomState::new();
        let mut secret = [0; 192];
        for (at, word) in secret.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&random.hash_one(at).to_ne_bytes());
        }
        Self {
            secret,
            kinds: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}

impl Blocks {
    /// Begins a scrape; returns what kind it is of. `None`: it is too small for
    /// blocks.
    pub(super) fn begin(&self, fleet: &Fleet, options: Options) -> Option<u64> {
        fleet.connections().nth(MIN_CONNECTIONS - 1)?;
        let scopes = || fleet.scopes.iter();
        let places: Vec<_> = scopes()
            .map(|view| (view.scope.account(), view.scope.project()))
            .collect();
        let shown: Vec<_> = scopes()
            .map(|view| {
                view.snapshot
                    .as_ref()
                    .map(|snapshot| snapshot.fetched_at.as_micros())
            })
            .collect();
        let kind = self.mark(&format!("{options:?} {places:?}"));
        let of = self.mark(&format!("{shown:?}"));
        let mut kinds = self.kinds.lock();
        let known = kinds.iter().position(|known| known.mark == kind);
        let mut entry = match known {
            Some(at) => kinds.remove(at),
            None => ScrapeKind {
                mark: kind,
                of,
                blocks: HashMap::new(),
                before: HashMap::new(),
            },
        };
        if entry.of != of {
            entry.of = of;
            entry.before = mem::take(&mut entry.blocks);
        }
        if kinds.len() >= KINDS {
            kinds.remove(0);
        }
        kinds.push(entry);
        Some(kind)
    }

    /// A scrape of this kind is written to its end: what it did not need is of
    /// no use any more.
    pub(super) fn end(&self, kind: u64) {
        if let Some(kind) = of(&mut self.kinds.lock(), kind) {
            kind.before = HashMap::new();
        }
    }

    fn mark(&self, text: &str) -> u64 {
        #[allow(clippy::cast_possible_truncation)]
        let mark = self.hash(text.as_bytes()) as u64;
        mark
    }

    pub(super) fn hash(&self, text: &[u8]) -> u128 {
        XxHash3_128::oneshot_with_secret(&self.secret, text).expect("it is long enough")
    }

    pub(super) fn get(&self, kind: u64, hash: u128) -> Option<Block> {
        let mut kinds = self.kinds.lock();
        let kind = of(&mut kinds, kind)?;
        if let Some(block) = kind.before.remove(&hash) {
            kind.blocks.insert(hash, block);
        }
        kind.blocks.get(&hash).cloned()
    }

    pub(super) fn keep(&self, kind: u64, hash: u128, block: &Block) {
        if let Some(kind) = of(&mut self.kinds.lock(), kind) {
            kind.blocks.insert(hash, block.clone());
        }
    }

    #[cfg(test)]
    pub(crate) fn hashes(&self) -> std::collections::HashSet<u128> {
        let kinds = self.kinds.lock();
        kinds
            .iter()
            .flat_map(|kind| kind.blocks.keys().copied())
            .collect()
    }
}

fn of(kinds: &mut [ScrapeKind], kind: u64) -> Option<&mut ScrapeKind> {
    kinds.iter_mut().find(|known| known.mark == kind)
}
