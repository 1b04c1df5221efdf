//! `docs/metrics.md` is what the catalogue says. `UPDATE_DOCS=1 cargo test
//! --lib docs` writes it anew.

use std::path::Path;

use crate::exposition::catalogue::{self, docs};

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = docs::markdown();
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
    let text = docs::markdown();
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
