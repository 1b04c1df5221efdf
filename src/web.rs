//! What is answered at which path: metrics, probes, discovery, the pages for
//! people, reloads. Knows the collector and the exposition, never the API.

mod discovery;
mod pages;
mod probe;
pub(crate) mod routes;
