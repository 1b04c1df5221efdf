//! Access rules of the web configuration: rate limit and basic auth.
//!
//! A password is checked against its bcrypt hash off the async threads and one
//! at a time, since each check costs a core for a tenth of a second and more.
//! Who was let in before is remembered, so scrapers do not wait for that, nor
//! for strangers who guess: those queue for a bounded number of places and
//! cannot push anybody out of the memory of those let in.

mod credentials;
mod memory;
mod rate;

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::credentials::Credentials;
use self::memory::{Memory, Mixer};
use self::rate::Bucket;
use crate::response::{Body, plain_with};
use crate::web_config::{Users, WebConfig};

/// Passwords that may wait for their check, the running one included.
const WAITING: usize = 16;

/// How many outcomes are remembered, of each kind.
const REMEMBERED: usize = 128;

/// Judges requests by the web configuration of their moment.
pub(crate) struct Gate {
    bucket: Mutex<Bucket>,
    known: Mutex<Known>,
    mixer: Mixer,
    waiting: Arc<Semaphore>,
    checking: Arc<Semaphore>,
}

/// Outcomes of earlier checks, apart, so that failures never displace those
/// who belong here.
struct Known {
    right: Memory,
    wrong: Memory,
}

/// What came of a password.
enum Outcome {
    Right,
    Wrong,
    /// Too many others are waiting for theirs.
    Busy,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            bucket: Mutex::new(Bucket::new()),
            known: Mutex::new(Known {
                right: Memory::new(REMEMBERED),
                wrong: Memory::new(REMEMBERED),
            }),
            mixer: Mixer::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            checking: Arc::new(Semaphore::new(1)),
        }
    }

    /// A refusal, or `None` when the request may pass.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        config: &WebConfig,
    ) -> Option<Response<Body>> {
        if let Some(limit) = config.rate_limit() {
            let taken = self.bucket.lock().take(limit, Instant::now());
            if let Err(wait) = taken {
                // Whole seconds, and never zero: that would invite a busy loop.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let (status, text) = (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
                let wait = (header::RETRY_AFTER, seconds.max(1).into());
                return Some(plain_with(status, text, wait));
            }
        }
        if config.users().is_empty() {
            return None;
        }
        let outcome = match Credentials::of(headers) {
            Some(credentials) => self.check(credentials, config.users()).await,
            None => Outcome::Wrong,
        };
        let (status, text, header) = match outcome {
            Outcome::Right => return None,
            Outcome::Wrong => {
                let basic = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
                (StatusCode::UNAUTHORIZED, "Unauthorized", basic)
            }
            Outcome::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many passwords are being checked",
                (header::RETRY_AFTER, HeaderValue::from(1)),
            ),
        };
        Some(plain_with(status, text, header))
    }

    async fn check(&self, credentials: Credentials, users: &Users) -> Outcome {
        let Credentials { user, password } = credentials;
        let trial = users.trial(std::str::from_utf8(&user).ok());
        let key = self.mixer.key(&user, trial.identity(), &password);
        {
            let known = self.known.lock();
            // Never both: the key decides the outcome. Asking both in any case
            // keeps the time the same.
            match (known.right.contains(&key), known.wrong.contains(&key)) {
                (true, _) => return Outcome::Right,
                (_, true) => return Outcome::Wrong,
                _ => {}
            }
        }
        let Ok(_waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Outcome::Busy;
        };
        let Ok(checking) = Arc::clone(&self.checking).acquire_owned().await else {
            return Outcome::Busy;
        };
        let verified = tokio::task::spawn_blocking(move || {
            // Goes along: a check that nobody waits for any more still runs,
            // and the next one waits for it.
            let _checking = checking;
            trial.passes(&password)
        });
        let right = verified.await.unwrap_or(false);
        let mut known = self.known.lock();
        if right {
            known.right.insert(key);
            Outcome::Right
        } else {
            known.wrong.insert(key);
            Outcome::Wrong
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// One user, alice, with the password alice123.
    fn config() -> WebConfig {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        let text = "basic_auth_users: {alice: \
            $2y$04$GqxjnbW/gkVSEThWY6otKO1SjX2WpCuKdDosRETY8djNyI.H9itiS}";
        std::fs::write(&path, text).expect("written");
        WebConfig::load(&path).expect("right")
    }

    fn headers(user: &str, password: &str) -> HeaderMap {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        let mut headers = HeaderMap::new();
        let value = format!("Basic {credentials}").parse().expect("a value");
        headers.insert(header::AUTHORIZATION, value);
        headers
    }

    async fn status(gate: &Gate, headers: &HeaderMap, config: &WebConfig) -> Option<u16> {
        let refusal = gate.admit(headers, config).await;
        refusal.map(|response| response.status().as_u16())
    }

    #[tokio::test]
    async fn guessing_neither_displaces_nor_delays_who_was_let_in() {
        let (gate, config) = (Gate::new(), config());
        let alice = headers("alice", "alice123");
        assert_eq!(status(&gate, &alice, &config).await, None);
        for number in 0..=REMEMBERED {
            let guess = headers("alice", &number.to_string());
            assert_eq!(status(&gate, &guess, &config).await, Some(401));
        }
        // No check can run from here on, so only memory can answer.
        let _checking = gate.checking.acquire().await.expect("open");
        assert_eq!(status(&gate, &alice, &config).await, None);
        let last = headers("alice", &REMEMBERED.to_string());
        assert_eq!(status(&gate, &last, &config).await, Some(401));
    }

    #[tokio::test]
    async fn a_bounded_number_waits_for_its_check() {
        let (gate, config) = (Gate::new(), config());
        let checking = gate.checking.acquire().await.expect("open");
        let guesses: Vec<_> = (0..=WAITING)
            .map(|number| headers("mallory", &number.to_string()))
            .collect();
        let mut asked = guesses.iter().map(|guess| {
            let mut asked = Box::pin(status(&gate, guess, &config));
            let first = futures_util::FutureExt::now_or_never(&mut asked);
            (first, asked)
        });
        let waiting: Vec<_> = asked.by_ref().take(WAITING).collect();
        assert!(waiting.iter().all(|(answer, _)| answer.is_none()));
        let (answer, _) = asked.next().expect("one more");
        assert_eq!(answer, Some(Some(503)));
        drop(checking);
        for (_, answer) in waiting {
            assert_eq!(answer.await, Some(401));
        }
    }

    #[tokio::test]
    async fn a_stranger_costs_a_check_too() {
        let (gate, config) = (Gate::new(), config());
        let _checking = gate.checking.acquire().await.expect("open");
        let stranger = headers("stranger", "alice123");
        let asked = status(&gate, &stranger, &config);
        assert!(futures_util::FutureExt::now_or_never(asked).is_none());
        let nothing = HeaderMap::new();
        assert_eq!(status(&gate, &nothing, &config).await, Some(401));
    }
}
