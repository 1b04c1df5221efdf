//! What other programs think of the text. `promtool` is asked here, the
//! official Python parsers in `tests/python/test_exposition_parsers.py`, for
//! which [`renderings_for_other_parsers`] writes the texts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::exposition::{Format, Options, Own, render};
use crate::model::Fleet;
use http_body_util::BodyExt;
use tempfile::TempDir;

use super::fixture::{self, FORMATS, NOW, active, gzip, options};
use super::hostile;

/// Writes the text of a scrape.
fn write(directory: &Path, name: &str, fleet: &Fleet, options: Options) {
    write_with(directory, name, fleet, &fixture::own(), options);
}

fn write_with(directory: &Path, name: &str, fleet: &Fleet, own: &Own, options: Options) {
    let bytes = if options.gzip {
        compressed(fleet, own, options)
    } else {
        render(fleet, own, NOW, options)
    };
    fs::write(directory.join(name), bytes).unwrap();
}

fn compressed(fleet: &Fleet, own: &Own, options: Options) -> Vec<u8> {
    let body = fixture::stream(Arc::new(fleet.clone()), own.clone(), options);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let read = runtime.block_on(body.collect()).unwrap();
    read.to_bytes().to_vec()
}

#[test]
fn promtool_has_nothing_to_say() {
    let directory = TempDir::new().unwrap();
    let (hostile, _) = hostile::hostile();
    for (fleet_name, fleet) in [("story", fixture::story()), ("hostile", hostile)] {
        for (kind, own, options) in [
            ("all", fixture::own(), options(Format::Text004)),
            ("active", fixture::own(), active(Format::Text004)),
            ("probe", fixture::probed(), options(Format::Text004)),
        ] {
            let name = format!("{fleet_name}.{kind}");
            write_with(directory.path(), &name, &fleet, &own, options);
            let output = Command::new(std::env::var_os("PROMTOOL").unwrap_or("promtool".into()))
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
    let (hostile, expected) = hostile::hostile();
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
