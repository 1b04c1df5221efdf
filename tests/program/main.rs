//! The real program through its sockets, its streams and its exit code, over the
//! simulated API.

#![allow(clippy::unwrap_used)] // Here a panic is the failure of a test.

mod architecture;
mod assets;
mod command_line;
mod commands;
mod endpoints;
mod examples;
mod failures;
mod shutdown;
mod silence;
mod support;
