//! What benchmarks and fuzz targets need of the inside; not part of any
//! promise, and only there with the feature `testing`.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::Body as _;
use secrecy::SecretString;

use crate::collect::{self, AccountSettings, Watcher};
use crate::exposition::negotiate::Escaping;
use crate::exposition::{Blocks, Exposition, Format, Options, Own, render};
use crate::kernel::{Client, ClientSettings, Decoder, Http, Key, Observer};
use crate::model::{
    AccountView, AuthStatus, Connection, CredentialKind, Endpoint, ErrorReason, Field, Fleet, Flow,
    FlowStatus, FlowStep, FlowType, LabelBlock, ProfileNameMode, Projects, ReauthReason,
    RetryReason, Scope, ScopeView, Selection, Settings, Snapshot, States, Timestamp, WaitReason,
};

const NOW: Timestamp = Timestamp::from_micros(1_795_341_600_250_000);

/// The ways to write a fleet that are measured.
pub const WAYS: [&str; 6] = [
    "text 0.0.4",
    "text 1.0.0",
    "openmetrics 1.0.0",
    "text 0.0.4, active states",
    "text 0.0.4, gzip",
    "text 0.0.4, gzip, nothing changed",
];

fn options(way: &str) -> Options {
    let plain = Options::default();
    let with = |format| Options { format, ..plain };
    match way {
        "text 1.0.0" => with(Format::Text100(Escaping::AllowUtf8)),
        "openmetrics 1.0.0" => with(Format::OpenMetrics100(Escaping::AllowUtf8)),
        "text 0.0.4, active states" => Options {
            states: States::Active,
            ..plain
        },
        "text 0.0.4, gzip" | "text 0.0.4, gzip, nothing changed" => Options {
            gzip: true,
            ..plain
        },
        _ => plain,
    }
}

/// A fleet to write.
pub struct Written(Arc<Fleet>, Arc<Blocks>);

impl Written {
    /// So many connections, alike but not the same.
    pub fn of(connections: usize) -> Self {
        Self(fleet(connections), Arc::default())
    }

    /// Its whole text, not compressed.
    pub fn text(&self, way: &str) -> Vec<u8> {
        render(&self.0, &Own::default(), NOW, options(way))
    }

    /// Reads the body to its end, as a connection does, and gives its length.
    pub fn drain(&self, way: &str) -> usize {
        let options = options(way);
        let mut body = Exposition::body(Arc::clone(&self.0), Own::default(), NOW, options, &self.1);
        let mut context = Context::from_waker(Waker::noop());
        let mut length = 0;
        loop {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    length += frame.data_ref().map_or(0, bytes::Bytes::len);
                    black_box(frame);
                }
                Poll::Ready(None) => return length,
                Poll::Pending => {}
                Poll::Ready(Some(Err(never))) => match never {},
            }
        }
    }
}

fn pick<T: Copy>(all: &[T], index: usize) -> T {
    all[index % all.len()]
}

fn connection(index: usize, scope: &Scope, scratch: &mut String) -> Connection {
    let ago = |seconds: usize| {
        let seconds = i64::try_from(seconds).expect("a few hours");
        Some(Timestamp::from_micros(
            NOW.as_micros() - seconds * 1_000_000 - 67_000,
        ))
    };
    Connection {
        labels: LabelBlock::new(
            &format!("{:024x}", index * 0x9e37_79b9_7f4a),
            &format!("site-{}.example.com", index % 400),
            Some(&format!("customer-{index}")),
            scope,
            scratch,
        ),
        status: pick(
            &[AuthStatus::Authenticated, AuthStatus::NeedsAuth],
            index / 7,
        ),
        last_auth_at: ago(index % 3600),
        last_auth_check_at: ago(index % 3600),
        flow: Flow {
            status: pick(FlowStatus::ALL, index / 3),
            step: pick(FlowStep::ALL, index / 5),
            kind: pick(FlowType::ALL, index / 11),
            expires_at: ago(index % 86_400),
            error_code: None,
            website_error: None,
            pending: [None; 5],
        },
        can_reauth: Some(index.is_multiple_of(3)),
        can_reauth_reason: Some(pick(ReauthReason::ALL, index)),
        settings: Settings {
            health_check_interval: Some(3600),
            health_checks: Some(true),
            auto_reauth: Some(true),
            save_credentials: Some(index.is_multiple_of(2)),
            record_session: Some(false),
            health_check_unavailable: None,
            credential: Some(pick(CredentialKind::ALL, index)),
            allowed_domains: None,
            sso_provider: None,
        },
        history: None,
    }
}

/// So many connections of one project.
pub(crate) fn fleet(connections: usize) -> Arc<Fleet> {
    let scope = Scope::new(None, Some("proj_bench"));
    let mut scratch = String::new();
    let connections = (0..connections)
        .map(|index| connection(index, &scope, &mut scratch))
        .collect();
    Arc::new(Fleet {
        accounts: vec![AccountView::default()],
        scopes: vec![ScopeView {
            scope: Arc::new(scope),
            project_name: None,
            failure: None,
            snapshot: Some(Arc::new(Snapshot {
                fetched_at: NOW,
                took: std::time::Duration::from_secs(2),
                connections,
                ..Snapshot::default()
            })),
        }],
    })
}

/// Decodes a page of the API; gives the number of its rows.
pub fn decode(page: &[u8]) -> usize {
    let (scope, selection) = (Scope::default(), Selection::default());
    let decoder = Decoder {
        scope: &scope,
        profile_names: ProfileNameMode::Keep,
        selection: &selection,
        marks: false,
    };
    decoder.list(page).map_or(0, |listing| listing.rows)
}

/// Tries a target of `fuzz/` on these bytes; panics where something does not
/// hold that must.
pub fn fuzz(target: &str, input: &[u8]) {
    let mut targets = crate::fuzz::TARGETS.iter();
    let (_, run) = targets
        .find(|(name, _)| *name == target)
        .expect("a name of src/fuzz.rs");
    run(input);
}

/// A collector of every connection.
pub struct Collecting(Watcher);

impl Collecting {
    /// Of the API at `base_url`, with the simulated API's key.
    pub fn new(base_url: String, key: &str) -> Self {
        let settings = ClientSettings {
            base_url,
            is_loopback: true,
            concurrency: 8,
            ca_file: None,
        };
        let http = Http::new(&settings, Arc::new(NoObserver)).expect("a client");
        let key = Key::new(&SecretString::from(key), None).expect("a key");
        let account = AccountSettings {
            name: None,
            projects: Projects::Unscoped,
            selection: Selection::default(),
        };
        let settings = collect::Settings {
            timeline_requests: None,
            started: Timestamp::from_micros(0),
            org: false,
            timeout: Duration::from_mins(1),
            cache: Duration::ZERO,
            hold: Duration::from_mins(5),
            concurrency: 8,
            max_connections: 250_000,
            probe_requests: 600,
            profile_names: ProfileNameMode::Keep,
        };
        let client = Client::new(Arc::new(http), key, 1.0);
        Self(Watcher::new(settings, vec![(account, client)], None))
    }

    /// Collects once; whether all came.
    pub async fn collect(&self) -> bool {
        let request = collect::Request::everything(Duration::from_mins(1));
        self.0.collect(request).await.is_whole()
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
struct NoObserver;

impl Observer for NoObserver {
    fn request(&self, _: Endpoint, _: Option<u16>, _: Duration) {}
    fn error(&self, _: ErrorReason) {}
    fn retry(&self, _: RetryReason) {}
    fn waited(&self, _: WaitReason, _: Duration) {}
    fn unknown_value(&self, _: Field, _: u64) {}
}
