//! What every line is made of: heads, labels, samples.

use super::catalogue::Kind;
use super::number;
use crate::model::{bound_label, escape_label_into};

/// Appends `# HELP`, `# TYPE` and, where the format has it, `# UNIT`.
pub(super) fn head(
    out: &mut Vec<u8>,
    name: &str,
    help: &str,
    kind: Kind,
    unit: Option<&str>,
    open_metrics: bool,
) {
    let mut comment = |word: &str, text: &str| {
        for part in ["# ", word, " ", name, " ", text, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    };
    comment("HELP", &escaped_help(help, open_metrics));
    comment("TYPE", kind.as_str());
    if open_metrics {
        // Also where there is none: Prometheus' parser would go on with that of
        // the family before.
        comment("UNIT", unit.unwrap_or_default());
    }
}

/// Text 0.0.4 escapes `\` and line feed in help, OpenMetrics also `"`.
fn escaped_help(help: &str, open_metrics: bool) -> String {
    let mut out = String::with_capacity(help.len());
    for char in help.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if open_metrics => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out
}

/// Appends `name="value"`, after a comma where it is not the first.
pub(super) fn put_label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    escape_label_into(labels, &bound_label(value));
    labels.push('"');
}

/// Appends a line, its name in two parts.
pub(super) fn sample(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &str, value: f64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    if !labels.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels.as_bytes());
        out.push(b'}');
    }
    out.push(b' ');
    number::float(out, value);
    out.push(b'\n');
}
