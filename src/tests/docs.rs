//! `docs/metrics.md` is what the catalogue says, and the table in
//! `docs/configuration.md` what the table of settings says. `UPDATE_DOCS=1 cargo
//! test --lib docs` writes them anew.

mod metrics;

use std::path::Path;

use crate::config::{Row, rows};
use crate::exposition::catalogue;

/// Stand around the table in `docs/configuration.md`.
const MARKS: [&str; 2] = [
    "<!-- settings: UPDATE_DOCS=1 cargo test --lib docs -->\n",
    "<!-- end of settings -->\n",
];

#[test]
fn the_table_of_settings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let lines: String = rows().iter().map(settings_line).collect();
    let head = "| flag | key | default | meaning |\n|---|---|---|---|\n";
    let expected = format!("{before}{}\n{head}{lines}\n{}{after}", MARKS[0], MARKS[1]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == expected,
        "docs/configuration.md is not what the table says; UPDATE_DOCS=1 cargo test --lib docs"
    );
}

fn settings_line(row: &Row) -> String {
    let code = |text: &str| format!("`{text}`");
    let flag = row.flag.map(|flag| code(&format!("--{flag}")));
    // Of which account is not for the table to say.
    let key = row
        .key
        .map(|key| code(&key.replace("accounts.", "accounts[].")));
    let default = row.shown_default().map(code);
    let bounds = row.bounds.as_ref().map(|bounds| format!(" ({bounds})"));
    let variable = row.env.map(|name| format!(" Also the variable `{name}`."));
    let space = if row.note.is_empty() { "" } else { " " };
    let meaning = format!(
        "{}{}.{}{space}{}",
        row.help,
        bounds.unwrap_or_default(),
        variable.unwrap_or_default(),
        row.note
    );
    let cells = [flag, key, default].map(Option::unwrap_or_default);
    format!("| {} | {meaning} |\n", cells.join(" | "))
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = metrics::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == text,
        "docs/metrics.md is not what the catalogue says; UPDATE_DOCS=1 cargo test --lib docs"
    );
}

#[test]
fn the_page_names_every_family_and_label_value() {
    let text = metrics::markdown();
    for family in catalogue::families() {
        let named = text.contains(&format!("| `{}` |", family.name));
        assert!(named, "{}", family.name);
        assert!(text.contains(family.help), "{}", family.name);
        for label in family.all_labels() {
            assert!(text.contains(&format!("`{}`", label.name)));
            for value in label.values.unwrap_or_default() {
                assert!(text.contains(&format!("`{value}`")), "{value}");
            }
        }
    }
}
