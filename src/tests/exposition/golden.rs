//! A whole scrape, and other outputs, as files to read. `UPDATE_GOLDEN=1 cargo test --lib golden`
//! writes it anew.

use std::path::Path;

use crate::exposition::{Escaping, Format, Options, render};

use super::fixture::{self, NOW, active, options};

fn hold(file: &str, options: Options) {
    let text = render(&fixture::story(), &fixture::own(), NOW, options);
    hold_text(file, &String::from_utf8(text).unwrap());
}

/// Compares `text` with a file of `tests/golden`.
pub(crate) fn hold_text(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let differs = golden
        .lines()
        .zip(text.lines())
        .find(|(expected, is)| expected != is);
    assert_eq!(differs, None, "{file}");
    assert_eq!(golden.len(), text.len(), "{file}");
}

#[test]
fn text_0_0_4() {
    hold("scrape.txt", options(Format::Text004));
}

#[test]
fn active_states_only() {
    hold("scrape.active.txt", active(Format::Text004));
}

#[test]
fn open_metrics() {
    hold(
        "scrape.openmetrics.txt",
        options(Format::OpenMetrics100(Escaping::AllowUtf8)),
    );
}
