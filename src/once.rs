//! `once`: one collection, printed.

mod json;
mod table;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus::proto::MetricFamily;
use thiserror::Error;

use crate::app::{self, StartError};
use crate::cli::{OnceArgs, OnceFormat};
use crate::collect::Request;
use crate::config::Config;
use crate::exposition::{self, Format, Options, Own};
use crate::logging;
use crate::model::{Collector, ScrapeOutcome, Timestamp};
use crate::output;

/// Why nothing was printed.
#[derive(Debug, Error)]
pub(crate) enum OnceError {
    #[error(transparent)]
    Start(#[from] StartError),
    /// It could not be written.
    #[error("{place}: {error}")]
    Write {
        /// Where to.
        place: String,
        /// What the system said.
        error: io::Error,
    },
}

/// How long a collection that has no time left is waited for.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Collects and prints; whether the API answered fully.
pub(crate) async fn run(config: &Config, args: &OnceArgs) -> Result<bool, OnceError> {
    let output = args.output.as_deref();
    let output = output.filter(|path| *path != Path::new("-"));
    let unwritten = |error| OnceError::Write {
        place: output.map_or_else(|| "stdout".to_owned(), |path| path.display().to_string()),
        error,
    };
    output
        .map_or(Ok(()), output::has_directory)
        .map_err(unwritten)?;
    let telemetry = app::telemetry(config);
    let live = app::reloadable(config, &telemetry, &mut app::Upstream::default(), None)?;
    let begun = tokio::time::Instant::now();
    let timeout = live.watcher.settings.timeout;
    let collected = live.watcher.collect(Request::everything(timeout)).await;
    telemetry.scrape(collected.outcome, begun.elapsed());
    let whole = collected.is_whole() && collected.outcome == ScrapeOutcome::Fresh;
    let mut fleet = collected.fleet;
    let later = [Collector::Timeline, Collector::Org];
    if !whole {
        // What runs out of time tells so a moment after it.
        live.watcher.settle(begun + timeout + A_MOMENT).await;
        fleet = Arc::new(live.watcher.last());
    } else if later.iter().any(|each| live.collectors.has(*each)) {
        // What a scrape does not wait for, since there is no next one.
        live.watcher.settle(begun + timeout).await;
        fleet = Arc::new(live.watcher.last());
    }
    let unread = live.watcher.timelines_pending();
    if unread > 0 {
        tracing::warn!(
            unread,
            "timelines are left unread; --kernel.timeline-requests is how many are read"
        );
    }
    // The log has said why.
    let whole = whole && !live.watcher.timelines_fail();
    let now = Timestamp::from(SystemTime::now());
    let text = match args.format {
        OnceFormat::Table => {
            let look = table::Look {
                colour: output.is_none()
                    && io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
                room: if args.wide || output.is_some() {
                    None
                } else {
                    room()
                },
            };
            table::render(&fleet, now, look).into_bytes()
        }
        OnceFormat::Json => json::render(&fleet, now, whole),
        OnceFormat::Text => {
            let options = Options {
                collectors: live.collectors,
                states: live.states,
                format: Format::default(),
                gzip: false,
            };
            let own = if args.disable_exporter_metrics {
                Own::default()
            } else {
                let gathered = telemetry.gather().into_iter();
                Own {
                    gathered: gathered.filter(is_not_of_the_process).collect(),
                    config_load: Some((true, now)),
                    timelines_pending: Some(unread),
                    log_dropped: Some(logging::dropped_lines()),
                    ceilings: Some(live.watcher.ceilings()),
                    probe: None,
                }
            };
            exposition::render(&fleet, &own, now, options)
        }
    };
    let written = output.map_or_else(|| output::print(&text), |path| output::write(path, &text));
    written.map_err(unwritten)?;
    Ok(whole)
}

/// Cells of a line: what `COLUMNS` says, else the terminal; `None` into a pipe.
fn room() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|text| text.parse().ok());
    let terminal = || terminal_size::terminal_size_of(io::stdout());
    said.filter(|columns| *columns > 0)
        .or_else(|| terminal().map(|(width, _)| usize::from(width.0)))
}

/// The textfile collector serves the text beside the `process_` families of
/// its own process, so those of this short one stay out.
fn is_not_of_the_process(family: &MetricFamily) -> bool {
    !family.name().starts_with("process_")
}
