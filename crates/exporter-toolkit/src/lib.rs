//! Serving metrics over HTTP, bounded: what Prometheus' exporter-toolkit is for
//! Go.
//!
//! - [`listener`]: addresses as exporters write them, and bound sockets;
//! - [`server`]: HTTP/1 and HTTP/2 with a bound on all that a stranger can make
//!   it spend; a [`server::Handler`] answers;
//! - [`web_config`]: TLS, client certificates, basic auth, headers and rate
//!   limit, in the schema of the Go toolkit, read again when it changes;
//! - [`auth`], [`tls`]: what a configuration means for a connection.

pub mod auth;
pub mod listener;
pub mod server;
pub mod tls;
pub mod web_config;
