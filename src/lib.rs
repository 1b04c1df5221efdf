//! Prometheus exporter for Kernel's managed auth connections.
//!
//! On each scrape the configured connections are fetched over Kernel's REST
//! API and written as labelled gauges. Data flow one way:
//!
//! `web::routes` → [`collect`] (deadline) → [`kernel`] (pages, in parallel) →
//! `kernel::wire` → [`model`] → a snapshot behind an `Arc` → [`exposition`],
//! which streams it to the socket, family by family.
//!
//! # The rooms
//! - [`model`]: what a connection is; pure, imports nothing of the others.
//! - [`kernel`]: the API; tells what happens to an observer, knows no metrics.
//! - [`collect`]: which requests, when, and what is held while the API fails.
//! - [`exposition`]: the one list of families, and the writer of all formats.
//! - [`telemetry`]: the exporter's own counters and histograms.
//! - [`web`]: what is answered at which path; never imports [`kernel`].
//! - [`config`], [`cli`], [`logging`]: what the user said.
//! - [`duration`]: spans of time as Prometheus writes them, for flags and keys.
//! - [`assets`]: dashboards, rules and runbooks, carried by the binary.
//! - [`app`], [`once`], [`demo`]: the commands, put together.
//!
//! # Invariants
//! - A collection is whole or it does not count; a failed one leaves the last
//!   known state for a bounded time and says so.
//! - Nothing is ever sent but `GET`, and to the configured host alone.
//! - Whatever others can make grow is bounded: bodies, pages, labels, waits,
//!   connections.
//! - What could log somebody in is never read into the [`model`].

mod app;
mod assets;
mod cli;
mod collect;
mod config;
mod demo;
mod duration;
mod exposition;
mod kernel;
mod logging;
mod model;
mod once;
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
