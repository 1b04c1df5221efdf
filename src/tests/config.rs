//! The config file, through `config::load`: every bad sample with its exact
//! message, and every good one.
//!
//! `UPDATE_EXPECTED=1 cargo test --lib tests::config` writes the messages anew.

mod precedence;
mod secrets;
mod support;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use self::support::{SECRET, flags, key_of, load, load_with_key, write_config};
use crate::config::{self, Config, KeySource};
use crate::model::{Collector, Exclude, NamePattern, Projects, Selection};
use exporter_toolkit::web_config::WebConfig;

fn files_in(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new(extension)))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {directory}");
    files
}

#[test]
fn every_bad_file_gets_its_exact_message() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let env = [
        ("TEST_KEY", SECRET),
        ("TEST_EMPTY", ""),
        ("TEST_SPACE", "sk_a sk_b"),
    ];
    let mut wrong = Vec::new();
    for path in files_in("tests/config/bad", "yml") {
        let flag = format!("--config.file={}", path.display());
        let message = match load(&[&flag], &env) {
            Ok(_) => panic!("{} was accepted", path.display()),
            Err(error) => format!("exit {}: {error}\n", error.exit_code()),
        };
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains(&*path.to_string_lossy()), "{message}");
        assert!(!message.contains("secret"), "{message}");
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &message).unwrap();
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&message) {
            wrong.push(format!("{}: {message}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.concat());
    for expected in files_in("tests/config/bad", "txt") {
        let input = expected.with_extension("yml");
        assert!(input.exists(), "{} has lost its file", expected.display());
    }
}

#[test]
fn every_good_file_is_accepted() {
    for path in files_in("tests/config/good", "yml") {
        let flag = format!("--config.file={}", path.display());
        load_with_key(&[&flag]).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_merge_key_brings_what_is_not_given_beside_it() {
    let config = load(&["--config.file=tests/config/good/merge-key.yml"], &[]);
    let accounts = config.unwrap().accounts;
    let of = |index: usize| (accounts[index].name.as_deref(), &accounts[index].selection);
    assert_eq!((of(0).0, of(1).0), (Some("a"), Some("b")));
    assert_eq!(format!("{:?}", of(0).1), format!("{:?}", of(1).1));
    assert!(format!("{:?}", of(1).1).contains("example.com"));
}

#[test]
fn ids_keep_their_spelling() {
    let config = load(
        &["--config.file=tests/config/good/ids-that-look-like-numbers.yml"],
        &[],
    );
    let account = config.unwrap().accounts.remove(0);
    assert_eq!(account.name.as_deref(), Some("1e5"));
    let Projects::Listed(projects) = account.projects else {
        panic!("{:?}", account.projects);
    };
    assert_eq!(&*projects[0], "0123");
    let Selection::Ids(ids) = account.selection else {
        panic!("{:?}", account.selection);
    };
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    assert_eq!(ids, ["0x1F", "12e4567", "1_000", "ma_\u{e4}", "yes"]);
}

/// A sample with its key files replaced by one that exists.
fn load_sample(text: &str, whence: &str) -> Config {
    let text: String = text
        .lines()
        .map(|line| match line.find("api_key_file:") {
            Some(at) => {
                let after = &line[at..];
                let end = after.find([',', '}', '#']).unwrap_or(after.len());
                format!("{}api_key_file: key {}\n", &line[..at], &after[end..])
            }
            None => format!("{line}\n"),
        })
        .collect();
    let (_directory, flag) = write_config(&text);
    let env = |name: &str| name.ends_with("_KEY").then(|| OsString::from(SECRET));
    config::load(&flags(&[&flag]), &env).unwrap_or_else(|error| panic!("{whence}: {error}"))
}

#[test]
fn the_samples_are_accepted() {
    let mut count = 0;
    for path in files_in("examples", "yml") {
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with("kernel-auth-exporter") {
            load_sample(
                &fs::read_to_string(&path).unwrap(),
                &path.display().to_string(),
            );
            count += 1;
        }
    }
    assert!(count >= 2, "{count} samples found");
}

/// A fenced block of YAML is the exporter's own configuration when its first
/// line says so.
#[test]
fn the_samples_in_the_docs_are_accepted() {
    let mut pages = files_in("docs", "md");
    pages.extend(
        Path::new("README.md")
            .exists()
            .then(|| PathBuf::from("README.md")),
    );
    let mut count = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if block.starts_with("# kernel-auth-exporter.yml") {
                load_sample(block, &page.display().to_string());
                count += 1;
            }
        }
    }
    assert!(count >= 1, "no sample found");
}

#[test]
fn the_full_sample_says_what_it_means() {
    let text = fs::read_to_string("examples/kernel-auth-exporter.yml").unwrap();
    let config = load_sample(&text, "sample");
    let names = config.accounts.iter();
    let names: Vec<&str> = names
        .filter_map(|account| account.name.as_deref())
        .collect();
    assert_eq!(names, ["production", "staging", "critical"]);
    assert_eq!(config.accounts[0].projects, Projects::All);
    assert!(matches!(config.accounts[1].key, KeySource::Value(_)));
    assert!(matches!(&config.accounts[1].projects, Projects::Listed(ids) if ids.len() == 2));
    assert_eq!(
        config.accounts[1].selection,
        Selection::Every {
            domains: vec!["portal.example.com".into()],
            profiles: vec!["billing-bot".into(), "crm-sync".into()],
            exclude: Exclude {
                domains: vec![NamePattern::Ending(".test".into())],
                profiles: Vec::new(),
            },
        }
    );
    assert!(matches!(&config.accounts[2].selection, Selection::Ids(ids) if ids.len() == 2));
    assert!(config.collectors.has(Collector::Timeline) && config.collectors.has(Collector::Org));
    assert_eq!(
        config.summary(),
        "configuration ok: https://api.onkernel.com; production: all projects, every connection; \
         staging: 2 projects, every connection of 1 domain and 2 profiles except 1 domain; critical: 1 project, \
         2 connections; collectors status,auth,flow,reauth,settings,timeline,org; listen on :10077"
    );
}

#[test]
fn a_default_is_what_its_text_says() {
    let plain = format!("{:?}", load_with_key(&[]).unwrap());
    let defaults = config::rows().iter();
    let defaults: Vec<_> = defaults
        .filter(|row| row.heading != "Logging")
        .filter_map(|row| Some((row.flag?, row.shown_default()?)))
        .collect();
    assert!(defaults.len() >= 23, "{defaults:?}");
    for (flag, default) in defaults {
        let argument = match default {
            "on" => format!("--{flag}"),
            "off" => format!("--no-{flag}"),
            value => format!("--{flag}={value}"),
        };
        let given = format!("{:?}", load_with_key(&[&argument]).unwrap());
        assert_eq!(given, plain, "{argument}");
    }
}

/// Each key that has a default, with it, changes nothing; so the sample in the
/// docs says what is true and leaves nothing out.
#[test]
fn the_sample_in_the_docs_has_every_key() {
    let page = fs::read_to_string("docs/configuration.md").unwrap();
    let sample = page.split("```yaml\n").nth(1).unwrap();
    let sample = sample.split("```").next().unwrap();
    for row in config::rows() {
        let Some(key) = row.key else { continue };
        let (_, name) = key.rsplit_once('.').unwrap();
        let line = match row.default {
            Some(default) => format!("  {name}: {default}\n"),
            None => format!("{name}: "),
        };
        assert!(
            sample.contains(&line),
            "{key} is not in docs/configuration.md"
        );
    }
}

#[test]
fn demo_needs_no_key_and_takes_none() {
    const URL: &str = "http://127.0.0.1:4010";
    let demo = |arguments: &[&str]| config::load_demo(&flags(arguments), URL, SECRET.into());
    let config = demo(&["demo", "--no-collector.org", "--web.listen-address=:0"]).unwrap();
    assert_eq!(config.api.url.as_str(), URL);
    assert_eq!(key_of(&config), SECRET);
    assert_eq!(config.accounts[0].projects, Projects::All);
    assert!(config.collectors.has(Collector::Timeline));
    assert!(!config.collectors.has(Collector::Org));
    for argument in [
        "--kernel.api-url=http://localhost",
        "--kernel.api-key-file=tests/config/key",
    ] {
        let message = demo(&["demo", argument]).unwrap_err().to_string();
        assert!(
            message.ends_with("demo brings its own API and key; leave this out"),
            "{message}"
        );
    }
    for (text, key) in [
        ("api: {url: 'http://localhost'}", "api.url"),
        ("accounts: [{name: a, api_key_file: key}]", "accounts[0]"),
    ] {
        let (_directory, file) = write_config(text);
        let message = demo(&["demo", &file]).unwrap_err().to_string();
        let end = format!("{key}: demo brings its own API and key; leave this out");
        assert!(message.ends_with(&end), "{message}");
    }
}

#[test]
fn nothing_shows_the_key() {
    let config = load_with_key(&[]).unwrap();
    assert_eq!(key_of(&config), SECRET);
    assert!(!format!("{config:?}{config:#?}{}", config.summary()).contains("Zq9"));
}

#[test]
fn the_sample_of_a_web_configuration_is_right_but_for_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let keys = Path::new("crates/exporter-toolkit/tests/web-config");
    for (from, to) in [
        ("server.pem", "tls.crt"),
        ("server.key", "tls.key"),
        ("ca.pem", "client-ca.crt"),
    ] {
        fs::copy(keys.join(from), directory.path().join(to)).unwrap();
    }
    let path = directory.path().join("web-config.yml");
    fs::copy("examples/web-config.yml", &path).unwrap();
    let config = WebConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.has_tls());
    assert_eq!(config.user_count(), 1);
}
