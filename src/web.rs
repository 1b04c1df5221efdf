//! Serving HTTP to scrapers: listeners, the bounded server, TLS and access.
//!
//! This room knows nothing of Kernel: a [`server::Handler`] answers, the rest
//! keeps strangers from costing more than a bounded amount.

pub mod auth;
mod discovery;
pub mod listener;
mod probe;
pub mod routes;
pub mod server;
mod status_page;
pub mod tls;
