//! Which room of `src` knows which: the table below is the one statement, and
//! this test holds the code to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, what it may use of the rooms above it in this table, and crates that
/// it does not touch. A room that is not named here may not be there.
struct Room {
    name: &'static str,
    knows: &'static [&'static str],
    never: &'static [&'static str],
}

const fn room(
    name: &'static str,
    knows: &'static [&'static str],
    never: &'static [&'static str],
) -> Room {
    Room { name, knows, never }
}

/// Crates that speak of the outside world.
const OUTSIDE: &[&str] = &[
    "clap",
    "http",
    "hyper",
    "prometheus",
    "reqwest",
    "serde",
    "serde_json",
    "tokio",
    "tracing",
];

const ROOMS: &[Room] = &[
    room("model", &[], OUTSIDE),
    room("kernel", &["model"], &["clap", "hyper", "prometheus"]),
    room(
        "collect",
        &["kernel", "model"],
        &["clap", "hyper", "prometheus", "serde_json"],
    ),
    room("exposition", &["model"], &["clap", "reqwest", "serde_json"]),
    room(
        "telemetry",
        &["exposition::catalogue", "model"],
        &["clap", "hyper", "reqwest"],
    ),
    room("duration", &[], OUTSIDE),
    room("assets", &["duration"], &["hyper", "reqwest", "tokio"]),
    room(
        "cli",
        &["assets", "duration", "model"],
        &["hyper", "reqwest", "tokio"],
    ),
    room("logging", &["cli"], &["hyper", "reqwest"]),
    room(
        "config",
        &["cli", "duration", "model"],
        &["hyper", "prometheus"],
    ),
    room(
        "web",
        &["collect", "config", "exposition", "model", "telemetry"],
        &["clap", "prometheus", "reqwest"],
    ),
    room(
        "app",
        &["collect", "config", "kernel", "model", "telemetry", "web"],
        &["clap"],
    ),
    room(
        "once",
        &["app", "cli", "collect", "config", "exposition", "model"],
        &["reqwest"],
    ),
    room("demo", &["app", "cli", "config"], &["reqwest"]),
    room(
        "run",
        &["app", "assets", "cli", "config", "demo", "logging", "once"],
        &["reqwest"],
    ),
];

/// What `text`, the module at `module`, uses outside of its room, as paths from
/// the crate's root: `kernel::Client`. Crates come as `::tokio`.
fn uses(module: &[&str], text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut found = BTreeSet::new();
    let mut place = 0;
    while let Some((word, after)) = next_word(&code, place) {
        let start = after - word.len();
        // `::tokio` begins a path, the second half of `a::b` does not.
        let before = code[..start].trim_end().strip_suffix("::");
        let begins = before.is_none_or(|before| before.ends_with([' ', '(', '<', '&']));
        let rest = code[after..].trim_start();
        place = after;
        if !begins {
            continue;
        }
        match word {
            "crate" | "kernel_auth_exporter" => {
                let Some(rest) = rest.strip_prefix("::") else {
                    continue;
                };
                found.extend(tree(rest).0);
            }
            "super" => {
                let (mut up, mut rest) = (1, rest);
                while let Some(next) = rest.strip_prefix("::").map(str::trim_start)
                    && let Some(next) = next.strip_prefix("super")
                {
                    (up, rest) = (up + 1, next.trim_start());
                }
                if let Some(rest) = rest.strip_prefix("::")
                    && let Some(depth) = module.len().checked_sub(up)
                {
                    let base = module[..depth].join("::");
                    let paths = tree(rest).0.into_iter();
                    found.extend(paths.map(|path| match depth {
                        0 => path,
                        _ => format!("{base}::{path}"),
                    }));
                }
            }
            _ if rest.starts_with("::") => {
                found.insert(format!("::{word}"));
            }
            _ => {
                if code[..start].trim_end().ends_with("use") && rest.starts_with(';') {
                    found.insert(format!("::{word}"));
                }
            }
        }
    }
    found.retain(|path| path.split("::").next() != module.first().copied());
    found
}

/// Without comments and without tests, which may use what they like.
fn code(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end].lines().map(|line| match line.find("//") {
        // Not in `http://`.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The next identifier from `place` on, and where it ends.
fn next_word(code: &str, place: usize) -> Option<(&str, usize)> {
    let of_a_word = |char: char| char == '_' || char.is_ascii_alphanumeric();
    let start = place + code[place..].find(of_a_word)?;
    let length = code[start..].find(|char| !of_a_word(char));
    let end = length.map_or(code.len(), |length| start + length);
    Some((&code[start..end], end))
}

/// The paths of a use tree, and what follows it: `a::{b, c::d}` gives `a::b`
/// and `a::c::d`.
fn tree(text: &str) -> (Vec<String>, &str) {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        let mut all = Vec::new();
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return (all, after);
            }
            let (paths, after) = tree(rest);
            assert!(after.len() < rest.len(), "not a use tree: {rest}");
            all.extend(paths);
            rest = after;
        }
    }
    if let Some(rest) = text.strip_prefix('*') {
        return (vec!["*".to_owned()], rest);
    }
    let Some((word, end)) = next_word(text, 0) else {
        return (Vec::new(), text);
    };
    let rest = &text[end..];
    if let Some(deeper) = rest.trim_start().strip_prefix("::") {
        let (paths, rest) = tree(deeper);
        let paths = paths.iter().map(|path| format!("{word}::{path}"));
        return (paths.collect(), rest);
    }
    // `as name` is the reader's business.
    let rest = match rest.trim_start().strip_prefix("as ") {
        Some(renamed) => next_word(renamed, 0).map_or("", |(_, end)| &renamed[end..]),
        None => rest,
    };
    (vec![word.to_owned()], rest)
}

