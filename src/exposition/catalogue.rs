//! The one list of every family that the exporter can emit.
//!
//! The writer, [`crate::telemetry`], `docs/metrics.md`, dashboards and rules
//! take names, types and labels from here and from nowhere else.

mod connection;
mod fleet;
mod org;
mod own;
mod timeline;

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::proto::MetricFamily;

pub(crate) use self::own::CODES;
use crate::model::{AccountView, Collector, Connection, ScopeView, Timestamp, vocabulary};

/// A family: everything about it but its samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// As samples in text format 0.0.4 carry it: counters end in `_total`.
    pub name: &'static str,
    /// What the value means, one line.
    pub help: &'static str,
    /// What may be done with the value.
    pub kind: Kind,
    /// Which switch turns it off; `None` where none does.
    pub collector: Option<Collector>,
    /// What the value is about, which gives the labels that all families of
    /// the same subject share.
    pub subject: Subject,
    /// The labels beside those of [`Self::subject`].
    pub labels: &'static [Label],
    pub(super) source: Source,
}

vocabulary! {
    /// The type of a family, as `# TYPE` spells it in every format.
    Kind {
        /// Goes up and down.
        Gauge = "gauge",
        /// Only goes up, and starts at 0 with the process.
        Counter = "counter",
        /// Counts of observations by size.
        Histogram = "histogram",
    }
}

/// A label of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub name: &'static str,
    /// Every value it can have, or `None` where the fleet decides.
    pub values: Option<&'static [&'static str]>,
    /// Whether some configurations leave it out.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the documentation and tests")
    )]
    pub optional: bool,
}

impl Label {
    const fn of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Some(values),
            optional: false,
        }
    }

    const fn open(name: &'static str) -> Self {
        Self {
            name,
            values: None,
            optional: false,
        }
    }

    const fn optional(name: &'static str) -> Self {
        Self {
            name,
            values: None,
            optional: true,
        }
    }
}

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Connection,
    /// A connection that the configuration names by id.
    ConfiguredConnection,
    /// An account and a project of it.
    Scope,
    Account,
    /// This process.
    Exporter,
    /// One answer of `/probe`.
    Probe,
}

impl Subject {
    /// The labels that every family about this has.
    pub(crate) const fn labels(self) -> &'static [Label] {
        const PROJECT: Label = Label::optional("project");
        const ACCOUNT: Label = Label::optional("account");
        const ID: Label = Label::open("connection_id");
        const DOMAIN: Label = Label::open("domain");
        const PROFILE: Label = Label::optional("profile_name");
        match self {
            Self::Connection => &[ID, DOMAIN, PROFILE, PROJECT, ACCOUNT],
            Self::ConfiguredConnection => &[ID, PROJECT, ACCOUNT],
            Self::Scope => &[PROJECT, ACCOUNT],
            Self::Account => &[ACCOUNT],
            Self::Exporter | Self::Probe => &[],
        }
    }
}

impl Family {
    /// Every label, those of the subject first.
    pub(crate) fn all_labels(&self) -> impl Iterator<Item = &'static Label> {
        self.subject.labels().iter().chain(self.labels)
    }

    /// The name as OpenMetrics gives it in `# TYPE`: a counter's without
    /// `_total`.
    pub(crate) fn open_metrics_name(&self) -> &'static str {
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Gauge | Kind::Histogram => self.name,
        }
    }

    /// The unit: the last word of [`Self::open_metrics_name`], where it is one.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let (_, last) = self.open_metrics_name().rsplit_once('_')?;
        matches!(last, "seconds" | "bytes").then_some(last)
    }

    /// Whether its lines stay as they are while the connections do: those of
    /// ages and of times left change with the clock.
    pub(super) fn lasts(&self) -> bool {
        let of_connections = matches!(self.source, Source::Connection(_));
        let moves = self.name.ends_with("_age_seconds") || self.name.ends_with("_in_seconds");
        of_connections && !moves
    }

    /// Whether the exporter's registry has it.
    #[cfg(test)]
    pub(crate) const fn is_gathered(&self) -> bool {
        matches!(self.source, Source::Gathered)
    }

    /// The names of its samples: what a query can ask for.
    #[cfg(test)]
    pub(crate) fn sample_names(&self) -> Vec<String> {
        match self.kind {
            Kind::Gauge | Kind::Counter => vec![self.name.to_owned()],
            Kind::Histogram => ["_bucket", "_sum", "_count"]
                .map(|suffix| format!("{}{suffix}", self.name))
                .into(),
        }
    }

    const fn new(
        kind: Kind,
        name: &'static str,
        subject: Subject,
        help: &'static str,
        source: Source,
    ) -> Self {
        Self {
            name,
            help,
            kind,
            collector: None,
            subject,
            labels: &[],
            source,
        }
    }

    const fn collector(mut self, collector: Collector) -> Self {
        self.collector = Some(collector);
        self
    }

    const fn labels(mut self, labels: &'static [Label]) -> Self {
        self.labels = labels;
        self
    }
}

