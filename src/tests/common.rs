//! What these tests share: a simulated API, a collector in front of it, a
//! stopped clock, and a reader of what is scraped.

pub(crate) mod api;
pub(crate) mod bench;
pub(crate) mod clock;
pub(crate) mod metrics;
pub(crate) mod rows;
