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
pub(crate) use catalogue::Own;
pub(crate) use chunks::Chunks;
#[cfg(test)]
pub(crate) use negotiate::Escaping;
pub(crate) use negotiate::Format;
pub(crate) use options::Options;
#[cfg(test)]
pub(crate) use piecewise::CHUNK_BYTES;
pub(crate) use piecewise::Text;
pub(crate) use render::Exposition;

use crate::model::{Fleet, Timestamp};

/// The text of an [`Exposition`] at once, never compressed.
pub(crate) fn render(fleet: &Fleet, own: &Own, now: Timestamp, options: Options) -> Vec<u8> {
    let mut out = Vec::with_capacity(piecewise::CHUNK_CAPACITY);
    let fleet = Arc::new(fleet.clone());
    Exposition::new(fleet, own.clone(), now, options).fill(&mut out, usize::MAX);
    out
}
