//! The way to the API that all accounts share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::observer::Observer;
use super::proxy::{self, ProxyError};

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
    /// Requests sent so far, for the log.
    pub(super) sent: AtomicU64,
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
    /// The environment names no proxy where it should.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The TLS stack.
    #[error("the HTTP client cannot be set up: {0}; check the system's certificates")]
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
        builder = builder.no_proxy();
        if !settings.is_loopback
            && let Some(proxy) = proxy::of_environment(&settings.base_url)?
        {
            builder = builder.proxy(proxy);
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
        } else if let Some(why) = system_roots_missing() {
            builder = builder.tls_certs_only(bundled_roots());
            if settings.base_url.starts_with("https:") {
                tracing::warn!(
                    %why,
                    "no certificate authorities on this system; using Mozilla's, as this program \
                     carries them"
                );
            }
        }
        let pool = builder
            .build()
            .map_err(|error| HttpError::Setup(with_causes(&error)))?;
        Ok(Self {
            pool,
            base: settings.base_url.as_str().into(),
            slots: Semaphore::new(settings.concurrency),
            observer,
            sent: AtomicU64::new(0),
        })
    }
}

/// Why the system has no roots to trust, where it has none: an image without
/// any, a variable that names the wrong file.
fn system_roots_missing() -> Option<String> {
    let found = rustls_native_certs::load_native_certs();
    found.certs.is_empty().then(|| {
        let errors: Vec<String> = found.errors.iter().map(with_causes).collect();
        if errors.is_empty() {
            "none found".to_owned()
        } else {
            errors.join("; ")
        }
    })
}

fn bundled_roots() -> Vec<reqwest::Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|root| reqwest::Certificate::from_der(root).ok())
        .collect()
}

/// What the error says, and what is behind it: `builder error` alone helps nobody.
fn with_causes(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        let part = at.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = at.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_root_is_taken() {
        assert_eq!(
            bundled_roots().len(),
            webpki_root_certs::TLS_SERVER_ROOT_CERTS.len()
        );
    }
}
