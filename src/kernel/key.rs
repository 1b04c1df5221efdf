//! The API key: held as a secret, read again where it can change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// Reads the key anew. Called off the async threads; its error names the
/// place, never the content.
pub(crate) type Reread = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum KeyError {
    /// It has characters that no HTTP header can carry.
    #[error("the API key has characters that an HTTP header cannot carry")]
    NotAHeader,
}

/// The bearer key of one account, and where a newer one may come from.
pub(crate) struct Key {
    current: Mutex<Current>,
    reread: Option<Reread>,
}

struct Current {
    header: HeaderValue,
    generation: u64,
    /// The last complaint, so that it is made once and not on every collection.
    complaint: Option<String>,
}

/// What reading the key again brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refreshed {
    /// The same key, or there is nothing to read.
    Same,
    /// Another key, in use from now on.
    Changed,
    /// Nothing readable; the old key stays in use.
    Failed,
}

impl Key {
    /// A key, and how to read it again where it comes from a file.
    pub(crate) fn new(secret: &SecretString, reread: Option<Reread>) -> Result<Self, KeyError> {
        let current = Current {
            header: header(secret)?,
            generation: 0,
            complaint: None,
        };
        Ok(Self {
            current: Mutex::new(current),
            reread,
        })
    }

    /// The `Authorization` header (marked sensitive), and which key this is.
    pub(super) fn current(&self) -> (HeaderValue, u64) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (current.header.clone(), current.generation)
    }

    /// Reads the key again. A file that is empty, half-written or gone leaves
    /// the key in use as it is: rotation is never a moment without a key.
    pub(super) async fn refresh(&self) -> Refreshed {
        let Some(reread) = self.reread.clone() else {
            return Refreshed::Same;
        };
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let fresh = match read {
            Ok(Ok(secret)) => header(&secret).map_err(|error| error.to_string()),
            Ok(Err(complaint)) => Err(complaint),
            Err(_) => Err("reading the key file was interrupted".to_owned()),
        };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match fresh {
            Ok(header) if header == current.header => {
                current.complaint = None;
                Refreshed::Same
            }
            Ok(header) => {
                current.header = header;
                current.generation += 1;
                current.complaint = None;
                tracing::info!("the API key has changed; using the new one");
                Refreshed::Changed
            }
            Err(complaint) => {
                if current.complaint.as_ref() != Some(&complaint) {
                    tracing::warn!(error = %complaint, "the API key cannot be read again; keeping the old one");
                    current.complaint = Some(complaint);
                }
                Refreshed::Failed
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

fn header(secret: &SecretString) -> Result<HeaderValue, KeyError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret()))
        .map_err(|_| KeyError::NotAHeader)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn key(first: &str, later: Vec<Result<&'static str, &'static str>>) -> Key {
        let later = Mutex::new(VecDeque::from(later));
        let reread: Reread = Arc::new(move || {
            later
                .lock()
                .unwrap()
                .pop_front()
                .unwrap()
                .map(SecretString::from)
                .map_err(str::to_owned)
        });
        Key::new(&SecretString::from(first), Some(reread)).unwrap()
    }

    #[tokio::test]
    async fn a_new_key_is_used_and_a_broken_file_keeps_the_old_one() {
        let key = key("one", vec![Ok("one"), Err("empty"), Ok("two"), Ok("t\nwo")]);
        assert_eq!(key.refresh().await, Refreshed::Same);
        assert_eq!(key.refresh().await, Refreshed::Failed);
        assert_eq!(key.current().0, "Bearer one");
        assert_eq!(key.refresh().await, Refreshed::Changed);
        assert_eq!(key.current(), (HeaderValue::from_static("Bearer two"), 1));
        assert_eq!(key.refresh().await, Refreshed::Failed);
        assert_eq!(key.current().0, "Bearer two");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let key = Key::new(&SecretString::from("sk_very_secret"), None).unwrap();
        assert!(!format!("{key:?} {:?}", key.current()).contains("very_secret"));
    }
}
