//! The log: one line per event to stderr, logfmt or JSON, the same keys in
//! both: `ts`, `level`, `msg`, then the event's own fields.
//!
//! Strangers have a hand in it, so nothing waits for its reader (`queue`), its
//! texts pass [`redact`](crate::redact) (`line`), and what can be said again and
//! again is said once a minute (`seldom`).

mod capture;
mod line;
mod queue;
mod seldom;

pub(crate) use capture::capture;

use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::panic;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::line::Fields;
use self::queue::Queue;
use self::seldom::Seldom;
use crate::config::{Log, LogFormat};

/// How long the end of the program may wait for a reader of the log.
const FLUSH: Duration = Duration::from_secs(1);

/// The crates that know what a line of theirs costs.
const OURS: [&str; 3] = [
    "exporter_toolkit",
    "kernel_api_simulator",
    "kernel_auth_exporter",
];

static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Starts logging, once per process; later calls change nothing.
///
/// Our own events from the level that was asked for. Of the libraries warnings
/// at most: their debug output shows requests, and with them the key.
pub(crate) fn init(log: &Log) {
    let targets = Targets::new().with_default(log.level.min(LevelFilter::WARN));
    let targets = OURS.iter().fold(targets, |targets, ours| {
        targets.with_target(*ours, log.level)
    });
    let format = log.format;
    let queue = QUEUE.get_or_init(|| Queue::start(io::stderr(), move |count| lost(format, count)));
    let lines = Lines {
        format,
        queue: Arc::clone(queue),
        seldom: Seldom::default(),
        kinds: RandomState::new(),
    };
    // A test harness may have started logging already.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init();
    // The standard one waits for the reader of stderr.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(tracing::field::display);
        let error = panic.payload_as_str().unwrap_or_default();
        tracing::error!(error, place, "panicked; this is a bug");
    }));
}

/// Lines that no reader took, since the start.
pub(crate) fn dropped_lines() -> u64 {
    QUEUE.get().map_or(0, |queue| queue.dropped())
}

/// Waits a moment for what is still to be written.
pub(crate) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH);
    }
}

/// An error for whoever started the program: plain words, or an object where the
/// log is to be read by programs. Waits a moment for it to be written.
pub(crate) fn complain(format: LogFormat, error: &str) {
    let line = match format {
        LogFormat::Logfmt => format!("error: {error}\n"),
        LogFormat::Json => {
            let fields = Fields {
                message: error.to_owned(),
                ..Fields::default()
            };
            line::write(format, jiff::Timestamp::now(), Level::ERROR, &fields)
        }
    };
    match QUEUE.get() {
        Some(queue) => queue.push(line),
        // Nobody is there to be told that this failed.
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
    flush();
}

/// Makes lines of events.
struct Lines {
    format: LogFormat,
    queue: Arc<Queue>,
    seldom: Seldom,
    kinds: RandomState,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let is_ours = OURS.contains(&crate_name);
        let mut left_out = 0;
        let mut may = |text: Option<&Fields>| {
            let kind = self.kinds.hash_one((metadata.callsite(), text));
            let may = self.seldom.may(kind, Instant::now());
            left_out = may.unwrap_or_default();
            may.is_some()
        };
        // Of libraries one line of each place in their code, before it costs
        // anything; of ours the same warning.
        if !is_ours && !may(None) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        if is_ours && *metadata.level() == Level::WARN && !may(Some(&fields)) {
            return;
        }
        if left_out > 0 {
            fields.others.push(("left_out", Value::from(left_out)));
        }
        let now = jiff::Timestamp::now();
        let line = line::write(self.format, now, *metadata.level(), &fields);
        self.queue.push(line);
    }
}

/// The line that says how many are missing.
fn lost(format: LogFormat, count: u64) -> String {
    let fields = Fields {
        message: "nobody read the log in time; lines are missing".to_owned(),
        others: vec![("lines", Value::from(count))],
    };
    line::write(format, jiff::Timestamp::now(), Level::WARN, &fields)
}
