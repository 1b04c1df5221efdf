//! The way to the API that all accounts share.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::observer::Observer;
use super::proxy::{self, ProxyError};

/// How long a connection may take to be made. Five seconds, as the official
/// Python client has it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often an HTTP/2 connection on which a request waits is asked whether it
/// is alive, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What all accounts share: the connection pool and the bound on requests in
/// flight.
pub(crate) struct Http {
    pool: Mutex<Pool>,
    roots: Vec<reqwest::Certificate>,
    proxy: Option<reqwest::Proxy>,
    pub(super) base: Box<str>,
    pub(super) slots: Semaphore,
    pub(super) observer: Arc<dyn Observer>,
    /// Requests sent so far, for the log.
    pub(super) sent: AtomicU64,
}

/// Connections to the API, kept between requests.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) client: reqwest::Client,
    generation: u64,
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
        let roots = roots(settings)?;
        // A proxy could not reach this machine's loopback, and plain HTTP is
        // granted to it because it does not leave the machine.
        let proxy = if settings.is_loopback {
            None
        } else {
            proxy::of_environment(&settings.base_url)?
        };
        let client = client(&roots, proxy.as_ref())
            .map_err(|error| HttpError::Setup(with_causes(&error)))?;
        Ok(Self {
            pool: Mutex::new(Pool {
                client,
                generation: 0,
            }),
            roots,
            proxy,
            base: settings.base_url.as_str().into(),
            slots: Semaphore::new(settings.concurrency),
            observer,
            sent: AtomicU64::new(0),
        })
    }

    /// The connections in use.
    pub(super) fn pool(&self) -> Pool {
        self.pools().clone()
    }

    /// Leaves `pool`, one of whose connections may be dead though open, or lead
    /// to where the API no longer is: requests from now on have new ones.
    pub(super) fn leave(&self, pool: &Pool) {
        let mut current = self.pools();
        if current.generation != pool.generation {
            return;
        }
        // Made before from the same settings.
        if let Ok(client) = client(&self.roots, self.proxy.as_ref()) {
            *current = Pool {
                client,
                generation: current.generation + 1,
            };
        }
    }

    fn pools(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(
    roots: &[reqwest::Certificate],
    proxy: Option<&reqwest::Proxy>,
) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("kernel-auth-exporter/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(90))
        .http2_adaptive_window(true)
        // Only while a request waits, and no oftener than servers tolerate.
        .http2_keep_alive_interval(PING_INTERVAL)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .tls_certs_only(roots.iter().cloned());
    builder = builder.no_proxy();
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy.clone());
    }
    builder.build()
}

/// Whom to trust: `ca_file`, else the system, else what this program carries.
fn roots(settings: &ClientSettings) -> Result<Vec<reqwest::Certificate>, HttpError> {
    if let Some(path) = &settings.ca_file {
        let shown = || path.display().to_string();
        let pem = std::fs::read(path).map_err(|error| HttpError::CaFile {
            path: shown(),
            error,
        })?;
        return reqwest::Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|roots| !roots.is_empty())
            .ok_or_else(|| HttpError::CaFormat { path: shown() });
    }
    if !settings.base_url.starts_with("https:") {
        return Ok(bundled_roots());
    }
    Ok(system_roots().unwrap_or_else(|why| {
        tracing::warn!(
            %why,
            "no certificate authorities on this system; using Mozilla's, as this program carries \
             them"
        );
        bundled_roots()
    }))
}

/// The system's roots; why there are none, where there are none: an image
/// without any, a variable that names the wrong file.
fn system_roots() -> Result<Vec<reqwest::Certificate>, String> {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<_> = found
        .certs
        .iter()
        .filter_map(|root| reqwest::Certificate::from_der(root).ok())
        .collect();
    if !roots.is_empty() {
        return Ok(roots);
    }
    let errors: Vec<String> = found.errors.iter().map(with_causes).collect();
    Err(if errors.is_empty() {
        "none found".to_owned()
    } else {
        errors.join("; ")
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
