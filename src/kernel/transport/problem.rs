//! What becomes of the errors of the layers below.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use tokio::time::error::Elapsed;
use tokio_rustls::rustls;

use crate::kernel::error::{NO_TLS, Problem};
use crate::model::ErrorReason;
use crate::redact;

/// Tells the transport's failures apart and keeps its words, in which there is
/// no URL.
pub(in crate::kernel) fn problem(error: &(dyn StdError + 'static)) -> Problem {
    let mut reason = ErrorReason::Transport;
    let mut text = String::new();
    let mut of_tls = None;
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(at) = cause {
        if is_timeout(at) {
            return Problem::Timeout;
        }
        let client = at.downcast_ref::<legacy::Error>();
        if client.is_some_and(legacy::Error::is_connect) {
            reason = ErrorReason::Connect;
        }
        if let Some(error) = tls_error(at) {
            reason = ErrorReason::Tls;
            of_tls = in_our_words(error);
        }
        let said = at.to_string();
        if said.contains("dns error") {
            reason = ErrorReason::Dns;
        }
        // Each layer repeats the words of the one below; the innermost say it all.
        text = said;
        cause = at.source();
    }
    if let Some(words) = of_tls {
        words.clone_into(&mut text);
    }
    text.truncate(text.floor_char_boundary(200));
    Problem::Unreachable {
        reason,
        text: redact::logged(&text).into(),
    }
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let of_http = error.downcast_ref::<hyper::Error>();
    let of_io = error.downcast_ref::<io::Error>();
    error.is::<Elapsed>()
        || of_http.is_some_and(hyper::Error::is_timeout)
        || of_io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// What the TLS stack said, however often an `io::Error` is wrapped around it.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| {
        let wrapped = error.downcast_ref::<std::io::Error>()?.get_ref()?;
        tls_error(wrapped)
    })
}

/// What is wrong with the server or its certificate, where the TLS stack's own
/// words would help nobody.
fn in_our_words(error: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError;
    let error = match error {
        rustls::Error::InvalidMessage(_) => {
            return Some(NO_TLS);
        }
        rustls::Error::InvalidCertificate(error) => error,
        _ => return None,
    };
    Some(match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by nobody who is trusted here"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired"
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server's certificate is that of an authority (CA:TRUE), which no server may use"
        }
        _ => return None,
    })
}
