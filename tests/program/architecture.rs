//! Which room of `src` knows which: the table below is the one statement. Inside
//! a room, files know each other in one direction only. Where crates meet,
//! `Cargo.toml` says it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each room, what it may know of the rooms above it, and crates that it does
/// not touch.
const ROOMS: &str = "
    model      | | clap http hyper hyper_util prometheus serde serde_json tokio tracing
    redact     | | clap http hyper hyper_util prometheus serde serde_json tokio tracing
    kernel     | model redact | clap prometheus
    collect    | kernel model redact | clap hyper hyper_util prometheus serde_json
    exposition | model | clap hyper_util serde_json
    version    | | clap http hyper hyper_util prometheus serde serde_json tokio tracing
    telemetry  | exposition::catalogue kernel::Observer model version | clap hyper hyper_util
    duration   | | clap http hyper hyper_util prometheus serde serde_json tokio tracing
    output     | | clap http hyper hyper_util prometheus serde serde_json tokio tracing
    remedies   | model | clap http hyper hyper_util prometheus tokio tracing
    assets     | duration output remedies | hyper hyper_util tokio
    config     | duration model redact | clap hyper hyper_util prometheus tokio
    logging    | config model redact | clap hyper hyper_util
    cli        | assets config duration version | hyper hyper_util tokio
    web        | collect config exposition logging model remedies telemetry version | clap hyper hyper_util prometheus
    app        | collect config kernel logging model telemetry version web | clap
    once       | app cli collect config exposition logging model output remedies | hyper_util
    check      | app collect config duration kernel model redact telemetry | clap hyper_util
    demo       | app cli config | hyper_util
    run        | app assets check cli config demo logging model once output redact version | hyper_util
";

/// The table, read: by room, its place, what it knows, what it does not touch.
fn rooms() -> BTreeMap<&'static str, (usize, Vec<&'static str>, Vec<&'static str>)> {
    let rows = ROOMS.lines().filter(|line| line.contains('|')).enumerate();
    let words = |column: &'static str| column.split_whitespace().collect();
    rows.map(|(place, row)| {
        let [room, knows, never] = [0, 1, 2].map(|column| row.split('|').nth(column).unwrap());
        (room.trim(), (place, words(knows), words(never)))
    })
    .collect()
}

type Module = Vec<String>;

/// The code of each file in `src`, without comments and tests.
fn modules() -> BTreeMap<Module, String> {
    fn walk(directory: &Path, module: &[String], into: &mut BTreeMap<Module, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let module = [module, &[name]].concat();
            if path.is_dir() {
                walk(&path, &module, into);
            } else if !module.contains(&"tests".to_owned()) {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap().lines();
                let code = code.map(|line| line.split("// ").next().unwrap());
                let code = code.filter(|line| !line.trim_start().starts_with("//"));
                into.insert(module, code.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    let mut found = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&src, &[], &mut found);
    // They see every room: one lists them, one is in front, one is for benchmarks.
    for outside in ["fuzz", "lib", "main", "testing"] {
        assert!(found.remove(&vec![outside.to_owned()]).is_some());
    }
    found
}

/// What `code`, the module at `module`, names of the crate, from the root on.
fn names(module: &[String], code: &str) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let starts = code.match_indices("crate::");
    for (at, start) in starts.chain(code.match_indices("super::")) {
        let (before, rest) = (&code[..at], &code[at + start.len()..]);
        let more = before.rsplit("super::").take_while(|text| text.is_empty());
        let base = match start {
            "crate::" => Some(0),
            _ => module.len().checked_sub(1 + more.count()),
        };
        let paths: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split(';').next().unwrap().split([',', '{']).collect(),
            None => vec![rest],
        };
        for path in paths {
            let path = path.trim_start();
            let end = path.find(|char: char| !char.is_alphanumeric() && !"_:".contains(char));
            let path = path[..end.unwrap_or(path.len())].split("::");
            let path = path.filter(|part| !part.is_empty()).map(str::to_owned);
            let base = module[..base.unwrap_or(0)].iter().cloned();
            found.insert(base.chain(path).collect());
        }
    }
    found
}

#[test]
fn rooms_know_what_the_table_lets_them() {
    let rooms = rooms();
    let mut wrong = Vec::new();
    for (name, (place, knows, _)) in &rooms {
        let above = |known: &&str| rooms[known.split("::").next().unwrap()].0 < *place;
        assert!(knows.iter().all(above), "{name} knows what is not above it");
    }
    for (module, code) in modules() {
        let Some((_, knows, never)) = rooms.get(&*module[0]) else {
            wrong.push(format!("{module:?} is in no room of the table"));
            continue;
        };
        for path in names(&module, &code) {
            let other = path.first().filter(|name| rooms.contains_key(&***name));
            let path = path.join("::") + "::";
            let is_let = |known: &&str| path.starts_with(&format!("{known}::"));
            if other.is_some_and(|other| *other != module[0]) && !knows.iter().any(is_let) {
                wrong.push(format!("{module:?} knows {path}"));
            }
        }
        for outside in never {
            let within = |char: char| char.is_alphanumeric() || "_:".contains(char);
            let outside = format!("{outside}::");
            let mut used = code.match_indices(&outside);
            if used.any(|(at, _)| !code[..at].ends_with(within)) {
                wrong.push(format!("{module:?} uses the crate {outside}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_know_each_other_in_one_direction() {
    let modules = modules();
    // Between neighbours, each with what is below it.
    let mut knows: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, code) in &modules {
        for path in names(module, code) {
            let common = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(..=common), path.get(..=common)) else {
                continue;
            };
            if modules.contains_key(to) {
                knows.entry(from.to_vec()).or_default().insert(to.to_vec());
            }
        }
    }
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Module>();
    assert!(knows[&path("collect::scope")].contains(&path("collect::gather")));
    // Whoever knows nobody that is left can go; a circle stays.
    while let Some(free) = knows
        .iter()
        .find(|(_, known)| !known.iter().any(|known| knows.contains_key(known)))
    {
        let free = free.0.clone();
        knows.remove(&free);
    }
    assert!(knows.is_empty(), "these know each other: {knows:#?}");
}
