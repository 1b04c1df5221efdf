//! What the routes go by: what a reload replaces, and what it does not.

use std::time::Duration;

use http::{HeaderMap, header};

use crate::collect::Watcher;
use crate::config::{ExternalUrl, Prefix};
use crate::exposition::{Options, negotiate};
use crate::model::{CollectorSet, States};

/// The scraper's own timeout, seconds with a fraction, as Prometheus sends it.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// No scraper is believed to wait longer than this.
const LONGEST_SCRAPE: f64 = 600.0;

/// What a reload replaces.
pub(crate) struct Reloadable {
    /// Fetches and holds the fleet.
    pub watcher: Watcher,
    /// Which families are shown.
    pub collectors: CollectorSet,
    /// Which states of an enum are shown.
    pub states: States,
    /// Taken off the scraper's timeout.
    pub timeout_offset: Duration,
}

/// What stays as it was started.
#[derive(Clone, Debug)]
pub(crate) struct StaticSettings {
    pub telemetry_path: String,
    /// What stands before every path.
    pub prefix: Prefix,
    /// Where others reach this server, where that was said.
    pub external_url: Option<ExternalUrl>,
    /// Scrapes, probes and discoveries at once; more get 503.
    pub max_requests: usize,
    /// Between two looks at the same page.
    pub refresh: Duration,
}

impl StaticSettings {
    /// Where the page of the fleet is, for those who come from outside.
    pub(super) fn home(&self) -> String {
        match &self.external_url {
            Some(url) => url.to_string(),
            None => format!("{}/", self.prefix.as_str()),
        }
    }
}

impl Reloadable {
    /// How long a scrape may take: the scraper's own timeout less the offset.
    /// An offset that would eat the whole timeout is halved until it does not.
    pub(super) fn budget(&self, headers: &HeaderMap) -> Duration {
        let named = headers
            .get(SCRAPE_TIMEOUT)
            .and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok())
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST_SCRAPE)));
        let Some(timeout) = named else {
            return self.watcher.settings.timeout;
        };
        let mut offset = self.timeout_offset;
        while offset >= timeout && !offset.is_zero() {
            offset /= 2;
        }
        timeout.saturating_sub(offset)
    }

    pub(super) fn options(&self, collectors: CollectorSet, headers: &HeaderMap) -> Options {
        let accepted = |name| {
            // Several lines are one list (RFC 9110 section 5.3).
            let lines = headers.get_all(name).iter();
            let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
            (!lines.is_empty()).then(|| lines.join(","))
        };
        Options {
            collectors,
            states: self.states,
            format: negotiate::format(accepted(header::ACCEPT).as_deref()),
            gzip: negotiate::gzip(accepted(header::ACCEPT_ENCODING).as_deref()),
        }
    }
}
