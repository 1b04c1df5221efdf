//! The way to the API that all accounts share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::observer::Observer;

/// How long a connection may take to be made. Five seconds, as the official
/// Python client has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What all accounts share: the connection pool and the bound on requests in
/// flight.
pub(crate) struct Http {
    pub(super) pool: reqwest::Client,
    pub(super) base: Box<str>,
    pub(super) slots: Semaphore,
    pub(super) observer: Arc<dyn Observer>,
}

/// How to reach the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// Scheme and authority, and a path prefix if any; no trailing slash.
    pub base_url: String,
    /// Whether that is this machine.
    pub is_loopback: bool,
    /// Requests in flight, over all accounts.
    pub concurrency: usize,
    /// Trusted roots in PEM, instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Why no client could be made.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// `ca_file` cannot be read.
    #[error("ca_file {path}: {error}")]
    CaFile {
        /// Its path.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// `ca_file` holds no certificate.
    #[error("ca_file {path}: not a PEM file of certificates")]
    CaFormat {
        /// Its path.
        path: String,
    },
    /// The TLS stack or the proxy settings of the environment.
    #[error(
        "the HTTP client cannot be set up: {0}; check the proxy variables of the environment and the system's certificates"
    )]
    Setup(String),
}

impl Http {
    /// Sets up the connection pool. Sends nothing.
    pub(crate) fn new(
        settings: &ClientSettings,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, HttpError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("kernel-auth-exporter/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // Sends each request once; what is tried again, and when, is decided here.
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(90))
            .http2_adaptive_window(true);
        // A proxy could not reach this machine's loopback, and plain HTTP is
        // granted to it because it does not leave the machine.
        if settings.is_loopback {
            builder = builder.no_proxy();
        }
        if let Some(path) = &settings.ca_file {
            let shown = || path.display().to_string();
            let pem = std::fs::read(path).map_err(|error| HttpError::CaFile {
                path: shown(),
                error,
            })?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|roots| !roots.is_empty())
                .ok_or_else(|| HttpError::CaFormat { path: shown() })?;
            builder = builder.tls_certs_only(roots);
        }
        let pool = builder
            .build()
            .map_err(|error| HttpError::Setup(error.to_string()))?;
        Ok(Self {
            pool,
            base: settings.base_url.as_str().into(),
            slots: Semaphore::new(settings.concurrency),
            observer,
        })
    }
}
