//! `tls_server_config` as rustls takes it.
//!
//! The names are those of Go's `crypto/tls`. What Go can do and rustls cannot
//! (TLS 1.0 and 1.1, CBC suites, static RSA, P-521) is refused by name, since
//! leaving it out silently would lock out the clients it was written for.

mod names;
mod pem;

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerConfig};

use self::pem::{Pem, PemSource};
use super::client_certs::{ClientAuth, Verifier};
use super::files::Files;
use super::schema::Tls;
use crate::yaml::Problem;

fn of_section(what: impl std::fmt::Display) -> Problem {
    Problem::new(what).with_key("tls_server_config")
}

/// `None` when the section asks for no TLS.
pub(super) fn server_config(
    section: &Tls,
    directory: &Path,
    http2: bool,
    files: &mut Files,
) -> Result<Option<(Arc<ServerConfig>, ClientAuth)>, Problem> {
    let asks_for_tls = [
        &section.cert,
        &section.cert_file,
        &section.key,
        &section.key_file,
        &section.client_ca,
        &section.client_ca_file,
        &section.client_auth_type,
    ];
    // Names that are wrong are wrong with or without TLS.
    let versions = names::versions(section)?;
    let suites = names::suites(section)?;
    let groups = names::groups(section)?;
    if asks_for_tls.iter().all(|text| text.text().is_none()) {
        return Ok(None);
    }
    let mut pem = PemSource { directory, files };
    let certificate = pem.pick(("cert", &section.cert), ("cert_file", &section.cert_file))?;
    let key = pem.pick(("key", &section.key), ("key_file", &section.key_file))?;
    let certificate = certificate.ok_or_else(|| of_section("missing one of cert or cert_file"))?;
    let key = key.ok_or_else(|| of_section("missing one of key or key_file"))?;
    let (versions, suites) = names::agree(versions, suites, http2)?;
    let clients = Clients::read(section, &mut pem)?;
    if pem.files.is_without_pem() {
        // What stands in the file itself can be read all the same.
        for pem in [Some(&certificate), clients.authorities.as_ref()] {
            if let Some(pem) = pem.filter(|pem| pem.is_inline()) {
                pem.certificates()?;
            }
        }
        if key.is_inline() {
            key.private_key()?;
        }
        return Ok(None);
    }
    let chain = certificate.certificates()?;
    let private_key = key.private_key()?;

    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = suites;
    if let Some(groups) = groups {
        provider.kx_groups = groups;
    }
    let provider = Arc::new(provider);
    let policy = clients.policy;
    let verifier = clients.verifier(&provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(of_section)?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, private_key)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                key.problem("the private key does not belong to the certificate")
            }
            Error::InvalidCertificate(error) => {
                certificate.problem(format_args!("the certificate cannot be used: {error}"))
            }
            // rustls says no more than that it is not one of its kinds.
            _ => key.problem(
                "the private key cannot be used; RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 \
                 or P-521 and Ed25519 can",
            ),
        })?;
    config.ignore_client_order = section.prefer_server_cipher_suites.unwrap_or(true);
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    // Each handshake is a whole one, so that each is judged by the client
    // certificates and authorities of its own time.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Some((Arc::new(config), policy)))
}

/// What is asked of clients.
struct Clients<'a> {
    policy: ClientAuth,
    authorities: Option<Pem<'a>>,
    names: Option<Vec<String>>,
}

impl<'a> Clients<'a> {
    fn read(section: &'a Tls, pem: &mut PemSource<'_>) -> Result<Self, Problem> {
        let policy = match section.client_auth_type.text() {
            None => ClientAuth::None,
            Some(name) => ClientAuth::from_name(name).ok_or_else(|| {
                let what = format_args!("unknown policy; known are {}", ClientAuth::NAMES);
                let key = "tls_server_config.client_auth_type";
                section.client_auth_type.problem(key, what)
            })?,
        };
        let authorities = pem.pick(
            ("client_ca", &section.client_ca),
            ("client_ca_file", &section.client_ca_file),
        )?;
        let names = section.client_allowed_sans.value();
        if policy == ClientAuth::None {
            if let Some(authorities) = authorities {
                return Err(authorities.problem(
                    "a client CA is given without a client_auth_type that asks for certificates",
                ));
            }
            if names.is_some() {
                return Err(section.client_allowed_sans.problem(
                    "tls_server_config.client_allowed_sans",
                    "names are given without a client_auth_type that asks for certificates",
                ));
            }
        }
        let names = names.map(|list| {
            let names = list.iter().filter_map(|text| text.value().cloned());
            names.collect()
        });
        Ok(Self {
            policy,
            authorities,
            names,
        })
    }

    /// `None` where no certificate is asked for.
    fn verifier(self, provider: &Arc<CryptoProvider>) -> Result<Option<Verifier>, Problem> {
        let Self {
            policy,
            authorities,
            names,
        } = self;
        if policy == ClientAuth::None {
            return Ok(None);
        }
        let certificates = match &authorities {
            Some(authorities) => authorities.certificates()?,
            // As Go does without a pool of its own.
            None if policy.verifies() => rustls_native_certs::load_native_certs().certs,
            None => Vec::new(),
        };
        let verifier = Verifier::new(policy, certificates, names, provider).map_err(|error| {
            match &authorities {
                Some(authorities) => {
                    authorities.problem(format_args!("the authorities cannot be used: {error}"))
                }
                None => of_section(
                    "client certificates are to be verified, but neither client_ca_file nor the \
                     system names an authority",
                ),
            }
        })?;
        Ok(Some(verifier))
    }
}
