//! What timelines and the organisation tell, against the simulated world's own
//! ledger: counters equal it, whatever happens in between, at a bounded cost.

#![allow(clippy::unwrap_used)] // Here a panic is the failure of a test.

mod harness;
mod org;
mod timeline;
