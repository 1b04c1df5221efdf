//! The web configuration of a running server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use super::config::WebConfig;
use super::error::WebConfigError;
use super::files::Files;

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
/// certificates is taken up once it has been like that for two seconds: the
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
    /// Held while the files are looked at, which may block; when that began
    /// last.
    looking: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

struct State {
    good: Arc<WebConfig>,
    /// What `good` or the last broken attempt has read.
    files: Files,
    /// Since when the files are right, but weaker.
    weaker_since: Option<Instant>,
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
            weaker_since: None,
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
            let look = Arc::clone(watched).look();
            // Too slow a file system: what was read last has to do.
            let _ = tokio::time::timeout(PATIENCE, look).await;
        }
        self.last_good()
    }

    /// What was right when it was last read.
    pub fn last_good(&self) -> Arc<WebConfig> {
        match &self.watched {
            Some(watched) => Arc::clone(&watched.state.lock().good),
            None => Arc::clone(&self.fixed),
        }
    }

    /// Reads the files now and takes up what they say, whatever it is, if it
    /// is right. On an error nothing changes but [`Self::last_reload_ok`].
    pub async fn reload(&self) -> Result<(), WebConfigError> {
        let Some(watched) = &self.watched else {
            return Ok(());
        };
        let looking = Arc::clone(&watched.looking).lock_owned().await;
        let watched = Arc::clone(watched);
        let task = tokio::task::spawn_blocking(move || {
            let _looking = looking;
            watched.reload()
        });
        // Lost in a shutdown of the runtime only.
        task.await.unwrap_or(Ok(()))
    }

    /// Whether the files were right when they were last read.
    pub fn last_reload_ok(&self) -> bool {
        let watched = self.watched.as_ref();
        watched.is_none_or(|watched| watched.state.lock().ok)
    }

    /// When files that were right were last read; `None` without a file.
    pub fn last_reload_success(&self) -> Option<SystemTime> {
        let watched = self.watched.as_ref()?;
        Some(watched.state.lock().succeeded)
    }
}

impl Watched {
    /// Looks at the files where blocking is allowed, one at a time. Whoever had
    /// to wait while another look began and ended is served by that one.
    async fn look(self: Arc<Self>) {
        let asked = Instant::now();
        // Goes along, so that one look that hangs does not become many.
        let mut looking = Arc::clone(&self.looking).lock_owned().await;
        if looking.is_some_and(|begun| begun >= asked) {
            return;
        }
        let watched = Arc::clone(&self);
        let task = tokio::task::spawn_blocking(move || {
            let now = Instant::now();
            *looking = Some(now);
            watched.refresh(now)
        });
        // Lost in a shutdown of the runtime only.
        if task.await.unwrap_or(false) {
            // Also where nobody asks: until somebody does it may be back for long.
            tokio::spawn(async move {
                tokio::time::sleep(SETTLE).await;
                let _looking = Arc::clone(&self.looking).lock_owned().await;
                tokio::task::spawn_blocking(move || self.refresh(Instant::now())).await
            });
        }
    }

    /// Whether the files have become weaker and are to be looked at again.
    fn refresh(&self, now: Instant) -> bool {
        // Taken out, so that nobody waits for the file system with the lock.
        let files = std::mem::take(&mut self.state.lock().files);
        if !files.changed() {
            let mut state = self.state.lock();
            state.files = files;
            // Weaker for a moment, and back.
            state.weaker_since = None;
            return false;
        }
        let mut read = Files::default();
        let config = WebConfig::read(&self.path, &mut read);
        let mut state = self.state.lock();
        match config {
            Ok(config) if config.is_weaker_than(&state.good) && !state.has_settled(now) => {
                // Still counts as changed, and so is looked at again.
                state.files = files;
                return state.weaker_since == Some(now);
            }
            Ok(config) => state.take_up(config, read),
            Err(error) => {
                state.fail(read);
                tracing::error!(
                    %error,
                    "the rewritten web configuration cannot be used; the last good one stays in \
                     force"
                );
            }
        }
        false
    }

    fn reload(&self) -> Result<(), WebConfigError> {
        let mut files = Files::default();
        let config = WebConfig::read(&self.path, &mut files);
        let mut state = self.state.lock();
        match config {
            Ok(config) => {
                state.take_up(config, files);
                Ok(())
            }
            Err(error) => {
                state.fail(files);
                Err(error)
            }
        }
    }
}

impl State {
    /// Whether weaker files have been so for long enough.
    fn has_settled(&mut self, now: Instant) -> bool {
        if let Some(since) = self.weaker_since {
            return now.saturating_duration_since(since) >= SETTLE;
        }
        self.weaker_since = Some(now);
        tracing::warn!(
            seconds = SETTLE.as_secs(),
            "the web configuration was rewritten with less protection; it is taken up if it stays \
             like that"
        );
        false
    }

    fn take_up(&mut self, config: WebConfig, files: Files) {
        let (tls, users) = (config.has_tls(), config.user_count());
        tracing::info!(tls, users, "web configuration read");
        warn_about(&config);
        *self = Self {
            good: Arc::new(config),
            files,
            weaker_since: None,
            ok: true,
            succeeded: SystemTime::now(),
        };
    }

    fn fail(&mut self, files: Files) {
        self.files = files;
        self.weaker_since = None;
        self.ok = false;
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

    #[tokio::test(start_paused = true)]
    async fn what_is_weaker_is_looked_at_again_where_nobody_asks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        let handle = handle(&path, &users(&["alice"]));
        let watched = handle.watched.clone().expect("there is a file");
        let is_weaker = || watched.state.lock().weaker_since.is_some();

        fs::write(&path, "").expect("written");
        assert_eq!(handle.current().await.users().len(), 1);
        assert!(is_weaker());
        fs::write(&path, users(&["alice"])).expect("written");
        for _ in 0..10 {
            tokio::time::sleep(SETTLE).await;
        }
        assert!(!is_weaker(), "emptied once more, it would be at once");
    }
}
