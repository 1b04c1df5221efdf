//! What other programs think of the text. `promtool` is asked here, the
//! official Python parsers in `tests/python/test_exposition_parsers.py`, for
//! which [`renderings_for_other_parsers`] writes the texts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exposition::{Format, Options, render};
use crate::model::Fleet;
use prometheus::proto::MetricFamily;
use tempfile::TempDir;

use super::fixture::{self, FORMATS, NOW, active, gzip, options};

fn everything() -> Vec<MetricFamily> {
    let mut own = fixture::own();
    own.extend(crate::exposition::probe_families(
        false,
        std::time::Duration::from_micros(1),
    ));
    own
}

fn write(directory: &Path, name: &str, fleet: &Fleet, options: Options) {
    let bytes = render(fleet, &everything(), NOW, options);
    fs::write(directory.join(name), bytes).unwrap();
}

#[test]
fn promtool_has_nothing_to_say() {
    let directory = TempDir::new().unwrap();
    let (hostile, _) = fixture::hostile();
    for (fleet_name, fleet) in [("story", fixture::story()), ("hostile", hostile)] {
        for (states, options) in [
            ("all", options(Format::Text004)),
            ("active", active(Format::Text004)),
        ] {
            let name = format!("{fleet_name}.{states}");
            write(directory.path(), &name, &fleet, options);
            let output = Command::new("promtool")
                .args(["check", "metrics"])
                .stdin(File::open(directory.path().join(&name)).unwrap())
                .output()
                .expect("promtool is installed");
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{name}: {}", output.status);
            assert_eq!(String::from_utf8_lossy(&said), "", "{name}");
        }
    }
}

/// Writes to the directory that `EXPOSITION_DIR` names, else to one that is
/// removed again.
#[test]
fn renderings_for_other_parsers() {
    let temporary = TempDir::new().unwrap();
    let directory = std::env::var_os("EXPOSITION_DIR")
        .map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let (hostile, expected) = fixture::hostile();
    fs::write(
        directory.join("hostile.json"),
        serde_json::to_vec(&expected).unwrap(),
    )
    .unwrap();
    for (fleet_name, fleet) in [("story", fixture::story()), ("hostile", hostile)] {
        for (format_name, format) in ["text004", "text100", "openmetrics"].iter().zip(FORMATS) {
            let name = format!("{fleet_name}.{format_name}");
            write(&directory, &name, &fleet, options(format));
            write(
                &directory,
                &format!("{name}.gz"),
                &fleet,
                gzip(options(format)),
            );
        }
    }
    assert_eq!(fs::read_dir(directory).unwrap().count(), 13);
}
