//! `tls_server_config` as rustls takes it.
//!
//! The names are those of Go's `crypto/tls`. What Go can do and rustls cannot
//! (TLS 1.0 and 1.1, CBC suites, static RSA, P-521) is refused by name, since
//! leaving it out silently would lock out the clients it was written for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerConfig};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, SupportedCipherSuite, SupportedProtocolVersion};

use super::client_certs::{ClientAuth, Verifier};
use super::error::Problem;
use super::files::Files;
use super::schema::{Text, Tls, given};

/// The largest certificate, key or bundle of authorities.
const MAX_PEM: u64 = 4 * 1024 * 1024;

/// The suites of TLS 1.2, by their names in Go.
const TLS12_SUITES: [(&str, SupportedCipherSuite); 6] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// The suites of TLS 1.3. As in Go they are always on offer and naming them
/// changes nothing.
const TLS13_SUITES: [(&str, SupportedCipherSuite); 3] = [
    (
        "TLS_AES_128_GCM_SHA256",
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_AES_256_GCM_SHA384",
        cipher_suite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
];

/// RFC 9113, section 9.2.2: HTTP/2 over TLS 1.2 needs one of these.
const HTTP2_SUITES: [&str; 2] = [
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
];

fn problem(key: &str, text: &Text, what: impl std::fmt::Display) -> Problem {
    Problem::new(what)
        .with_key(format!("tls_server_config.{key}"))
        .at(text.referenced)
}

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
    let versions = versions(section)?;
    let suites = suites(section)?;
    let groups = groups(section)?;
    if asks_for_tls
        .iter()
        .all(|text| given(text.as_ref()).is_none())
    {
        return Ok(None);
    }
    let mut pem = PemSource { directory, files };
    let certificate = pem.pick(
        ("cert", section.cert.as_ref()),
        ("cert_file", section.cert_file.as_ref()),
    )?;
    let key = pem.pick(
        ("key", section.key.as_ref()),
        ("key_file", section.key_file.as_ref()),
    )?;
    let certificate = certificate.ok_or_else(|| of_section("missing one of cert or cert_file"))?;
    let key = key.ok_or_else(|| of_section("missing one of key or key_file"))?;
    let chain = certificate.certificates()?;
    let private_key = key.private_key()?;

    let (versions, suites) = agree(&versions, suites, http2)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = suites;
    if let Some(groups) = groups {
        provider.kx_groups = groups;
    }
    let provider = Arc::new(provider);
    let (policy, verifier) = client_verifier(section, &mut pem, &provider)?;
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

/// From `min_version` to `max_version`.
fn versions(section: &Tls) -> Result<Vec<&'static SupportedProtocolVersion>, Problem> {
    let minimum = version("min_version", section.min_version.as_ref())?.unwrap_or(0);
    let maximum = version("max_version", section.max_version.as_ref())?.unwrap_or(1);
    if minimum > maximum {
        return Err(of_section("min_version is above max_version"));
    }
    Ok([&TLS12, &TLS13][minimum..=maximum].to_vec())
}

fn version(key: &str, text: Option<&Text>) -> Result<Option<usize>, Problem> {
    let Some((name, text)) = given(text) else {
        return Ok(None);
    };
    match name {
        "TLS12" => Ok(Some(0)),
        "TLS13" => Ok(Some(1)),
        "TLS10" | "TLS11" => Err(problem(
            key,
            text,
            "TLS 1.0 and 1.1 are not supported by this server (RFC 8996 retired them); use TLS12 \
             or TLS13",
        )),
        _ => Err(problem(
            key,
            text,
            "unknown TLS version; use TLS12 or TLS13",
        )),
    }
}

