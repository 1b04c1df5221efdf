//! Prometheus exporter for Kernel's managed auth connections.
//!
//! On each scrape the configured connections are fetched over Kernel's REST
//! API and written as labelled gauges. Data flow one way:
//!
//! `web::routes` → `collect` (deadline) → `kernel` (pages, in parallel) →
//! `kernel::wire` → `model` → a snapshot behind an `Arc` → `exposition`,
//! which streams it to the socket, family by family.
//!
//! `ARCHITECTURE.md` is the map of the rooms and what each may know.
//!
//! # Invariants
//! - A collection is whole or it does not count; a failed one leaves the last
//!   known state for a bounded time and says so.
//! - Nothing is ever sent but `GET`, and to the configured host alone.
//! - Whatever others can make grow is bounded: bodies, pages, labels, waits,
//!   connections.
//! - What could log somebody in is never read into the `model`.

mod app;
mod assets;
mod check;
mod cli;
mod collect;
mod config;
mod demo;
mod duration;
mod exposition;
#[cfg(any(test, feature = "testing"))]
mod fuzz;
mod kernel;
mod logging;
mod model;
mod once;
mod output;
mod redact;
mod remedies;
mod run;
mod telemetry;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod version;
mod web;

pub use run::run;

#[cfg(test)]
mod tests;
