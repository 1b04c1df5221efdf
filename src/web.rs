//! What is answered where: metrics, probes, discovery and pages.

mod discovery;
mod probe;
pub mod routes;
mod status_page;
