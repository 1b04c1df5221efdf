//! What a scraper sees, and what the API sees, when the API misbehaves: the
//! collector over real sockets against the simulator's faults.
//!
//! The table of faults in `docs/reliability.md` names the tests in here.

// Samples are exact by design, and a helper that panics fails its test.
#![allow(clippy::float_cmp, clippy::unwrap_used)]

mod budget;
mod connections;
mod cost;
mod faults;
mod hold;
mod hour;
mod keys;
mod model;
mod neighbours;
mod odd;
mod projects;
mod rows;
mod truth;
mod unreachable;
