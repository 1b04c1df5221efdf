//! No file of the crate uses, by way of others, a file that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The files that each file names in a path from `crate` or `super`, by module.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let mut texts = BTreeMap::new();
    read("src", "", &mut texts);
    let modules: Vec<String> = texts.keys().cloned().collect();
    let arrows = texts.iter().map(|(module, text)| {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        // What the unit tests at the end use does not count.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut used = BTreeSet::new();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            for (word, base) in [("crate::", ""), ("super::", parent), ("self::", module)] {
                for (at, _) in line.match_indices(word) {
                    let tail = line[at + word.len()..].split([';', '(', ' ', '<', ',']);
                    let tail = tail.into_iter().next().unwrap_or_default();
                    let path = format!("{base}::{tail}");
                    let path = path.trim_start_matches("::");
                    let target = modules
                        .iter()
                        .filter(|known| path == **known || path.starts_with(&format!("{known}::")));
                    used.extend(target.max_by_key(|known| known.len()).cloned());
                }
            }
        }
        used.remove(module);
        (module.clone(), used)
    });
    arrows.collect()
}

fn read(directory: &str, module: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        let inner = format!("{module}::{name}")
            .trim_start_matches("::")
            .to_owned();
        if path.is_dir() {
            read(&path.to_string_lossy(), &inner, texts);
        } else if name != "tests" && path != Path::new("src/lib.rs") {
            texts.insert(inner, fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn no_file_is_in_a_circle() {
    let mut arrows = arrows();
    assert!(arrows["server::service"].contains("server::admission"));
    assert!(arrows["auth"].contains("response"));
    // Whoever uses nothing that is left is in no circle, and goes.
    loop {
        let before = arrows.len();
        let left: BTreeSet<String> = arrows.keys().cloned().collect();
        arrows.retain(|_, used| !used.is_disjoint(&left));
        if arrows.len() == before {
            break;
        }
    }
    assert!(arrows.is_empty(), "in or above a circle: {arrows:#?}");
}
