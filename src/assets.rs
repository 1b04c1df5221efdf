//! What the binary carries for the people on call: dashboards, rules, runbooks
//! and sample configurations.
//!
//! The committed files are the source, except what depends on options: that is
//! a template beside this file, and its committed form is what the defaults
//! make of it.

mod needs;
mod options;
mod terms;

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::output::{self, unless_gone};

pub(crate) use options::Options;

const RULES: &str = include_str!("assets/rules.yml.tmpl");
const PROMETHEUS: &str = include_str!("assets/prometheus.yml.tmpl");
const SHARDED: &str = include_str!("assets/prometheus-sharded.yml.tmpl");

/// Before the groups of a `PrometheusRule` of the Prometheus Operator.
const PROMETHEUS_RULE_HEAD: &str = "\
# The rules of kernel-auth-rules.yml for the Prometheus Operator (0.64 or newer).
# Written by `kernel-auth-exporter assets`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kernel-auth-exporter
  labels:
    app.kubernetes.io/name: kernel-auth-exporter
spec:
";

/// Embeds files by their path in the repository.
macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../", $path)))),+]
    };
}

/// What does not depend on options.
const FIXED: &[(&str, &str)] = embedded![
    "alerts/remedies.json",
    "dashboards/kernel-auth-fleet.json",
    "dashboards/kernel-auth-connection.json",
    "dashboards/kernel-auth-exporter.json",
    "docs/alerting.md",
    "docs/dashboards.md",
    "docs/runbooks/KernelAuthAPIKeyExpiring.md",
    "docs/runbooks/KernelAuthAPIRateLimited.md",
    "docs/runbooks/KernelAuthAPIUnauthorized.md",
    "docs/runbooks/KernelAuthAPIUnreachable.md",
    "docs/runbooks/KernelAuthConfigReloadFailed.md",
    "docs/runbooks/KernelAuthConnectionFlapping.md",
    "docs/runbooks/KernelAuthConnectionHumanLoginRequired.md",
    "docs/runbooks/KernelAuthConnectionMissing.md",
    "docs/runbooks/KernelAuthConnectionNeedsAuth.md",
    "docs/runbooks/KernelAuthConnectionsNearLimit.md",
    "docs/runbooks/KernelAuthDataIncomplete.md",
    "docs/runbooks/KernelAuthDomainLoggedOut.md",
    "docs/runbooks/KernelAuthExporterAbsent.md",
    "docs/runbooks/KernelAuthExporterDown.md",
    "docs/runbooks/KernelAuthFleetEmpty.md",
    "docs/runbooks/KernelAuthFleetLoggedOutBurn.md",
    "docs/runbooks/KernelAuthFleetLoggedOutBurnSlow.md",
    "docs/runbooks/KernelAuthFlowAwaitingHuman.md",
    "docs/runbooks/KernelAuthFlowFailed.md",
    "docs/runbooks/KernelAuthHealthCheckStale.md",
    "docs/runbooks/KernelAuthManyFlowsAwaiting.md",
    "docs/runbooks/KernelAuthProbeFailed.md",
    "docs/runbooks/KernelAuthReauthFailingRepeatedly.md",
    "docs/runbooks/KernelAuthScopeUnseen.md",
    "docs/runbooks/KernelAuthSnapshotStale.md",
    "docs/runbooks/KernelAuthUnknownStatus.md",
    "examples/alertmanager.yml",
];

/// One file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Where it stands below the directory, with `/`; as in the repository.
    pub path: &'static str,
    /// What is in it.
    pub contents: Cow<'static, str>,
}

/// Every file, as `options` want it, without the alerts that need one of the
/// collectors `off`.
pub(crate) fn render(options: &Options, off: &[&str]) -> Vec<Asset> {
    let rules = needs::without(&substitute(RULES, options), &needs::silent(off));
    let operator = prometheus_rule(&rules);
    let made = [
        ("alerts/kernel-auth-rules.yml", rules),
        ("alerts/kernel-auth-prometheusrule.yml", operator),
        (
            "examples/prometheus-alerting.yml",
            substitute(PROMETHEUS, options),
        ),
        (
            "examples/prometheus-sharded.yml",
            substitute(SHARDED, options),
        ),
    ];
    let made = made.into_iter().map(|(path, text)| (path, text.into()));
    let fixed = FIXED.iter().map(|(path, text)| {
        let text = if path.starts_with("dashboards/") {
            text.replace(options::RUNBOOKS, &options.runbook_base_url)
                .into()
        } else if text.contains(PICTURE) {
            without_pictures(text).into()
        } else {
            (*text).into()
        };
        (*path, text)
    });
    made.chain(fixed)
        .map(|(path, contents)| Asset { path, contents })
        .collect()
}

/// In the repository, documents show pictures, which the binary does not carry.
const PICTURE: &str = "](images/";

/// The paragraphs of a document, but for those that show or link to a picture.
fn without_pictures(text: &str) -> String {
    let paragraphs = text.split_inclusive("\n\n");
    paragraphs
        .filter(|paragraph| !paragraph.contains(PICTURE))
        .collect()
}

