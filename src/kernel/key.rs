//! The API key: held as a secret, read again where it can change, and what the
//! API thinks of it. While nobody knows, one request finds out and the others
//! wait for its answer.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

use super::error::Problem;

/// Reads the key anew. Called off the async threads; its error names the
/// place, never the content.
pub(crate) type Reread = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Held by the request that finds out what the API thinks of a key.
pub(super) type First = OwnedMutexGuard<()>;

/// The bearer key of one account, and where a newer one may come from.
pub(crate) struct Key {
    state: Mutex<KeyState>,
    reread: Option<Reread>,
    first_request: Arc<AsyncMutex<()>>,
}

struct KeyState {
    header: HeaderValue,
    /// How often it has changed: tells which key a late answer is about.
    generation: u64,
    opinion: Opinion,
    /// `organization.id` of `/auth/context`, once it was asked.
    organisation: Option<Box<str>>,
    /// The last complaint, so that it is made once and not on every collection.
    complaint: Option<String>,
}

/// What the API thinks of the key.
#[derive(Clone, Copy)]
pub(super) enum Opinion {
    /// Not known, or it was refused and there may be a newer one: one request at a
    /// time finds out.
    Untested,
    /// No reason to doubt it.
    Good,
    /// Refused with 401 in this epoch, and there was no newer one.
    Refused(u64),
}

impl Key {
    /// A key, and how to read it again where it comes from a file. Fails where
    /// it has characters that no HTTP header can carry.
    pub(crate) fn new(secret: &SecretString, reread: Option<Reread>) -> Result<Self, String> {
        let state = KeyState {
            header: header(secret)?,
            generation: 0,
            opinion: Opinion::Untested,
            organisation: None,
            complaint: None,
        };
        Ok(Self {
            state: Mutex::new(state),
            reread,
            first_request: Arc::default(),
        })
    }

    /// The `Authorization` header (marked sensitive), and which key this is.
    pub(super) fn current(&self) -> (HeaderValue, u64) {
        let state = self.state.lock();
        (state.header.clone(), state.generation)
    }

    /// Of which organisation it is, once that is known.
    pub(super) fn organisation(&self) -> Option<Box<str>> {
        self.state.lock().organisation.clone()
    }

    /// It is of this organisation.
    pub(super) fn is_of(&self, organisation: Option<Box<str>>) {
        self.state.lock().organisation = organisation;
    }

    /// Reads the key again; whether that was possible. A file that is empty,
    /// half-written or gone leaves the key in use as it is: rotation is never a
    /// moment without a key.
    pub(super) async fn refresh(&self) -> bool {
        let Some(reread) = self.reread.clone() else {
            return true;
        };
        let read = tokio::task::spawn_blocking(move || reread()).await;
        let fresh = match read {
            Ok(read) => read.and_then(|secret| header(&secret)),
            Err(_) => Err("reading the key file was interrupted".to_owned()),
        };
        let mut state = self.state.lock();
        let complaint = fresh.as_ref().err().cloned();
        if let Ok(header) = fresh
            && header != state.header
        {
            state.header = header;
            state.generation += 1;
            // What was thought of another key says nothing of this one.
            state.opinion = Opinion::Untested;
            state.organisation = None;
            tracing::info!("the API key has changed; using the new one");
        }
        if let Some(error) = &complaint
            && state.complaint != complaint
        {
            tracing::warn!(%error, "the API key cannot be read again; keeping the old one");
        }
        state.complaint = complaint;
        state.complaint.is_none()
    }

    /// Until it is known what the API thinks of the key, or `deadline`. With a
    /// guard, the caller is the one to find out.
    pub(super) async fn judged(
        &self,
        epoch: u64,
        deadline: Instant,
    ) -> Result<Option<First>, Problem> {
        if let Some(known) = self.known(epoch) {
            return known.map(|()| None);
        }
        let first = Arc::clone(&self.first_request).lock_owned();
        let first = timeout_at(deadline, first)
            .await
            .map_err(|_| Problem::Timeout)?;
        match self.known(epoch) {
            Some(known) => known.map(|()| None),
            None => Ok(Some(first)),
        }
    }

    fn known(&self, epoch: u64) -> Option<Result<(), Problem>> {
        match self.state.lock().opinion {
            Opinion::Good => Some(Ok(())),
            Opinion::Refused(refused) if refused >= epoch => {
                Some(Err(Problem::Refused(StatusCode::UNAUTHORIZED)))
            }
            Opinion::Refused(_) | Opinion::Untested => None,
        }
    }

    /// Takes note of what an answer to the key of `generation` says of it; a late
    /// answer to an older key changes nothing.
    pub(super) fn judge(&self, generation: u64, opinion: Opinion) {
        let mut state = self.state.lock();
        if generation == state.generation {
            state.opinion = opinion;
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

fn header(secret: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret()))
        .map_err(|_| "the API key has characters that an HTTP header cannot carry".to_owned())?;
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
        let one = (HeaderValue::from_static("Bearer one"), 0);
        let two = (HeaderValue::from_static("Bearer two"), 1);
        for (is_readable, expected) in [(true, &one), (false, &one), (true, &two), (false, &two)] {
            assert_eq!(key.refresh().await, is_readable);
            assert_eq!(key.current(), *expected);
        }
    }

    #[tokio::test]
    async fn a_late_answer_to_the_old_key_says_nothing_of_the_new_one() {
        let key = key("one", vec![Ok("two")]);
        let known = |epoch| key.known(epoch).map(|known| known.is_ok());
        assert_eq!(known(1), None);
        key.judge(0, Opinion::Refused(1));
        assert_eq!(known(1), Some(false));
        assert!(key.refresh().await);
        assert_eq!(known(1), None);
        key.judge(1, Opinion::Good);
        key.judge(0, Opinion::Refused(1));
        key.judge(0, Opinion::Untested);
        assert_eq!(known(1), Some(true));
        // A refused key has another chance in the next epoch.
        key.judge(1, Opinion::Refused(1));
        assert_eq!((known(1), known(2)), (Some(false), None));
    }

    #[tokio::test]
    async fn one_request_finds_out() {
        let key = key("one", Vec::new());
        let soon = Instant::now();
        let first = key.judged(1, soon).await.unwrap();
        assert!(first.is_some());
        let second = key.judged(1, soon).await;
        assert!(matches!(second, Err(Problem::Timeout)));
        key.judge(0, Opinion::Good);
        drop(first);
        assert!(key.judged(1, soon).await.unwrap().is_none());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let key = Key::new(&SecretString::from("sk_very_secret"), None).unwrap();
        assert!(!format!("{key:?} {:?}", key.current()).contains("very_secret"));
    }
}
