//! Tests of rooms put together, over real sockets and with time stopped, that
//! look inside. What needs only the program is in `tests/program`.

#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]
#![allow(clippy::float_cmp, reason = "samples are exact by design")]

pub(crate) mod common;
mod config;
mod docs;
pub(crate) mod exposition;
mod history;
mod reliability;
mod web;
