//! The web configuration of a running server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::files::Files;
use super::{WebConfig, WebConfigError};

/// How long a file must stay as it is before it may take protection away.
const SETTLE: Duration = Duration::from_secs(2);

/// How long a request waits for the file system before it is judged by what
/// was read last.
const PATIENCE: Duration = Duration::from_secs(2);

/// The web configuration of a running server, read again whenever its files
/// have changed. Cloning gives another handle to the same.
///
/// A broken rewrite leaves the last good configuration in force.
///
/// One that switches off TLS, drops every user or asks less of client
/// certificates is taken up once it has stood unchanged for two seconds: the
/// first half of a file that is being rewritten in place can look like that,
/// and an emptied one does. [`Self::reload`] takes it up at once.
#[derive(Clone)]
pub struct WebConfigHandle {
    watched: Option<Arc<Watched>>,
    fixed: Arc<WebConfig>,
}

impl std::fmt::Debug for WebConfigHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.watched.as_ref().map(|watched| &watched.path);
        f.debug_tuple("WebConfigHandle").field(&path).finish()
    }
}

struct Watched {
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the files are looked at, which may block.
    looking: Arc<tokio::sync::Mutex<()>>,
}

struct State {
    good: Arc<WebConfig>,
    /// What the last attempt has read, however it ended.
    files: Files,
    /// Right, but weaker, and too new.
    held: Option<(Arc<WebConfig>, Instant)>,
    ok: bool,
    succeeded: SystemTime,
}

impl WebConfigHandle {
    /// No file: no TLS and no access rules, for ever.
    pub fn disabled() -> Self {
        Self {
            watched: None,
            fixed: Arc::default(),
        }
    }

    /// Reads `path`; `None` is [`Self::disabled`]. Blocks on the file system.
    pub fn new(path: Option<PathBuf>) -> Result<Self, WebConfigError> {
        let Some(path) = path else {
            return Ok(Self::disabled());
        };
        let mut files = Files::default();
        let good = Arc::new(WebConfig::read(&path, &mut files)?);
        warn_about(&good);
        let state = State {
            good: Arc::clone(&good),
            files,
            held: None,
            ok: true,
            succeeded: SystemTime::now(),
        };
        Ok(Self {
            watched: Some(Arc::new(Watched {
                path,
                state: Mutex::new(state),
                looking: Arc::default(),
            })),
            fixed: good,
        })
    }

    /// What the files say now, or the last good state of them.
    pub async fn current(&self) -> Arc<WebConfig> {
        if let Some(watched) = &self.watched {
            let look = Arc::clone(watched).look(|watched| watched.refresh(Instant::now()));
            // Too slow a file system: what was read last has to do.
            let _ = tokio::time::timeout(PATIENCE, look).await;
        }
        self.last_good()
    }

    /// What was right when it was last read.
    pub fn last_good(&self) -> Arc<WebConfig> {
        match &self.watched {
            Some(watched) => Arc::clone(&watched.state().good),
            None => Arc::clone(&self.fixed),
        }
    }

    /// Reads the files now and takes up what they say, whatever it is, if it
    /// is right. On an error nothing changes but [`Self::last_reload_ok`].
    pub async fn reload(&self) -> Result<(), WebConfigError> {
        let Some(watched) = &self.watched else {
            return Ok(());
        };
        Arc::clone(watched)
            .look(Watched::reload)
            .await
            .unwrap_or(Ok(()))
    }

    /// Whether the files were right when they were last read.
    pub fn last_reload_ok(&self) -> bool {
        let watched = self.watched.as_ref();
        watched.is_none_or(|watched| watched.state().ok)
    }

    /// When files that were right were last read; `None` without a file.
    pub fn last_reload_success(&self) -> Option<SystemTime> {
        let watched = self.watched.as_ref()?;
        Some(watched.state().succeeded)
    }
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each field is right on its own, and nothing that panics runs while
        // it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` where blocking is allowed, one at a time. `None` when it
    /// was lost in a shutdown of the runtime.
    async fn look<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        // Goes along, so that one look that hangs does not become many.
        let looking = Arc::clone(&self.looking).lock_owned().await;
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&self);
            drop(looking);
            result
        });
        task.await.ok()
    }

    fn refresh(&self, now: Instant) {
        // Taken out, so that nobody waits for the file system with the lock.
        let mut files = std::mem::take(&mut self.state().files);
        let changed = files.changed();
        if !changed {
            let mut state = self.state();
            state.files = files;
            let settled = state
                .held
                .take_if(|(_, since)| now.duration_since(*since) >= SETTLE);
            if let Some((config, _)) = settled {
                state.take_up(config);
            }
            return;
        }
        let mut files = Files::default();
        let read = WebConfig::read(&self.path, &mut files);
        let mut state = self.state();
        state.files = files;
        match read {
            Ok(config) if config.is_weaker_than(&state.good) => {
                tracing::warn!(
                    file = %self.path.display(),
                    seconds = SETTLE.as_secs(),
                    "the web configuration was rewritten with less protection; it is taken up \
                     once it has stood for a moment"
                );
                state.held = Some((Arc::new(config), now));
            }
            Ok(config) => state.take_up(Arc::new(config)),
            Err(error) => {
                state.ok = false;
                state.held = None;
                tracing::error!(
                    %error,
                    "the rewritten web configuration is not usable; the last good one stays in \
                     force"
                );
            }
        }
    }

    fn reload(&self) -> Result<(), WebConfigError> {
        let mut files = Files::default();
        let read = WebConfig::read(&self.path, &mut files);
        let mut state = self.state();
        state.files = files;
        state.held = None;
        match read {
            Ok(config) => {
                state.take_up(Arc::new(config));
                Ok(())
            }
            Err(error) => {
                state.ok = false;
                Err(error)
            }
        }
    }
}