/// What is wrong with the module at `module`, one line each.
fn complaints(rooms: &[Room], module: &[&str], text: &str) -> Vec<String> {
    let name = module[0];
    let Some(room) = rooms.iter().find(|room| room.name == name) else {
        return vec![format!("{name}: a room that the table does not name")];
    };
    let is_within = |path: &str, allowed: &str| {
        path == allowed
            || path
                .strip_prefix(allowed)
                .is_some_and(|rest| rest.starts_with("::"))
    };
    let mut wrong = Vec::new();
    for path in uses(module, text) {
        if let Some(outside) = path.strip_prefix("::") {
            if room.never.contains(&outside) {
                wrong.push(format!("{}: uses the crate {outside}", module.join("::")));
            }
        } else if !room.knows.iter().any(|allowed| is_within(&path, allowed)) {
            wrong.push(format!("{}: uses crate::{path}", module.join("::")));
        }
    }
    wrong
}

/// Every module below `directory`: its path in the crate and its text.
fn modules(directory: &Path) -> Vec<(Vec<String>, String)> {
    fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(directory, &mut files);
    files.sort();
    let modules = files.iter().map(|file| {
        let name = file.strip_prefix(directory).unwrap().with_extension("");
        let parts = name.iter().map(|part| part.to_str().unwrap().to_owned());
        (parts.collect(), fs::read_to_string(file).unwrap())
    });
    modules.collect()
}

#[test]
fn rooms_use_what_the_table_lets_them() {
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(modules.len() > 50, "the sources are where they were");
    let mut wrong = Vec::new();
    for (module, text) in &modules {
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        // Tests may use what they like, and `lib.rs` only lists the rooms.
        if [["lib"], ["main"], ["testing"]].contains(&[module[0]]) || module.contains(&"tests") {
            continue;
        }
        wrong.extend(complaints(ROOMS, &module, text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_goes_one_way() {
    for (place, room) in ROOMS.iter().enumerate() {
        for known in room.knows {
            let name = known.split("::").next().unwrap();
            let above = ROOMS[..place].iter().any(|above| above.name == name);
            assert!(above, "{} knows {known}, which is not above it", room.name);
        }
    }
    let knows = |room: &str, other: &str| {
        let room = ROOMS.iter().find(|found| found.name == room).unwrap();
        room.knows
            .iter()
            .any(|known| known.split("::").next() == Some(other))
    };
    // What must stay so, whatever else the table comes to say.
    assert!(!knows("web", "kernel"));
    assert!(!knows("kernel", "telemetry"));
    assert!(!knows("exposition", "collect"));
    assert!(!knows("collect", "exposition"));
}

#[test]
fn what_breaks_the_rules_is_seen() {
    for (module, text, wrong) in [
        (
            &["model"][..],
            "use crate::kernel::Client;",
            "crate::kernel::Client",
        ),
        (
            &["web", "routes"],
            "use crate::kernel::{self, Key};",
            "crate::kernel::Key",
        ),
        (
            &["web"],
            "use crate::{model::Fleet, kernel as api};",
            "crate::kernel",
        ),
        (
            &["web"],
            "use crate::{\n    model::{Fleet, Scope},\n    kernel::*,\n};",
            "crate::kernel::*",
        ),
        (
            &["exposition"],
            "fn f() { crate::kernel::wire::read() }",
            "crate::kernel::wire::read",
        ),
        (
            &["exposition", "http"],
            "use super::super::kernel::Key;",
            "crate::kernel::Key",
        ),
        (
            &["exposition"],
            "use super::collect::Collector;",
            "crate::collect::Collector",
        ),
        (
            &["kernel", "client"],
            "fn f(_: &crate::telemetry::Telemetry) {}",
            "crate::telemetry::Telemetry",
        ),
        (
            &["kernel"],
            "use prometheus::Counter;",
            "the crate prometheus",
        ),
        (&["kernel"], "use prometheus;", "the crate prometheus"),
        (
            &["model"],
            "#[derive(serde::Serialize)] struct X;",
            "the crate serde",
        ),
        (&["model"], "use ::tokio::sync;", "the crate tokio"),
        (
            &["telemetry"],
            "use crate::exposition::render;",
            "crate::exposition::render",
        ),
        (
            &["run"],
            "use kernel_auth_exporter::kernel;",
            "crate::kernel",
        ),
        (&["attic"], "", "a room that the table does not name"),
    ] {
        let complaints = complaints(ROOMS, module, text);
        assert!(
            complaints.iter().any(|line| line.ends_with(wrong)),
            "{text}: {complaints:?}"
        );
    }
}

#[test]
fn what_keeps_the_rules_is_let_be() {
    for (module, text) in [
        (
            &["collect"][..],
            "use crate::kernel::{Client, Key};\nuse crate::model::Fleet;",
        ),
        (
            &["collect", "walk"],
            "use super::scope::Part;\nuse super::{Selection, Settings};",
        ),
        (&["collect", "a", "b"], "use super::super::scope::Part;"),
        (
            &["telemetry"],
            "use crate::exposition::catalogue::{self, Family};",
        ),
        (
            &["web"],
            "/// See [`crate::kernel`].\n// crate::kernel\nuse crate::model;",
        ),
        (
            &["kernel"],
            "let url = \"http://prometheus.example\";\nlet prometheus = 1;",
        ),
        (
            &["model"],
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::kernel;\n}\n",
        ),
    ] {
        assert_eq!(
            complaints(ROOMS, module, text),
            Vec::<String>::new(),
            "{text}"
        );
    }
}