/// What an answer says beside the fleet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// The exporter's counters and histograms, as the `prometheus` crate
    /// gathers them.
    pub gathered: Vec<MetricFamily>,
    /// Whether the latest load of the configuration succeeded, and when one
    /// last did.
    pub config_load: Option<(bool, Timestamp)>,
    /// Connections whose timeline is still to be read.
    pub timelines_pending: Option<usize>,
    /// Lines of the log that no reader took.
    pub log_dropped: Option<u64>,
    /// Collections of a scope, and requests of probes, that there may be in a
    /// minute.
    pub ceilings: Option<(usize, usize)>,
    /// Where this answers `/probe`: whether the connection was fetched now, and
    /// how long that took.
    pub probe: Option<(bool, Duration)>,
}

/// Where a family's samples come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Connection(ConnectionValue),
    /// Whether each configured id was found.
    Found,
    Scope(fn(&ScopeView, Put<'_>)),
    Account(fn(&AccountView, Put<'_>)),
    /// The exporter's own state, or what `/probe` found.
    Own(fn(&Own) -> Option<Value>),
    /// The exporter's registry.
    Gathered,
}

/// Takes a sample: the value of the family's own label, empty where it has none,
/// and the sample's value. Without one there is no sample.
pub(super) type Put<'a> = &'a mut dyn FnMut(&str, Option<Value>);

/// How a family reads a connection. An index is that of a value of the
/// family's own label (of several labels, of a combination of values, the last
/// label's changing fastest). The time is that of rendering, on the API's
/// clock.
#[derive(Clone, Copy, Debug)]
pub(super) enum ConnectionValue {
    /// A series for each value of the label: 1 for the one that holds, 0 for
    /// the others.
    State(fn(&Connection) -> usize),
    /// One series, with the value of the label that holds: 1.
    Fact(fn(&Connection) -> Option<usize>),
    /// A series for each index that has a count.
    Counts(fn(&Connection, Timestamp, usize) -> Option<u64>),
    /// A series for each index that has a count; with
    /// `--metrics.states=active` only where that is not 0.
    Events(fn(&Connection, usize) -> Option<u64>),
    /// 0 or 1.
    Flag(fn(&Connection, Timestamp) -> Option<bool>),
    /// Any other number.
    Number(fn(&Connection, Timestamp) -> Option<Value>),
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Integer(u64),
    /// Seconds, kept as microseconds.
    Micros(i64),
    Float(f64),
}

impl Value {
    const ONE: Self = Self::Integer(1);

    fn flag(is: bool) -> Self {
        Self::Integer(u64::from(is))
    }

    fn at(time: Timestamp) -> Self {
        Self::Micros(time.as_micros())
    }

    /// From `earlier` to `later`, rounded down. More digits would cost
    /// Prometheus four times the bytes and tell nobody anything.
    fn whole_seconds(earlier: Timestamp, later: Timestamp) -> Self {
        const SECOND: i64 = 1_000_000;
        let micros = later.as_micros().saturating_sub(earlier.as_micros());
        Self::Micros(micros.div_euclid(SECOND).saturating_mul(SECOND))
    }
}

/// Every family, in the order of the output: what is about the whole fleet
/// first, so that it can be read without scrolling past the connections.
pub(crate) fn families() -> &'static [Family] {
    static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
        [
            fleet::FAMILIES,
            connection::FAMILIES,
            timeline::FAMILIES,
            org::FAMILIES,
            own::FAMILIES,
        ]
        .concat()
    });
    &FAMILIES
}

/// The family of this name.
pub(crate) fn family(name: &str) -> Option<&'static Family> {
    families().iter().find(|family| family.name == name)
}

#[cfg(test)]
mod tests;
