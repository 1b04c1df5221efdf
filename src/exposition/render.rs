//! The writer: one for all formats, which differ in a family's head and in the
//! last line.
//!
//! A line of a connection is copied from three texts that exist already: the
//! family's name, the connection's labels (escaped when the snapshot was
//! made), and the rest of the line (prepared once for each value of the
//! family's own label). Only timestamps and ages are formatted.

use prometheus::proto::MetricFamily;

use super::catalogue::{
    self, ConnectionValue, Family, Kind, Label, Source, Subject, Unit, Value, families,
};
use super::{CHUNK_BYTES, Options, number, registry};
use crate::model::{
    AuthStatus, Connection, Fleet, Snapshot, States, Timestamp, bound_label, escape_label_into,
};

/// How far the text is written. Goes on where it stopped.
#[derive(Debug)]
pub(super) struct Renderer {
    now: Timestamp,
    options: Options,
    /// Index among [`families`]; one past them is the end of the text.
    family: usize,
    /// The family at `family`, once it is begun.
    begun: Option<Lines>,
    /// Index of the scope, or of the account.
    outer: usize,
    /// Index within the scope.
    inner: usize,
    scratch: String,
    /// Only what is about the connection and the probe.
    probe: bool,
}

impl Renderer {
    pub(super) fn new(now: Timestamp, options: Options) -> Self {
        Self {
            now,
            options,
            family: 0,
            begun: None,
            outer: 0,
            inner: 0,
            scratch: String::new(),
            probe: false,
        }
    }

    pub(super) fn of_probe(now: Timestamp, options: Options) -> Self {
        Self {
            probe: true,
            ..Self::new(now, options)
        }
    }

    fn wants(&self, family: &Family) -> bool {
        let subject = match family.subject {
            Subject::Connection | Subject::ConfiguredConnection | Subject::Probe => true,
            Subject::Scope | Subject::Account | Subject::Exporter => !self.probe,
        };
        subject
            && family
                .collector
                .is_none_or(|collector| self.options.collectors.has(collector))
    }

    /// Appends to `out` until it holds `limit` bytes or the text is complete,
    /// which is `true`. One connection's lines of one family are not split, so
    /// `out` can become longer by those.
    ///
    /// `fleet` and `own` are the same at each call.
    pub(super) fn fill(
        &mut self,
        fleet: &Fleet,
        own: &[MetricFamily],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        while let Some(family) = families().get(self.family) {
            if self.wants(family) {
                let mut lines = self
                    .begun
                    .take()
                    .unwrap_or_else(|| Lines::new(family, self.options));
                if !self.write(&mut lines, family, fleet, own, out, limit) {
                    self.begun = Some(lines);
                    return false;
                }
            }
            self.family += 1;
            self.outer = 0;
            self.inner = 0;
        }
        if self.family == families().len() {
            self.family += 1;
            let unlisted = |family: &&MetricFamily| catalogue::family(family.name()).is_none();
            for family in own.iter().filter(unlisted) {
                registry::write(out, family, None, self.options.format);
            }
            if self.options.format.is_open_metrics() {
                out.extend_from_slice(b"# EOF\n");
            }
        }
        true
    }

    fn write(
        &mut self,
        lines: &mut Lines,
        family: &Family,
        fleet: &Fleet,
        own: &[MetricFamily],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        match family.source {
            Source::Connection(value) => self.connections(lines, value, fleet, out, limit),
            Source::Found => self.found(lines, fleet, out, limit),
            Source::Scope(_) | Source::Tally | Source::Account(_) => {
                self.groups(lines, family.source, fleet, out, limit)
            }
            Source::Given => {
                if let Some(given) = own.iter().find(|given| given.name() == family.name) {
                    registry::write(out, given, Some(family), self.options.format);
                }
                true
            }
            Source::Reserved => true,
        }
    }

    /// Families about scopes and accounts.
    fn groups(
        &mut self,
        lines: &mut Lines,
        source: Source,
        fleet: &Fleet,
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        loop {
            let (view, account) = (fleet.scopes.get(self.outer), fleet.accounts.get(self.outer));
            match (source, view, account) {
                (Source::Scope(value), Some(view), _) => {
                    if let Some(value) = value(view) {
                        lines.sample(out, "", view.scope.label_suffix(), value);
                    }
                }
                (Source::Tally, Some(view), _) => {
                    if let Some(snapshot) = &view.snapshot {
                        for (status, count) in AuthStatus::LABELS.iter().zip(tally(snapshot)) {
                            self.scratch.clear();
                            put_label(&mut self.scratch, "status", status);
                            let count = Value::Integer(count);
                            lines.sample(out, &self.scratch, view.scope.label_suffix(), count);
                        }
                    }
                }
                (Source::Account(value), _, Some(account)) => {
                    if let Some(value) = value(account) {
                        self.scratch.clear();
                        if let Some(name) = &account.account {
                            put_label(&mut self.scratch, "account", name);
                        }
                        lines.sample(out, &self.scratch, "", value);
                    }
                }
                _ => return true,
            }
            self.outer += 1;
            if out.len() >= limit {
                return false;
            }
        }
    }

