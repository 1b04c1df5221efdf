//! `docs/metrics.md` is what the catalogue says. `UPDATE_DOCS=1 cargo test
//! --test docs_metrics` writes it anew.

use std::path::Path;

use kernel_auth_exporter::exposition::catalogue;

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = catalogue::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page == text,
        "docs/metrics.md is not what the catalogue says; UPDATE_DOCS=1 cargo test --test docs_metrics"
    );
}

#[test]
fn the_page_names_every_family_and_label_value() {
    let text = catalogue::markdown();
    for family in catalogue::families() {
        let named = text.contains(&format!("| `{}` |", family.name));
        assert_eq!(named, family.is_emitted(), "{}", family.name);
        if named {
            assert!(text.contains(family.help), "{}", family.name);
            for label in family.all_labels() {
                assert!(text.contains(&format!("`{}`", label.name)));
                for value in label.values.unwrap_or_default() {
                    assert!(text.contains(&format!("`{value}`")), "{value}");
                }
            }
        }
    }
}
