//! What timelines and the organisation tell, against the simulated world's own
//! ledger: counters equal it, whatever happens in between, at a bounded cost.

mod late;
mod ledger;
mod org;
mod timeline;