    fn connections(
        &mut self,
        lines: &mut Lines,
        value: ConnectionValue,
        fleet: &Fleet,
        out: &mut Vec<u8>,
        limit: usize,
    ) -> bool {
        while let Some(view) = fleet.scopes.get(self.outer) {
            if let Some(snapshot) = &view.snapshot {
                let now = snapshot.clock.apply(self.now);
                for connection in snapshot.connections.iter().skip(self.inner) {
                    lines.connection(out, value, connection, now);
                    self.inner += 1;
                    if out.len() >= limit {
                        return false;
                    }
                }
            }
            self.outer += 1;
            self.inner = 0;
        }
        true
    }

    fn found(&mut self, lines: &mut Lines, fleet: &Fleet, out: &mut Vec<u8>, limit: usize) -> bool {
        while let Some(view) = fleet.scopes.get(self.outer) {
            if let Some(snapshot) = &view.snapshot {
                for found in snapshot.found.iter().skip(self.inner) {
                    self.scratch.clear();
                    put_label(&mut self.scratch, "connection_id", &found.id);
                    let value = Value::Integer(u64::from(found.found));
                    lines.sample(out, &self.scratch, view.scope.label_suffix(), value);
                    self.inner += 1;
                    if out.len() >= limit {
                        return false;
                    }
                }
            }
            self.outer += 1;
            self.inner = 0;
        }
        true
    }
}

/// How many connections have each status, in the order of its labels.
fn tally(snapshot: &Snapshot) -> [u64; AuthStatus::LABELS.len()] {
    let mut counts = [0; AuthStatus::LABELS.len()];
    for connection in &snapshot.connections {
        counts[connection.status as usize] += 1;
    }
    counts
}

/// Appends `name="value"`.
fn put_label(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    escape_label_into(out, &bound_label(value));
    out.push('"');
}

