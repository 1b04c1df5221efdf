//! Certificates and keys in PEM, written in the file itself or beside it.

use std::path::Path;

use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::web_config::files::Files;
use crate::yaml::{Problem, Text};

/// The largest certificate, key or bundle of authorities, in bytes.
const MAX_PEM: u64 = 4 * 1024 * 1024;

fn problem(key: &str, text: &Text, what: impl std::fmt::Display) -> Problem {
    text.problem(format!("tls_server_config.{key}"), what)
}

/// Where PEM comes from: the file itself, or files beside it.
pub(super) struct PemSource<'a> {
    pub(super) directory: &'a Path,
    pub(super) files: &'a mut Files,
}

/// PEM, and where it came from.
pub(super) struct Pem<'a> {
    content: Vec<u8>,
    key: &'static str,
    text: &'a Text,
    /// In messages: ` (PATH)` for a file.
    origin: String,
}

impl PemSource<'_> {
    pub(super) fn pick<'a>(
        &mut self,
        (inline_key, inline): (&'static str, &'a Text),
        (file_key, file): (&'static str, &'a Text),
    ) -> Result<Option<Pem<'a>>, Problem> {
        match (inline.text(), file.text()) {
            (Some(_), Some(_)) => Err(problem(
                inline_key,
                inline,
                format_args!("give one of {inline_key} and {file_key}, not both"),
            )),
            (Some(content), None) => Ok(Some(Pem {
                content: content.as_bytes().to_vec(),
                key: inline_key,
                text: inline,
                origin: String::new(),
            })),
            (None, Some(path)) => {
                let path = self.directory.join(path);
                let origin = format!(" ({})", path.display());
                if self.files.is_without_pem() {
                    return Ok(Some(Pem {
                        content: Vec::new(),
                        key: file_key,
                        text: file,
                        origin,
                    }));
                }
                let content = self.files.read(&path, MAX_PEM).map_err(|error| {
                    let what = format_args!("cannot read the file: {error}{origin}");
                    problem(file_key, file, what)
                })?;
                Ok(Some(Pem {
                    content,
                    key: file_key,
                    text: file,
                    origin,
                }))
            }
            (None, None) => Ok(None),
        }
    }
}

impl Pem<'_> {
    /// Whether it stands in the file itself.
    pub(super) fn is_inline(&self) -> bool {
        self.origin.is_empty()
    }

    pub(super) fn problem(&self, what: impl std::fmt::Display) -> Problem {
        problem(self.key, self.text, format_args!("{what}{}", self.origin))
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Problem> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.content).collect();
        match found {
            Ok(certificates) if certificates.is_empty() => {
                Err(self.problem("no PEM certificate in it"))
            }
            Ok(certificates) => Ok(certificates),
            Err(_) => Err(self.problem("it is not valid PEM")),
        }
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, Problem> {
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|error| {
            let encrypted = b"ENCRYPTED";
            let encrypted = self
                .content
                .windows(encrypted.len())
                .any(|window| window == encrypted);
            self.problem(match error {
                _ if encrypted => {
                    "the private key is encrypted, and nobody is there to give its passphrase; store it \
                     without one"
                }
                pem::Error::NoItemsFound => "no PEM private key in it",
                _ => "it is not valid PEM",
            })
        })
    }
}
