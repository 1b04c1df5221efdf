//! `--web.config.file`: TLS, client certificates, basic auth, headers and rate
//! limit, in the schema of Prometheus' exporter-toolkit, so that a file written
//! for another exporter works with this server.
//!
//! Source of the schema: exporter-toolkit's
//! [`docs/web-configuration.md`](https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md).

// `config` is what a right configuration is, `schema` the YAML as written, `tls`
// what rustls takes, `handle` the configuration of a running server.
mod client_certs;
mod config;
mod error;
mod files;
mod handle;
mod headers;
mod rate_limit;
mod schema;
mod tls;
mod users;

pub use self::config::WebConfig;
pub use self::error::WebConfigError;
pub use self::handle::WebConfigHandle;

pub(crate) use self::rate_limit::RateLimit;
pub(crate) use self::users::Users;