/// Appends `# HELP`, `# TYPE` and, where the format has it, `# UNIT`.
///
/// Help texts of the catalogue have nothing to escape.
pub(super) fn head(
    out: &mut Vec<u8>,
    name: &str,
    help: &str,
    kind: Kind,
    unit: Option<Unit>,
    open_metrics: bool,
) {
    let mut comment = |word: &str, text: &str| {
        for part in ["# ", word, " ", name, " ", text, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    };
    comment("HELP", help);
    comment("TYPE", kind.as_str());
    if let Some(unit) = unit.filter(|_| open_metrics) {
        comment("UNIT", unit.as_str());
    }
}

/// The texts of one family that its lines are made of.
#[derive(Debug)]
struct Lines {
    /// `# HELP` and so on; empty once written. Waits for the first sample, so
    /// that a family without one leaves no trace.
    head: Vec<u8>,
    /// `name{`.
    start: Vec<u8>,
    /// What follows the connection's labels, for each of the [`combinations`]
    /// of the family's own.
    tails: Vec<Tail>,
    states: States,
}

#[derive(Debug)]
struct Tail {
    /// `,label="value"} `, for a value to follow.
    open: Vec<u8>,
    /// The same with `0` and the end of the line.
    zero: Vec<u8>,
    /// The same with `1` and the end of the line.
    one: Vec<u8>,
}

impl Tail {
    fn new(open: String) -> Self {
        Self {
            zero: format!("{open}0\n").into_bytes(),
            one: format!("{open}1\n").into_bytes(),
            open: open.into_bytes(),
        }
    }
}

/// `,label="value"` for each value; of several labels, each value of the first
/// with each of the next. One empty text where there is no label.
fn combinations(labels: &[Label]) -> Vec<String> {
    labels.iter().fold(vec![String::new()], |texts, label| {
        let values = label.values.unwrap_or_default();
        texts
            .iter()
            .flat_map(|text| {
                values
                    .iter()
                    .map(move |value| format!("{text},{}=\"{value}\"", label.name))
            })
            .collect()
    })
}

impl Lines {
    fn new(family: &Family, options: Options) -> Self {
        let open_metrics = options.format.is_open_metrics();
        let name = if open_metrics {
            family.open_metrics_name()
        } else {
            family.name
        };
        let mut head_text = Vec::with_capacity(512);
        head(
            &mut head_text,
            name,
            family.help,
            family.kind,
            family.unit,
            open_metrics,
        );
        // Other families' lines are few and made one by one.
        let labels = match family.subject {
            Subject::Connection => family.labels,
            _ => &[],
        };
        let tails = combinations(labels)
            .into_iter()
            .map(|labels| Tail::new(labels + "} "))
            .collect();
        Self {
            head: head_text,
            start: format!("{}{{", family.name).into_bytes(),
            tails,
            states: options.states,
        }
    }

    fn connection(
        &mut self,
        out: &mut Vec<u8>,
        value: ConnectionValue,
        connection: &Connection,
        now: Timestamp,
    ) {
        let labels = connection.labels.as_str().as_bytes();
        match value {
            ConnectionValue::State(index_of) => {
                let held = index_of(connection);
                self.begin(out);
                match self.states {
                    States::All => {
                        for (index, tail) in self.tails.iter().enumerate() {
                            let end = if index == held { &tail.one } else { &tail.zero };
                            line(out, &self.start, labels, end);
                        }
                    }
                    States::Active => line(out, &self.start, labels, &self.tails[held].one),
                }
            }
            ConnectionValue::Fact(index_of) => {
                if let Some(held) = index_of(connection) {
                    self.begin(out);
                    line(out, &self.start, labels, &self.tails[held].one);
                }
            }
            ConnectionValue::Counts(count_of) => {
                for index in 0..self.tails.len() {
                    if let Some(count) = count_of(connection, now, index) {
                        self.begin(out);
                        line(out, &self.start, labels, &self.tails[index].open);
                        number::integer(out, count);
                        out.push(b'\n');
                    }
                }
            }
            ConnectionValue::Flag(flag_of) => {
                if let Some(flag) = flag_of(connection, now) {
                    self.begin(out);
                    let tail = &self.tails[0];
                    let end = if flag { &tail.one } else { &tail.zero };
                    line(out, &self.start, labels, end);
                }
            }
            ConnectionValue::Number(number_of) => {
                if let Some(value) = number_of(connection, now) {
                    self.begin(out);
                    line(out, &self.start, labels, &self.tails[0].open);
                    number::value(out, value);
                    out.push(b'\n');
                }
            }
        }
    }

    /// A line with any labels: `labels`, then `suffix`, which starts with a
    /// comma where it is not empty.
    fn sample(&mut self, out: &mut Vec<u8>, labels: &str, suffix: &str, value: Value) {
        self.begin(out);
        let suffix = if labels.is_empty() {
            suffix.strip_prefix(',').unwrap_or(suffix)
        } else {
            suffix
        };
        if labels.is_empty() && suffix.is_empty() {
            out.extend_from_slice(&self.start[..self.start.len() - 1]);
            out.push(b' ');
        } else {
            out.extend_from_slice(&self.start);
            out.extend_from_slice(labels.as_bytes());
            out.extend_from_slice(suffix.as_bytes());
            out.extend_from_slice(b"} ");
        }
        number::value(out, value);
        out.push(b'\n');
    }

    /// Writes the head before the first sample.
    #[inline]
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.head.is_empty() {
            out.append(&mut self.head);
        }
    }
}

#[inline]
fn line(out: &mut Vec<u8>, start: &[u8], labels: &[u8], end: &[u8]) {
    out.reserve(start.len() + labels.len() + end.len());
    out.extend_from_slice(start);
    out.extend_from_slice(labels);
    out.extend_from_slice(end);
}

/// Room for a chunk and what one connection can put on top of it.
pub(super) const CHUNK_CAPACITY: usize = CHUNK_BYTES + 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_combine_with_the_last_one_changing_fastest() {
        let label = |name, values| Label {
            name,
            values: Some(values),
            optional: false,
        };
        let (of_type, outcome) = (label("type", &["a", "b"]), label("outcome", &["x", "y"]));
        assert_eq!(combinations(&[]), [""]);
        assert_eq!(
            combinations(&[outcome]),
            [r#",outcome="x""#, r#",outcome="y""#]
        );
        assert_eq!(
            combinations(&[of_type, outcome]),
            [
                r#",type="a",outcome="x""#,
                r#",type="a",outcome="y""#,
                r#",type="b",outcome="x""#,
                r#",type="b",outcome="y""#,
            ]
        );
    }
}