/// Puts the options in the place of `@name@`. What is no name stays.
fn substitute(template: &str, options: &Options) -> String {
    let mut out = String::with_capacity(template.len() + template.len() / 8);
    let mut rest = template;
    while let Some(at) = rest.find('@') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let value = after
            .find('@')
            .and_then(|end| Some((terms::value_of(&after[..end], options)?, end)));
        if let Some((value, end)) = value {
            out.push_str(&value);
            rest = &after[end + 1..];
        } else {
            out.push('@');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The same groups, two columns to the right, in a Kubernetes object.
fn prometheus_rule(rules: &str) -> String {
    let groups = &rules[rules.find("groups:").unwrap_or(0)..];
    let mut out = String::from(PROMETHEUS_RULE_HEAD);
    for line in groups.lines() {
        if !line.is_empty() {
            out.push_str("  ");
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Why `assets` did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The options contradict each other: a usage error.
    #[error("{0}")]
    Options(&'static str),
    /// A file could not be written.
    #[error("{}: {source}; nothing else was written after it", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file could not be compared.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `--check`: what is there is not what would be written.
    #[error("{wrong} of {all} files differ; without --check they are written")]
    Differs { wrong: usize, all: usize },
    /// The list of what was written could not be printed.
    #[error("standard output: {0}")]
    Print(#[from] io::Error),
}

/// The command: writes everything below `dir` and prints a line for each file
/// to `out`; hints about links that lead nowhere yet, and about collectors that
/// are `off`, go to `hints`.
pub(crate) fn run(
    dir: &Path,
    options: &Options,
    off: &[&str],
    out: &mut dyn Write,
    hints: &mut dyn Write,
) -> Result<(), Error> {
    options.check().map_err(Error::Options)?;
    let mut printed = Ok(());
    for asset in render(options, off) {
        let path = dir.join(asset.path);
        match write(&path, asset.contents.as_bytes()) {
            Ok(became) if printed.is_ok() => {
                printed = writeln!(out, "{became:<9} {}", path.display());
            }
            Ok(_) => {}
            Err(source) => return Err(Error::Write { path, source }),
        }
    }
    unless_gone(printed)?;
    for hint in needs::hints(off) {
        writeln!(hints, "{hint}")?;
    }
    let default = Options::default();
    for (flag, is_placeholder) in [
        (
            "--runbook-base-url",
            options.runbook_base_url == default.runbook_base_url,
        ),
        (
            "--dashboard-base-url",
            options.dashboard_base_url == default.dashboard_base_url,
        ),
    ] {
        if is_placeholder {
            writeln!(
                hints,
                "links in the alerts point to a placeholder; set {flag}"
            )?;
        }
    }
    Ok(())
}

/// The command with `--check`: writes nothing, prints a line to `out` for each
/// file that is missing or another, and fails where there is one.
pub(crate) fn check(
    dir: &Path,
    options: &Options,
    off: &[&str],
    out: &mut dyn Write,
) -> Result<(), Error> {
    options.check().map_err(Error::Options)?;
    let assets = render(options, off);
    let mut wrong = 0;
    for asset in &assets {
        let path = dir.join(asset.path);
        let word = match fs::read(&path) {
            Ok(there) if there == asset.contents.as_bytes() => continue,
            Ok(_) => "different",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "missing",
            Err(source) => return Err(Error::Read { path, source }),
        };
        wrong += 1;
        unless_gone(writeln!(out, "{word:<9} {}", path.display()))?;
    }
    let all = assets.len();
    if wrong > 0 {
        return Err(Error::Differs { wrong, all });
    }
    let good = format!("all {all} files in {} are up to date", dir.display());
    Ok(unless_gone(writeln!(out, "{good}"))?)
}

/// Writes the file whole or not at all, with its directories where they are
/// missing, and says what became of it.
fn write(path: &Path, contents: &[u8]) -> io::Result<&'static str> {
    let became = match fs::read(path) {
        Ok(old) if old == contents => return Ok("unchanged"),
        Ok(_) => "replaced",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "created",
        Err(error) => return Err(error),
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    output::write(path, contents)?;
    Ok(became)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_substituted() {
        let text = substitute("a@b @job@ @nothing@ @", &Options::default());
        assert_eq!(text, "a@b kernel-auth-exporter @nothing@ @");
    }

    #[test]
    fn every_sample_scrapes_where_and_as_what_it_is_told() {
        let options = Options {
            job: "kae".to_owned(),
            target: "[::1]:99".to_owned(),
            ..Options::default()
        };
        let samples = render(&options, &[]).into_iter();
        let samples = samples.filter(|asset| asset.contents.contains("scrape_configs:"));
        for sample in samples.map(|asset| asset.contents) {
            assert!(!sample.contains("localhost:10077"), "{sample}");
            assert!(sample.contains("[::1]:99") && sample.contains("job_name: kae\n"));
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for asset in render(&Options::default(), &[]) {
            let mut parts = asset.contents.split('@').skip(1);
            assert!(
                !parts.any(
                    |part| part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                        && !part.is_empty()
                ),
                "{}",
                asset.path
            );
        }
    }
}
