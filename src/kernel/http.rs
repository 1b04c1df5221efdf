//! The way to the API that all accounts share.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use super::deadline::Turn;
use super::observer::Observer;
use super::proxy;
use super::transport::Transport;

/// What all accounts share: the connection pool and the bound on requests in
/// flight.
pub(crate) struct Http {
    transport: Mutex<Transport>,
    pub(super) base: Box<str>,
    slots: Semaphore,
    /// Of those, the places for what goes beside collections, and for what may hold
    /// its place for as long as it may.
    slots_aside: Semaphore,
    slots_unanswered: Option<Semaphore>,
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

impl Http {
    /// Sets up the connection pool. Sends nothing. Fails where `ca_file`, or a
    /// variable that should name a proxy, is not what it should be.
    pub(crate) fn new(
        settings: &ClientSettings,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, String> {
        let roots = roots(settings)?;
        // A proxy could not reach this machine's loopback, and plain HTTP is
        // granted to it because it does not leave the machine.
        let proxy = if settings.is_loopback {
            None
        } else {
            proxy::of_environment(&settings.base_url)?
        };
        Ok(Self {
            transport: Mutex::new(Transport::new(&settings.base_url, roots, proxy)),
            base: settings.base_url.as_str().into(),
            slots: Semaphore::new(settings.concurrency),
            slots_aside: Semaphore::new((settings.concurrency / 2).max(1)),
            // Of few places there are not two kinds to set apart.
            slots_unanswered: (settings.concurrency >= 4)
                .then(|| Semaphore::new(settings.concurrency / 4)),
            observer,
            sent: AtomicU64::new(0),
        })
    }

    /// The places of those that may not have all of them.
    pub(super) fn places(&self, turn: Turn) -> Option<&Semaphore> {
        match (turn, &self.slots_unanswered) {
            (Turn::First, _) => None,
            (Turn::Unanswered, Some(slots)) => Some(slots),
            _ => Some(&self.slots_aside),
        }
    }

    /// A place among the requests in flight.
    pub(super) async fn slot(&self) -> SemaphorePermit<'_> {
        let slot = self.slots.acquire().await;
        slot.expect("the semaphore is never closed")
    }

    /// The connections in use.
    pub(super) fn transport(&self) -> Transport {
        self.transport.lock().clone()
    }

    /// Leaves the connections of `transport`, one of which may be dead though
    /// open, or lead to where the API no longer is: requests from now on have
    /// new ones.
    pub(super) fn leave(&self, transport: &Transport) {
        let mut current = self.transport.lock();
        if current.generation == transport.generation {
            *current = current.anew();
        }
    }
}

/// Whom to trust: `ca_file`, else the system, else what this program carries.
fn roots(settings: &ClientSettings) -> Result<RootCertStore, String> {
    if let Some(path) = &settings.ca_file {
        let wrong = |what: &dyn Display| format!("ca_file {}: {what}", path.display());
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        return of_pem(&pem).ok_or_else(|| wrong(&"not a PEM file of certificates"));
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

fn of_pem(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        roots.add(root.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

/// The system's roots; why there are none, where there are none: an image
/// without any, a variable that names the wrong file.
fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let errors: Vec<String> = found.errors.iter().map(with_causes).collect();
    let errors = errors.join("; ");
    match (roots.is_empty(), errors.is_empty()) {
        (true, true) => Err("none found".to_owned()),
        (true, false) => Err(errors),
        (false, true) => Ok(roots),
        (false, false) => {
            tracing::warn!(
                error = errors,
                "not all certificate authorities of this system can be read; check SSL_CERT_FILE \
                 and SSL_CERT_DIR"
            );
            Ok(roots)
        }
    }
}

fn bundled_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots
}

/// What the error says, and what is behind it.
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
