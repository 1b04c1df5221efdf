//! What a right web configuration is.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

use super::client_certs::ClientAuth;
use super::error::WebConfigError;
use super::files::Files;
use super::headers;
use super::rate_limit::{self, RateLimit};
use super::schema;
use super::tls;
use super::users::Users;
use crate::yaml::Problem;

/// The largest web configuration file, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A web configuration that has been read, with everything it names, and found
/// right.
#[derive(Clone)]
pub struct WebConfig {
    tls: Option<Arc<ServerConfig>>,
    client_auth: ClientAuth,
    /// Certificates must have one of some names.
    names_clients: bool,
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
            names_clients: false,
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
            .field("names_clients", &self.names_clients)
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
    ///
    /// # Errors
    /// Says what is wrong with the file or with one that it names, and where.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        Self::read(path, &mut Files::default())
    }

    /// Checks the file without what it names: certificates and keys need not be
    /// there. Blocks on the file system.
    ///
    /// # Errors
    /// Says what is wrong with the file, and where.
    pub fn check_syntax(path: &Path) -> Result<(), WebConfigError> {
        let parsed = Self::parse(path, &mut Files::without_pem());
        parsed
            .map(drop)
            .map_err(|problem| WebConfigError::new(path, problem))
    }

    /// As [`Self::load`]; `files` then holds what was read, also after an error.
    pub(super) fn read(path: &Path, files: &mut Files) -> Result<Self, WebConfigError> {
        Self::parse(path, files).map_err(|problem| WebConfigError::new(path, problem))
    }

    fn parse(path: &Path, files: &mut Files) -> Result<Self, Problem> {
        let text = files.read(path, MAX_FILE).map_err(Problem::new)?;
        let text = String::from_utf8(text).map_err(|_| Problem::new("the file is not UTF-8"))?;
        let file = schema::parse(&text)?;
        let http = file.http_server_config.unwrap_or_default();
        let http2 = http.http2.unwrap_or(true);
        let users = Users::parse(file.basic_auth_users.unwrap_or_default())?;
        let headers = headers::parse(http.headers.unwrap_or_default())?;
        let rate_limit = rate_limit::parse(&file.rate_limit.unwrap_or_default())?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let tls = file.tls_server_config.unwrap_or_default();
        let names_clients = tls.client_allowed_sans.value().is_some();
        let (tls, client_auth) = match tls::server_config(&tls, directory, http2, files)? {
            Some((tls, client_auth)) => (Some(tls), client_auth),
            None => (None, ClientAuth::None),
        };
        Ok(Self {
            tls,
            client_auth,
            names_clients,
            http2,
            headers,
            users,
            rate_limit,
        })
    }

    /// Whether connections are encrypted.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// How many users there are; with 0 everyone may ask.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// What rustls needs for a handshake; `None` is plain HTTP.
    pub(crate) fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.tls.as_ref()
    }

    /// Whether HTTP/2 is offered: by ALPN over TLS, else by prior knowledge.
    pub(crate) fn http2(&self) -> bool {
        self.http2
    }

    /// Headers for every response.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Who may ask; empty means everyone.
    pub(crate) fn users(&self) -> &Users {
        &self.users
    }

    /// How often one may ask; `None` means without limit.
    pub(crate) fn rate_limit(&self) -> Option<RateLimit> {
        self.rate_limit
    }

    /// Whether this configuration lets somebody in whom `before` kept out by
    /// TLS, client certificates or passwords altogether.
    pub(super) fn is_weaker_than(&self, before: &Self) -> bool {
        (before.tls.is_some() && self.tls.is_none())
            || (!before.users.is_empty() && self.users.is_empty())
            || self.client_auth < before.client_auth
            || (before.names_clients && !self.names_clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_clients_any_more_is_weaker() {
        let names = |names_clients| WebConfig {
            names_clients,
            ..WebConfig::default()
        };
        assert!(names(false).is_weaker_than(&names(true)));
        assert!(!names(true).is_weaker_than(&names(false)));
        assert!(!names(true).is_weaker_than(&names(true)));
    }
}
