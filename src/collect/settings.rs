//! What collections go by.

use std::time::Duration;

use crate::model::{ProfileNameMode, Projects, Selection, Timestamp};

/// How collections are made, the same for every account.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `--kernel.timeout`: what a collection may take, unless the scraper
    /// gives it longer.
    pub timeout: Duration,
    /// `--kernel.cache`: within this age, scrapes share one collection.
    pub cache: Duration,
    /// `--kernel.hold`: how long the last known state is served while the API
    /// fails.
    pub hold: Duration,
    /// `--kernel.concurrency`: pages of one walk that are fetched at once.
    pub concurrency: usize,
    /// `--kernel.max-connections`: more is an error.
    pub max_connections: usize,
    /// `--kernel.probe-requests`: requests a minute that probes may cost.
    pub probe_requests: usize,
    /// `--metrics.profile-name`.
    pub profile_names: ProfileNameMode,
    /// `--kernel.timeline-requests`, where `--collector.timeline` is on:
    /// requests for timelines after one collection of a scope.
    pub timeline_requests: Option<usize>,
    /// When this program started, or read its configuration again, on this
    /// machine's clock. Of what it watches only since then, nothing older is
    /// counted.
    pub started: Timestamp,
    /// `--collector.org`: whether to ask about the organisation as well.
    pub org: bool,
}

/// One account, as configured.
#[derive(Clone, Debug)]
pub(crate) struct AccountSettings {
    /// Label `account`.
    pub name: Option<Box<str>>,
    /// Where to look.
    pub projects: Projects,
    /// What for.
    pub selection: Selection,
}
