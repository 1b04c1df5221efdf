//! The fleet as Prometheus reads it: text 0.0.4, text 1.0.0 and OpenMetrics
//! 1.0.0, the same series in each.
//!
//! [`catalogue`] says what there is, [`negotiate`] which format a scraper
//! wants. [`Chunks`] writes it piece by piece as the socket takes it, so that a
//! scrape costs the memory of a chunk, whatever the size of the fleet.

mod blocks;
pub(crate) mod catalogue;
mod chunks;
mod gzip;
mod lines;
pub(crate) mod negotiate;
mod number;
mod options;
mod piecewise;
mod registry;
mod render;
mod text;

use std::sync::Arc;

pub(crate) use blocks::Blocks;
pub(crate) use catalogue::{Own, ProbeResult};
pub(crate) use chunks::Chunks;
#[cfg(test)]
pub(crate) use negotiate::Escaping;
pub(crate) use negotiate::{Encoding, Format};
pub(crate) use options::Options;
#[cfg(test)]
pub(crate) use piecewise::CHUNK_BYTES;
pub(crate) use piecewise::Text;

use self::gzip::Gzip;
use self::render::Renderer;
use crate::model::{Fleet, Timestamp};

/// The answer to a scrape or a probe, rendered as it is read.
#[derive(Debug)]
pub(crate) struct Exposition {
    fleet: Arc<Fleet>,
    own: Own,
    renderer: Renderer,
}

impl Exposition {
    /// The whole answer, as the socket takes it. `now` is this machine's time:
    /// ages are as of then. What is compressed is kept in `blocks`.
    pub(crate) fn body(
        fleet: Arc<Fleet>,
        own: Own,
        now: Timestamp,
        options: Options,
        blocks: &Arc<Blocks>,
    ) -> Chunks<Self> {
        let gzip = (options.encoding == Encoding::Gzip).then(|| Gzip::new(blocks, &fleet, options));
        Chunks::new(Self::new(fleet, own, now, options), gzip)
    }

    fn new(fleet: Arc<Fleet>, own: Own, now: Timestamp, options: Options) -> Self {
        Self {
            fleet,
            own,
            renderer: Renderer::new(now, options),
        }
    }
}

impl Text for Exposition {
    fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> bool {
        self.renderer.fill(&self.fleet, &self.own, out, limit)
    }

    fn block(&mut self, out: &mut Vec<u8>) -> (bool, bool) {
        self.renderer.block(&self.fleet, &self.own, out)
    }
}

/// The text of an [`Exposition`] at once, never compressed.
pub(crate) fn render(fleet: &Fleet, own: &Own, now: Timestamp, options: Options) -> Vec<u8> {
    let mut out = Vec::with_capacity(piecewise::CHUNK_CAPACITY);
    Renderer::new(now, options).fill(fleet, own, &mut out, usize::MAX);
    out
}
