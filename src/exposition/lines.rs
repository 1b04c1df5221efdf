//! The lines of one family.
//!
//! A line of a connection is copied from three texts that exist already: the
//! family's name, the connection's labels (escaped when the snapshot was
//! made), and the rest of the line (prepared once for each value of the
//! family's own label). Only timestamps and ages are formatted.

use super::catalogue::{ConnectionValue, Family, Label, Subject, Value};
use super::options::Options;
use super::{number, text};
use crate::model::{Connection, States, Timestamp};

/// The texts of one family that its lines are made of.
#[derive(Debug)]
pub(super) struct Lines {
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
    pub(super) fn new(family: &Family, options: Options) -> Self {
        let open_metrics = options.format.is_open_metrics();
        let name = if open_metrics {
            family.open_metrics_name()
        } else {
            family.name
        };
        let mut head_text = Vec::with_capacity(512);
        text::head(
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

    pub(super) fn connection(
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
            ConnectionValue::Events(count_of) => {
                for index in 0..self.tails.len() {
                    let count = count_of(connection, index);
                    let shown = count.filter(|count| *count > 0 || self.states == States::All);
                    if let Some(count) = shown {
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
    pub(super) fn sample(&mut self, out: &mut Vec<u8>, labels: &str, suffix: &str, value: Value) {
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
