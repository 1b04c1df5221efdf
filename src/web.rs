//! What is answered at which path: metrics, probes, discovery, the pages for
//! people, reloads. Knows the collector and the exposition, never the API.

mod answer;
mod discovery;
mod pages;
mod probe;
pub(crate) mod routes;

/// What must hold of any query string; see `src/fuzz.rs`.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn fuzz(query: &str) {
    pages::fuzz(query);
    pages::asked_id(query);
    if let Ok(target) = probe::target(query) {
        assert!(!target.is_empty());
    }
    probe::is_to_explain(query);
}