impl State {
    fn take_up(&mut self, config: Arc<WebConfig>) {
        tracing::info!(
            tls = config.tls().is_some(),
            users = config.users().len(),
            "web configuration read"
        );
        warn_about(&config);
        self.good = config;
        self.held = None;
        self.ok = true;
        self.succeeded = SystemTime::now();
    }
}

/// What is right by the toolkit's rules and still no good idea.
fn warn_about(config: &WebConfig) {
    if config.tls().is_none() && !config.users().is_empty() {
        tracing::warn!("basic auth without TLS: passwords cross the network in clear");
    }
    if config.rate_limit().is_some_and(|limit| limit.burst == 0) {
        tracing::warn!("rate_limit with burst 0 refuses every request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuWn8QsSBKXWzoQOB0UbwRKKLP2zVaIZa";

    fn users(names: &[&str]) -> String {
        let users: Vec<_> = names.iter().map(|name| format!("{name}: {HASH}")).collect();
        format!("basic_auth_users: {{{}}}", users.join(", "))
    }

    fn handle(path: &Path, text: &str) -> WebConfigHandle {
        fs::write(path, text).expect("written");
        WebConfigHandle::new(Some(path.to_owned())).expect("right")
    }

    #[tokio::test]
    async fn a_rewrite_is_taken_up_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        let handle = handle(&path, &users(&["alice"]));
        assert_eq!(handle.current().await.users().len(), 1);

        fs::write(&path, users(&["alice", "bob"])).expect("written");
        assert_eq!(handle.current().await.users().len(), 2);
        assert!(handle.last_reload_ok());

        for broken in ["basic_auth_users: {alice: short}", "junk", "x: 1"] {
            fs::write(&path, broken).expect("written");
            assert_eq!(handle.current().await.users().len(), 2, "{broken}");
            assert!(!handle.last_reload_ok(), "{broken}");
            assert!(handle.reload().await.is_err(), "{broken}");
        }
        fs::remove_file(&path).expect("removed");
        assert_eq!(handle.current().await.users().len(), 2);
        assert!(!handle.last_reload_ok());

        fs::write(&path, users(&["bob"])).expect("written");
        assert_eq!(handle.current().await.users().len(), 1);
        assert!(handle.last_reload_ok());
    }

    #[tokio::test]
    async fn protection_goes_only_when_the_file_has_settled_or_by_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        let handle = handle(&path, &users(&["alice"]));
        let watched = handle.watched.clone().expect("there is a file");

        fs::write(&path, "").expect("written");
        let start = Instant::now();
        watched.refresh(start);
        assert_eq!(handle.last_good().users().len(), 1);
        assert!(handle.last_reload_ok());
        // The writer goes on, and it was no emptying after all.
        fs::write(&path, users(&["alice", "bob"])).expect("written");
        watched.refresh(start + SETTLE);
        assert_eq!(handle.last_good().users().len(), 2);

        fs::write(&path, "").expect("written");
        watched.refresh(start);
        watched.refresh(start + SETTLE / 2);
        assert_eq!(handle.last_good().users().len(), 2);
        watched.refresh(start + SETTLE);
        assert!(handle.last_good().users().is_empty());

        fs::write(&path, users(&["alice"])).expect("written");
        watched.refresh(start);
        fs::write(&path, "").expect("written");
        handle.reload().await.expect("right");
        assert!(handle.last_good().users().is_empty());
    }

    #[tokio::test]
    async fn without_a_file_everything_stays_open() {
        let handle = WebConfigHandle::new(None).expect("nothing to read");
        assert!(handle.current().await.users().is_empty());
        assert!(handle.reload().await.is_ok());
        assert!(handle.last_reload_ok());
        assert_eq!(handle.last_reload_success(), None);
    }
}
