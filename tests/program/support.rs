//! The program as a process, the simulated API in this one, and a client.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use kernel_api_simulator::Options;
use reqwest::{Method, RequestBuilder, Response};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub(crate) use crate::api::{Api, world};
pub(crate) use crate::metrics::Metrics;

/// The key that the simulated API takes here. It must not come out anywhere.
pub(crate) const KEY: &str = "sk_front_door_Vq81kXw";

/// Nothing here takes that long; it ends a test that would wait for ever.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Polls until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

impl Api {
    /// One that takes [`KEY`].
    pub(crate) async fn with(options: Options) -> Self {
        let api_key = KEY.to_owned();
        Self::start(Options { api_key, ..options }).await
    }

    /// A small fleet whose clock stands still.
    pub(crate) async fn small() -> Self {
        Self::with(world(5)).await
    }

    /// These objects and no others, which were written at `written`: their
    /// times are moved by as many seconds as that is ago, which is told too.
    /// The API's clock is not believed where it is days off.
    pub(crate) async fn of(objects: &[&str], written: SystemTime) -> (Self, i64) {
        let written = jiff::Timestamp::try_from(written).unwrap();
        let ago = jiff::Timestamp::now().as_second() - written.as_second();
        let span = jiff::SignedDuration::from_secs(ago);
        let moved = |text: &&str| {
            // Every second part is within quotes.
            let parts = text
                .split('"')
                .map(|part| match part.parse::<jiff::Timestamp>() {
                    Ok(time) => time.checked_add(span).unwrap().to_string(),
                    Err(_) => part.to_owned(),
                });
            parts.collect::<Vec<_>>().join("\"")
        };
        let api = Self::with(Options {
            fixtures: Some(objects.iter().map(moved).collect()),
            start: Some(written.checked_add(span).unwrap().try_into().unwrap()),
            ..world(0)
        });
        (api.await, ago)
    }

    /// The exporter in front of it, on a free port.
    pub(crate) fn exporter(&self, arguments: &[&str]) -> Program {
        Program::exporter(&self.url, KEY, arguments)
    }

    /// `once` against it.
    pub(crate) async fn once(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["once"], arguments].concat();
        let env = [("KERNEL_BASE_URL", &*self.url), ("KERNEL_API_KEY", KEY)];
        Program::start(&arguments, &env).ended().await
    }
}

/// The program, running; it ends with the test.
pub(crate) struct Program {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Program {
    /// Nothing of this environment but what is named.
    pub(crate) fn start(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kernel-auth-exporter"))
            .args(arguments)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            stdout: Stream::read(child.stdout.take().unwrap()),
            stderr: Stream::read(child.stderr.take().unwrap()),
            child,
        }
    }

    /// The exporter of the API at `url`, on a free port unless told otherwise.
    pub(crate) fn exporter(url: &str, key: &str, arguments: &[&str]) -> Self {
        let mut arguments = arguments.to_vec();
        let named = |argument: &&str| argument.starts_with("--web.listen-address");
        if !arguments.iter().any(named) {
            arguments.push("--web.listen-address=127.0.0.1:0");
        }
        let env = [("KERNEL_BASE_URL", url), ("KERNEL_API_KEY", key)];
        Self::start(&arguments, &env)
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Lines of stderr with `text`, once there is one.
    pub(crate) async fn logged(&self, text: &str) -> Vec<String> {
        until(&format!("`{text}` in the log"), || {
            let log = self.stderr();
            let lines = log.lines().filter(|line| line.contains(text));
            let lines: Vec<_> = lines.map(str::to_owned).collect();
            (!lines.is_empty()).then_some(lines)
        })
        .await
    }

    /// Where it listens, once it listens at so many addresses.
    pub(crate) async fn addresses(&self, count: usize) -> Vec<String> {
        until("the program to listen", || {
            let log = self.stderr();
            // In either format of the log.
            let lines = log.lines().filter(|line| line.contains("\"listening\""));
            let addresses = lines.filter_map(|line| {
                let (_, rest) = line.split_once("address")?;
                let rest = rest.trim_start_matches(['=', '"', ':']);
                Some(rest.split([' ', '"']).next()?.to_owned())
            });
            let addresses: Vec<_> = addresses.collect();
            (addresses.len() == count).then_some(addresses)
        })
        .await
    }

    pub(crate) async fn address(&self) -> String {
        self.addresses(1).await.remove(0)
    }

    /// The text of a GET that must answer 200.
    pub(crate) async fn get(&self, path: &str) -> String {
        let response = get(&format!("{}{path}", self.address().await)).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    pub(crate) async fn scrape(&self) -> Metrics {
        Metrics::new(self.get("/metrics").await)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        // The shell's own: not every machine has the program.
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Nobody reads its log until this is dropped.
    pub(crate) async fn unread_log(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.stderr.held).lock_owned().await
    }

    /// Waits for its end, whoever reads what it wrote.
    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        self.status().await.code()
    }

    async fn status(&mut self) -> ExitStatus {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status.expect("it ends").unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = self.status().await;
        Ended {
            status,
            stdout: self.stdout.whole().await,
            stderr: self.stderr.whole().await,
        }
    }
}

/// What a program writes, as far as it has come.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Whoever has it keeps the reader from reading.
    held: Arc<tokio::sync::Mutex<()>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let held = Arc::new(tokio::sync::Mutex::new(()));
        let let_go = Arc::clone(&held);
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer).await {
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
                drop(let_go.lock().await);
            }
        });
        Self {
            bytes,
            held,
            reader,
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).expect("it writes UTF-8")
    }

    async fn whole(mut self) -> String {
        (&mut self.reader).await.unwrap();
        self.text()
    }
}

/// A request that no proxy of the environment sees.
pub(crate) fn request(method: Method, url: &str) -> RequestBuilder {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap();
    client.request(method, url)
}

pub(crate) async fn get(url: &str) -> Response {
    request(Method::GET, url).send().await.unwrap()
}