/// Suites by name; `None` when none are named.
type Suites = Option<Vec<(&'static str, SupportedCipherSuite)>>;

/// The TLS 1.2 suites that are named, in that order.
fn suites(section: &Tls) -> Result<Suites, Problem> {
    let Some(named) = section
        .cipher_suites
        .as_ref()
        .filter(|list| !list.is_empty())
    else {
        return Ok(None);
    };
    let mut suites = Vec::new();
    for text in named {
        let name = text.value.as_deref().unwrap_or_default();
        if let Some(suite) = TLS12_SUITES.iter().find(|(known, _)| *known == name) {
            suites.push(*suite);
        } else if !TLS13_SUITES.iter().any(|(known, _)| *known == name) {
            return Err(problem("cipher_suites", text, unknown_suite(name)));
        }
    }
    Ok(Some(suites))
}

fn unknown_suite(name: &str) -> String {
    let why = if !name.starts_with("TLS_") {
        "unknown cipher suite"
    } else if name.starts_with("TLS_RSA_WITH_") {
        "static RSA cipher suites are not supported by this server"
    } else if name.contains("_CBC_") {
        "CBC cipher suites are not supported by this server"
    } else if name.contains("_RC4_") {
        "RC4 cipher suites are not supported by this server"
    } else {
        "unknown cipher suite"
    };
    let known = TLS12_SUITES.iter().chain(&TLS13_SUITES);
    let known: Vec<_> = known.map(|(name, _)| *name).collect();
    format!("{why}; supported are {}", known.join(", "))
}

/// The versions and suites that go together, or why nothing would be left.
fn agree(
    versions: &[&'static SupportedProtocolVersion],
    named: Suites,
    http2: bool,
) -> Result<
    (
        Vec<&'static SupportedProtocolVersion>,
        Vec<SupportedCipherSuite>,
    ),
    Problem,
> {
    let with_tls12 = versions.contains(&&TLS12);
    let tls12 = match named {
        None => TLS12_SUITES.to_vec(),
        Some(named) => {
            if http2 && with_tls12 && !named.iter().any(|(name, _)| HTTP2_SUITES.contains(name)) {
                return Err(Problem::new(format_args!(
                    "HTTP/2 with TLS 1.2 needs one of {}; add one, or set min_version: TLS13, or \
                     http2: false",
                    HTTP2_SUITES.join(" and ")
                ))
                .with_key("tls_server_config.cipher_suites"));
            }
            named
        }
    };
    let mut versions = versions.to_vec();
    if tls12.is_empty() {
        versions.retain(|version| *version != &TLS12);
    }
    if versions.is_empty() {
        return Err(
            Problem::new("none of these suites is of TLS 1.2, and TLS 1.3 is off")
                .with_key("tls_server_config.cipher_suites"),
        );
    }
    let suites = TLS13_SUITES.iter().chain(&tls12);
    Ok((versions, suites.map(|(_, suite)| *suite).collect()))
}

fn groups(section: &Tls) -> Result<Option<Vec<&'static dyn SupportedKxGroup>>, Problem> {
    let named = section.curve_preferences.as_ref();
    let Some(named) = named.filter(|list| !list.is_empty()) else {
        return Ok(None);
    };
    let groups = named.iter().map(|text| {
        let what = match text.value.as_deref().unwrap_or_default() {
            "X25519" => return Ok(kx_group::X25519),
            "CurveP256" => return Ok(kx_group::SECP256R1),
            "CurveP384" => return Ok(kx_group::SECP384R1),
            "CurveP521" => "curve P-521 is not supported by this server",
            _ => "unknown curve",
        };
        Err(problem(
            "curve_preferences",
            text,
            format_args!("{what}; supported are CurveP256, CurveP384 and X25519"),
        ))
    });
    groups.collect::<Result<_, _>>().map(Some)
}

fn client_verifier(
    section: &Tls,
    pem: &mut PemSource<'_>,
    provider: &Arc<CryptoProvider>,
) -> Result<(ClientAuth, Option<Verifier>), Problem> {
    let policy = match given(section.client_auth_type.as_ref()) {
        None => ClientAuth::None,
        Some((name, text)) => ClientAuth::from_name(name).ok_or_else(|| {
            problem(
                "client_auth_type",
                text,
                format_args!("unknown policy; known are {}", ClientAuth::NAMES),
            )
        })?,
    };
    let authorities = pem.pick(
        ("client_ca", section.client_ca.as_ref()),
        ("client_ca_file", section.client_ca_file.as_ref()),
    )?;
    let names = section.client_allowed_sans.as_ref();
    let names = names.and_then(|list| Some((list.value.as_ref()?, list.referenced)));
    if policy == ClientAuth::None {
        if let Some(authorities) = authorities {
            return Err(authorities.problem(
                "a client CA is given without a client_auth_type that asks for certificates",
            ));
        }
        if let Some((_, place)) = names {
            return Err(Problem::new(
                "names are given without a client_auth_type that asks for certificates",
            )
            .with_key("tls_server_config.client_allowed_sans")
            .at(place));
        }
        return Ok((policy, None));
    }
    let names: Option<Vec<String>> = names.map(|(list, _)| {
        let names = list.iter().filter_map(|text| text.value.clone());
        names.collect()
    });
    let certificates = match &authorities {
        Some(authorities) => authorities.certificates()?,
        // As Go does without a pool of its own.
        None if policy.verifies() => rustls_native_certs::load_native_certs().certs,
        None => Vec::new(),
    };
    let verifier =
        Verifier::new(policy, certificates, names, provider).map_err(
            |error| match &authorities {
                Some(authorities) => {
                    authorities.problem(format_args!("the authorities cannot be used: {error}"))
                }
                None => of_section(
                    "client certificates are to be verified, but neither client_ca_file nor the \
                 system names an authority",
                ),
            },
        )?;
    Ok((policy, Some(verifier)))
}

/// Where PEM comes from: the file itself, or files beside it.
struct PemSource<'a> {
    directory: &'a Path,
    files: &'a mut Files,
}

