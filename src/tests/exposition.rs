//! The text that scrapers get, through the crate's front door.

mod blocks;
pub(crate) mod fixture;
mod formats;
mod gauges;
pub(crate) mod golden;
mod hostile;
mod judges;
pub(crate) mod oracle;
pub(crate) mod parser;
pub(crate) mod random;
mod semantics;
mod streaming;
