//! The real program through its sockets, its streams and its exit code, over the
//! simulated API.

#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]
#![allow(clippy::float_cmp, reason = "samples are exact by design")]

#[path = "../../src/tests/common/api.rs"]
mod api;
mod architecture;
mod assets;
mod check;
mod command_line;
mod commands;
mod endpoints;
mod examples;
mod failures;
mod memory;
#[path = "../../src/tests/common/metrics.rs"]
mod metrics;
mod output;
mod proxies;
mod shutdown;
mod silence;
mod strangers;
mod support;
mod surroundings;
mod told;