/// PEM, and where it came from.
struct Pem<'a> {
    content: Vec<u8>,
    key: &'static str,
    text: &'a Text,
    /// In messages: ` (PATH)` for a file.
    origin: String,
}

impl PemSource<'_> {
    fn pick<'a>(
        &mut self,
        (inline_key, inline): (&'static str, Option<&'a Text>),
        (file_key, file): (&'static str, Option<&'a Text>),
    ) -> Result<Option<Pem<'a>>, Problem> {
        match (given(inline), given(file)) {
            (Some((_, text)), Some(_)) => Err(problem(
                inline_key,
                text,
                format_args!("give one of {inline_key} and {file_key}, not both"),
            )),
            (Some((content, text)), None) => Ok(Some(Pem {
                content: content.as_bytes().to_vec(),
                key: inline_key,
                text,
                origin: String::new(),
            })),
            (None, Some((path, text))) => {
                let path: PathBuf = self.directory.join(path);
                let origin = format!(" ({})", path.display());
                match self.files.read(&path, MAX_PEM) {
                    Ok(content) => Ok(Some(Pem {
                        content,
                        key: file_key,
                        text,
                        origin,
                    })),
                    Err(error) => Err(problem(
                        file_key,
                        text,
                        format_args!("cannot read the file: {error}{origin}"),
                    )),
                }
            }
            (None, None) => Ok(None),
        }
    }
}

impl Pem<'_> {
    fn problem(&self, what: impl std::fmt::Display) -> Problem {
        problem(self.key, self.text, format_args!("{what}{}", self.origin))
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.content).collect();
        match found {
            Ok(certificates) if certificates.is_empty() => {
                Err(self.problem("no PEM certificate in it"))
            }
            Ok(certificates) => Ok(certificates),
            Err(_) => Err(self.problem("it is not valid PEM")),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, Problem> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|error| {
            let encrypted = b"ENCRYPTED";
            let encrypted = self
                .content
                .windows(encrypted.len())
                .any(|window| window == encrypted);
            self.problem(match error {
                _ if encrypted => {
                    "the private key is encrypted; there is nobody to ask for its passphrase"
                }
                pem::Error::NoItemsFound => "no PEM private key in it",
                _ => "it is not valid PEM",
            })
        })
    }
}
