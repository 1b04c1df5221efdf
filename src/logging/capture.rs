//! What is logged while something runs, for whoever asked to see it.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::line::{self, Fields};
use crate::config::LogFormat;

/// What is kept, in bytes; lines after it are only in the log.
const LIMIT: usize = 64 * 1024;

/// Runs `future`, and keeps the lines that it logs at debug level or above. The
/// log gets what its own level lets it have, as ever.
pub(crate) async fn capture<F: Future>(future: F) -> (F::Output, String) {
    let lines = Arc::new(Mutex::new(String::new()));
    let tee = Tee {
        lines: Arc::clone(&lines),
        log: tracing::dispatcher::get_default(Dispatch::clone),
    };
    let subscriber = tracing_subscriber::registry().with(tee);
    let output = future.with_subscriber(subscriber).await;
    let lines = std::mem::take(&mut *lines.lock());
    (output, lines)
}

struct Tee {
    lines: Arc<Mutex<String>>,
    log: Dispatch,
}

/// Libraries show requests at debug level, and with them the key.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("kernel_auth_exporter") && *metadata.level() <= Level::DEBUG
}

impl<S: Subscriber> Layer<S> for Tee {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) || *metadata.level() <= Level::WARN {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if is_ours(metadata) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let mut lines = self.lines.lock();
            if lines.len() < LIMIT {
                let (now, level) = (jiff::Timestamp::now(), *metadata.level());
                lines.push_str(&line::write(LogFormat::Logfmt, now, level, &fields));
            }
        }
        if self.log.enabled(metadata) {
            self.log.event(event);
        }
    }
}
