//! The files of the crate know each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What each file of `src` uses of the others, by the paths in its code.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = std::fs::read_dir(src).unwrap().map(|file| {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        let names = lines.flat_map(|line| ["super::", "crate::", "self::"].map(|by| (line, by)));
        let names = names.flat_map(|(line, by)| line.split(by).skip(1));
        let names = names.map(|rest| {
            assert!(!rest.starts_with('{'), "one `use` a file: {rest}");
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        });
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, names.filter(|name| !name.is_empty()).collect())
    });
    files.collect()
}

#[test]
fn there_is_no_circle_of_files() {
    let mut uses = uses();
    assert!(uses["lib"].contains("world") && uses["server"].contains("state"));
    // Whoever needs nobody that is left can go; a circle stays.
    while let Some(free) = uses
        .iter()
        .find(|(_, needs)| !needs.iter().any(|need| uses.contains_key(need)))
        .map(|(name, _)| name.clone())
    {
        uses.remove(&free);
    }
    assert!(uses.is_empty(), "these know each other: {uses:?}");
}
