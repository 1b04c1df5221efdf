//! `--web.config.file`: TLS, client certificates, basic auth, headers and rate
//! limit, in the schema of Prometheus' exporter-toolkit, so that a file written
//! for another exporter works here.
//!
//! The map:
//! - this file: what a right configuration is;
//! - `schema`: the YAML as written;
//! - `tls`: certificates, versions, suites and curves as rustls takes them;
//! - `client_certs`: which client certificates are let in;
//! - `users`: bcrypt hashes;
//! - `files`: reading with bounds, and noticing changes;
//! - `handle`: the configuration of a running server.

mod client_certs;
mod error;
mod files;
mod handle;
mod headers;
mod rate_limit;
mod schema;
mod tls;
mod users;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

pub use self::error::WebConfigError;
pub use self::handle::WebConfigHandle;
pub use self::rate_limit::RateLimit;
pub use self::users::Users;

use self::client_certs::ClientAuth;
use self::error::Problem;
use self::files::Files;

/// The largest web configuration file.
const MAX_FILE: u64 = 1024 * 1024;

/// A web configuration that has been read, with everything it names, and found
/// right.
#[derive(Clone)]
pub struct WebConfig {
    tls: Option<Arc<ServerConfig>>,
    client_auth: ClientAuth,
    http2: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Users,
    rate_limit: Option<RateLimit>,
}

impl Default for WebConfig {
    /// As without a file: no TLS, HTTP/2 by prior knowledge, everyone welcome.
    fn default() -> Self {
        Self {
            tls: None,
            client_auth: ClientAuth::None,
            http2: true,
            headers: Vec::new(),
            users: Users::default(),
            rate_limit: None,
        }
    }
}

// Written by hand: neither keys nor hashes belong into a log.
impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig")
            .field("tls", &self.tls.is_some())
            .field("client_auth", &self.client_auth)
            .field("http2", &self.http2)
            .field("headers", &self.headers)
            .field("users", &self.users.len())
            .field("rate_limit", &self.rate_limit)
            .finish()
    }
}

impl WebConfig {
    /// Reads the file and everything it names. Paths in it are relative to its
    /// directory. Blocks on the file system.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        Self::read(path, &mut Files::default())
    }

    /// As [`Self::load`]; `files` then holds what was read, also after an error.
    fn read(path: &Path, files: &mut Files) -> Result<Self, WebConfigError> {
        let in_file = |problem: Problem| problem.in_file(path);
        let text = files
            .read(path, MAX_FILE)
            .map_err(|error| in_file(Problem::new(error)))?;
        let text =
            String::from_utf8(text).map_err(|_| in_file(Problem::new("the file is not UTF-8")))?;
        let file = schema::parse(&text).map_err(in_file)?;
        Self::check(file, path, files).map_err(in_file)
    }

    fn check(file: schema::File, path: &Path, files: &mut Files) -> Result<Self, Problem> {
        let http = file.http_server_config.unwrap_or_default();
        let http2 = http.http2.unwrap_or(true);
        let users = Users::parse(file.basic_auth_users.unwrap_or_default())?;
        let headers = headers::parse(http.headers.unwrap_or_default())?;
        let rate_limit = rate_limit::parse(&file.rate_limit.unwrap_or_default())?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let tls = file.tls_server_config.unwrap_or_default();
        let (tls, client_auth) = match tls::server_config(&tls, directory, http2, files)? {
            Some((tls, client_auth)) => (Some(tls), client_auth),
            None => (None, ClientAuth::None),
        };
        Ok(Self {
            tls,
            client_auth,
            http2,
            headers,
            users,
            rate_limit,
        })
    }

    /// What rustls needs for a handshake; `None` is plain HTTP.
    pub fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.tls.as_ref()
    }

    /// Whether HTTP/2 is offered: by ALPN over TLS, else by prior knowledge.
    pub fn http2(&self) -> bool {
        self.http2
    }

    /// Headers for every response.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }

    /// Who may ask; empty means everyone.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// How often one may ask; `None` means without limit.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }

    /// Whether this configuration lets somebody in whom `before` kept out by
    /// TLS, client certificates or passwords altogether.
    fn is_weaker_than(&self, before: &Self) -> bool {
        (before.tls.is_some() && self.tls.is_none())
            || (!before.users.is_empty() && self.users.is_empty())
            || self.client_auth < before.client_auth
    }
}
