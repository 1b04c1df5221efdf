//! The fleet as Prometheus reads it: text 0.0.4, text 1.0.0 and OpenMetrics
//! 1.0.0, the same series in each.
//!
//! [`catalogue`] says what there is, [`negotiate`] which format a scraper
//! wants. [`stream`] writes it chunk by chunk as the socket takes it, so that a
//! scrape costs the memory of a chunk, whatever the size of the fleet.

mod body;
pub(crate) mod catalogue;
pub(crate) mod negotiate;
mod number;
mod registry;
mod render;

use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;

pub(crate) use body::ExpositionBody;
#[cfg(test)]
pub(crate) use negotiate::Escaping;
pub(crate) use negotiate::{Encoding, Format};
pub(crate) use registry::probe_families;

use crate::model::{CollectorSet, Fleet, States, Timestamp};

/// How much is rendered before it is handed on, in bytes.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// What to write, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Families of other collectors are left out.
    pub collectors: CollectorSet,
    /// Which series an enum gets.
    pub states: States,
    /// The text format.
    pub format: Format,
    /// Whether it is compressed.
    pub encoding: Encoding,
}

/// The answer to a scrape, rendered as it is read.
///
/// `own` are the exporter's families, as the `prometheus` crate gathers them.
/// `now` is this machine's time: ages are as of then.
pub(crate) fn stream(
    fleet: Arc<Fleet>,
    own: Vec<MetricFamily>,
    now: Timestamp,
    options: Options,
) -> ExpositionBody {
    ExpositionBody::new(fleet, own, now, options)
}

/// The answer to a probe: what [`stream`] would say of the one connection in
/// `fleet`, and `probe_success` and `probe_duration_seconds`, without what is
/// about scopes, accounts and the exporter.
pub(crate) fn stream_probe(
    fleet: Arc<Fleet>,
    success: bool,
    took: Duration,
    now: Timestamp,
    options: Options,
) -> ExpositionBody {
    ExpositionBody::of_probe(fleet, probe_families(success, took), now, options)
}

/// The same bytes as [`stream`], at once.
pub(crate) fn render(
    fleet: &Fleet,
    own: &[MetricFamily],
    now: Timestamp,
    options: Options,
) -> Vec<u8> {
    body::render(fleet, own, now, options)
}
