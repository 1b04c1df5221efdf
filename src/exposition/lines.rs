//! The lines of one family.
//!
//! A line of a connection is copied from three texts that exist already: the
//! family's name, the connection's labels (escaped when the snapshot was
//! made), and the rest of the line (prepared once for each value of the
//! family's own label). Only values are formatted.

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
    /// `,label="value"} `, which follows the connection's labels, for each of
    /// the [`combinations`] of the family's own.
    tails: Vec<String>,
    states: States,
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
        // Other families' lines are few and made one by one.
        let labels = match family.subject {
            Subject::Connection => family.labels,
            _ => &[],
        };
        let tails = combinations(labels).into_iter();
        Self {
            head: text::head(family, options.format.is_open_metrics()),
            start: format!("{}{{", family.name).into_bytes(),
            tails: tails.map(|labels| labels + "} ").collect(),
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
        let all = self.states == States::All;
        match value {
            ConnectionValue::State(index_of) => {
                let held = index_of(connection);
                for index in 0..self.tails.len() {
                    if all || index == held {
                        self.flag(out, connection, index, index == held);
                    }
                }
            }
            ConnectionValue::Fact(index_of) => {
                if let Some(held) = index_of(connection) {
                    self.flag(out, connection, held, true);
                }
            }
            ConnectionValue::Counts(count_of) => {
                for index in 0..self.tails.len() {
                    if let Some(count) = count_of(connection, now, index) {
                        self.line(out, connection, index, Value::Integer(count));
                    }
                }
            }
            ConnectionValue::Events(count_of) => {
                for index in 0..self.tails.len() {
                    let count = count_of(connection, index);
                    if let Some(count) = count.filter(|count| *count > 0 || all) {
                        self.line(out, connection, index, Value::Integer(count));
                    }
                }
            }
            ConnectionValue::Flag(flag_of) => {
                if let Some(flag) = flag_of(connection, now) {
                    self.flag(out, connection, 0, flag);
                }
            }
            ConnectionValue::Number(number_of) => {
                if let Some(value) = number_of(connection, now) {
                    self.line(out, connection, 0, value);
                }
            }
        }
    }

    /// A line of a connection but for its value; `index` is that of its tail.
    #[inline]
    fn open(&mut self, out: &mut Vec<u8>, connection: &Connection, index: usize) {
        self.begin(out);
        let (labels, tail) = (connection.labels.as_str(), &self.tails[index]);
        // With the value of most lines.
        out.reserve(self.start.len() + labels.len() + tail.len() + 2);
        out.extend_from_slice(&self.start);
        out.extend_from_slice(labels.as_bytes());
        out.extend_from_slice(tail.as_bytes());
    }

    #[inline]
    fn flag(&mut self, out: &mut Vec<u8>, connection: &Connection, index: usize, is: bool) {
        self.open(out, connection, index);
        out.extend_from_slice(if is { b"1\n" } else { b"0\n" });
    }

    fn line(&mut self, out: &mut Vec<u8>, connection: &Connection, index: usize, value: Value) {
        self.open(out, connection, index);
        number::value(out, value);
        out.push(b'\n');
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
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.head.is_empty() {
            out.append(&mut self.head);
        }
    }
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
