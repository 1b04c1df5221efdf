//! `docs/metrics.md`, made from the catalogue.

use std::fmt::Write as _;

use crate::exposition::catalogue::{Family, Label, Subject, families};
use crate::model::{Collector, CollectorSet};

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from src/exposition/catalogue. To renew it: UPDATE_DOCS=1 cargo test --lib docs -->

Every family that the exporter can show. A family without a sample is left out of the answer, with
its `# HELP` and `# TYPE`. What the API leaves out, or sends as `null`, is left out here and never 0.

Timestamps are Unix time in seconds, in the value; samples carry none of their own. Ages and
remaining times are computed while the answer is written, so a held snapshot still ages, and on the
API's clock, so a host whose clock is wrong still shows them right.

Labels in *italics* are only there where the configuration names an account or a project, or keeps
the profile name. Label values longer than 256 bytes are cut and end in a hash.

`--metrics.states=active` leaves out the series with value 0 of families that have one for each
state.
";

/// The text of `docs/metrics.md`.
pub(super) fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    section(
        &mut out,
        "The fleet",
        "Always on.",
        families().iter().filter(|family| {
            matches!(
                family.subject,
                Subject::Scope | Subject::Account | Subject::ConfiguredConnection
            ) && family.collector.is_none()
        }),
    );
    for &collector in Collector::ALL {
        let default = if CollectorSet::default().has(collector) {
            format!("On by default; `--no-collector.{collector}` turns it off.")
        } else {
            format!("Off by default; `--collector.{collector}` turns it on.")
        };
        section(
            &mut out,
            &format!("Collector `{collector}`"),
            &format!("{}. {default}", collector.about()),
            families()
                .iter()
                .filter(|family| family.collector == Some(collector)),
        );
    }
    for (title, about, subject) in [
        (
            "The exporter itself",
            "Always on. Every series with known label values is there from the start, at 0. \
             `process_*` are on Linux only.",
            Subject::Exporter,
        ),
        ("Probes", "Only in answers of `/probe`.", Subject::Probe),
    ] {
        section(
            &mut out,
            title,
            about,
            families()
                .iter()
                .filter(|family| family.subject == subject && family.collector.is_none()),
        );
    }
    out
}

/// One table, and the values of its labels below it; nothing where there is no
/// family.
fn section<'a>(
    out: &mut String,
    title: &str,
    about: &str,
    families: impl Iterator<Item = &'a Family>,
) {
    let families: Vec<_> = families.collect();
    let Some(first) = families.first() else {
        return;
    };
    let _ = write!(out, "\n## {title}\n\n{about}\n");
    let shared = first.subject == Subject::Connection;
    if shared {
        let _ = write!(
            out,
            "\nLabels of each: {}.\n",
            names(first.subject.labels())
        );
    }
    out.push_str("\n| family | type | labels | |\n|---|---|---|---|\n");
    for family in &families {
        let labels = if shared {
            names(family.labels)
        } else {
            names(family.all_labels())
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {labels} | {} |",
            family.name,
            family.kind.as_str(),
            family.help
        );
    }
    for family in &families {
        for label in family.labels {
            if let Some(values) = label.values {
                let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                let _ = write!(
                    out,
                    "\n`{}`, values of `{}`: {}\n",
                    family.name,
                    label.name,
                    values.join(", ")
                );
            }
        }
    }
}

fn names<'a>(labels: impl IntoIterator<Item = &'a Label>) -> String {
    labels
        .into_iter()
        .map(|label| {
            if label.optional {
                format!("*`{}`*", label.name)
            } else {
                format!("`{}`", label.name)
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}
