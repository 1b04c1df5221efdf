//! What is answered where: metrics, probes, discovery and pages.

mod discovery;
mod probe;
pub(crate) mod routes;
mod status_page;
