//! What lines are made of: heads and labels.

use super::catalogue::Family;
use crate::model::{bound_label, escape_label_into};

/// `# HELP`, `# TYPE` and, where the format has it, `# UNIT`.
pub(super) fn head(family: &Family, open_metrics: bool) -> Vec<u8> {
    let name = if open_metrics {
        family.open_metrics_name()
    } else {
        family.name
    };
    let mut head = Vec::with_capacity(512);
    let mut comment = |word: &str, text: &str| {
        for part in ["# ", word, " ", name, " ", text, "\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    };
    comment("HELP", &escaped_help(family.help, open_metrics));
    comment("TYPE", family.kind.as_str());
    if open_metrics {
        // Also where there is none: Prometheus' parser would go on with that of
        // the family before.
        comment("UNIT", family.unit().unwrap_or_default());
    }
    head
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
