//! Versions, cipher suites and curves by their names in Go.

use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, kx_group};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use crate::web_config::schema::Tls;
use crate::yaml::{Problem, Text};

pub(super) type Versions = Vec<&'static SupportedProtocolVersion>;

/// RFC 9113, section 9.2.2: HTTP/2 over TLS 1.2 needs one of these.
const HTTP2_SUITES: [&str; 2] = [
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
];

fn problem(key: &str, text: &Text, what: impl std::fmt::Display) -> Problem {
    text.problem(format!("tls_server_config.{key}"), what)
}

/// From `min_version` to `max_version`.
pub(super) fn versions(section: &Tls) -> Result<Versions, Problem> {
    let minimum = version("min_version", &section.min_version)?.unwrap_or(0);
    let maximum = version("max_version", &section.max_version)?.unwrap_or(1);
    if minimum > maximum {
        let problem = Problem::new("min_version is above max_version");
        return Err(problem.with_key("tls_server_config"));
    }
    Ok([&TLS12, &TLS13][minimum..=maximum].to_vec())
}

fn version(key: &str, text: &Text) -> Result<Option<usize>, Problem> {
    let what = match text.text() {
        None => return Ok(None),
        Some("TLS12") => return Ok(Some(0)),
        Some("TLS13") => return Ok(Some(1)),
        Some("TLS10" | "TLS11") => {
            "TLS 1.0 and 1.1 are not supported by this server (RFC 8996 retired them); use TLS12 \
             or TLS13"
        }
        Some(_) => "unknown TLS version; use TLS12 or TLS13",
    };
    Err(problem(key, text, what))
}

/// The name in Go, which is that of IANA.
fn name(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replacen("TLS13_", "TLS_", 1)
}

/// The TLS 1.2 suites that are named, in that order; all when none are. Those
/// of TLS 1.3 may be named, as in Go, and are always on.
pub(super) fn suites(section: &Tls) -> Result<Vec<SupportedCipherSuite>, Problem> {
    let is_tls12 = |suite: &&SupportedCipherSuite| suite.version() == &TLS12;
    let named = section.cipher_suites.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Ok(ALL_CIPHER_SUITES.iter().filter(is_tls12).copied().collect());
    }
    let mut suites = Vec::new();
    for text in named {
        let wanted = text.text().unwrap_or_default();
        let known = ALL_CIPHER_SUITES.iter().find(|suite| name(suite) == wanted);
        let known = known.ok_or_else(|| problem("cipher_suites", text, unknown_suite(wanted)))?;
        suites.extend(Some(known).filter(is_tls12));
    }
    Ok(suites)
}

fn unknown_suite(wanted: &str) -> String {
    let why = if !wanted.starts_with("TLS_") {
        "unknown cipher suite"
    } else if wanted.starts_with("TLS_RSA_WITH_") {
        "static RSA cipher suites are not supported by this server"
    } else if wanted.contains("_CBC_") {
        "CBC cipher suites are not supported by this server"
    } else if wanted.contains("_RC4_") {
        "RC4 cipher suites are not supported by this server"
    } else {
        "unknown cipher suite"
    };
    let known: Vec<_> = ALL_CIPHER_SUITES.iter().map(name).collect();
    format!("{why}; supported are {}", known.join(", "))
}

/// The versions and suites that go together, or why nothing would be left.
pub(super) fn agree(
    mut versions: Versions,
    tls12: Vec<SupportedCipherSuite>,
    http2: bool,
) -> Result<(Versions, Vec<SupportedCipherSuite>), Problem> {
    let wrong = |what: String| Err(Problem::new(what).with_key("tls_server_config.cipher_suites"));
    let fits_http2 = |suite| HTTP2_SUITES.contains(&name(suite).as_str());
    if http2 && versions.contains(&&TLS12) && !tls12.iter().any(fits_http2) {
        return wrong(format!(
            "HTTP/2 with TLS 1.2 needs one of {}; add one, or set min_version: TLS13, or http2: \
             false",
            HTTP2_SUITES.join(" and ")
        ));
    }
    if tls12.is_empty() {
        versions.retain(|version| *version != &TLS12);
    }
    if versions.is_empty() {
        return wrong("none of these suites is of TLS 1.2, and TLS 1.3 is off".to_owned());
    }
    let tls13 = ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| suite.version() == &TLS13);
    Ok((versions, tls13.copied().chain(tls12).collect()))
}

pub(super) fn groups(section: &Tls) -> Result<Option<Vec<&'static dyn SupportedKxGroup>>, Problem> {
    let named = section.curve_preferences.as_deref().unwrap_or_default();
    let groups = named.iter().map(|text| {
        let what = match text.text().unwrap_or_default() {
            "X25519" => return Ok(kx_group::X25519),
            "CurveP256" => return Ok(kx_group::SECP256R1),
            "CurveP384" => return Ok(kx_group::SECP384R1),
            "CurveP521" => "curve P-521 is not supported by this server",
            _ => "unknown curve",
        };
        let what = format_args!("{what}; supported are CurveP256, CurveP384 and X25519");
        Err(problem("curve_preferences", text, what))
    });
    let groups: Vec<_> = groups.collect::<Result<_, _>>()?;
    Ok((!groups.is_empty()).then_some(groups))
}
