//! The text that scrapers get, through the crate's front door.

// Helpers of tests may fail as tests do.
#![allow(clippy::unwrap_used)]

mod exposition {
    pub(crate) mod fixture;
    mod formats;
    mod golden;
    mod judges;
    pub(crate) mod oracle;
    pub(crate) mod parser;
    pub(crate) mod random;
    mod semantics;
    mod streaming;
}
