//! What the log tells of a start that goes well.

use std::fs;

use kernel_api_simulator::Fault;

use super::support::{Api, KEY, Program};

#[tokio::test]
async fn the_start_and_the_first_collection_are_told_once() {
    let api = Api::small().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yml");
    fs::write(directory.path().join("key"), KEY).unwrap();
    let accounts = "accounts:\n\
        - {name: one, api_key_file: key}\n\
        - {name: two, api_key_file: key, projects: all, exclude: {domains: ['*.test']}}\n";
    fs::write(&file, accounts).unwrap();
    api.control.add_fault(Fault::status(403).times(2));
    let exporter = api.exporter(&[&format!("--config.file={}", file.display())]);
    for _ in 0..3 {
        exporter.scrape().await;
    }
    exporter.logged("msg=\"first collection").await;
    let log = exporter.stderr();
    let line = |what: &str| {
        let mut lines = log.lines().filter(|line| line.contains(what));
        let line = lines.next().unwrap_or_else(|| panic!("{what}: {log}"));
        assert_eq!(lines.next(), None, "{what} once: {log}");
        assert!(line.contains("level=info"), "{line}");
        line
    };
    let starting = line("msg=\"starting\"");
    for told in [
        concat!("version=", env!("CARGO_PKG_VERSION"), " revision="),
        &format!("config_file={}", file.display()),
        &format!("api={}", api.url),
        "collectors=status,auth,flow,reauth,settings",
    ] {
        assert!(starting.contains(told), "{told}: {starting}");
    }
    assert!(
        line("account=one projects")
            .ends_with("projects=\"no project header\" connections=\"every connection\"")
    );
    assert!(
        line("account=two projects").ends_with("connections=\"every connection except 1 domain\"")
    );
    line("msg=\"listening\"");
    let first = line("msg=\"first collection");
    assert!(first.contains(" scopes=2 seconds="), "{first}");
    assert!(log.find("starting") < log.find("listening"));
    assert!(!log.contains(KEY));
}

#[tokio::test]
async fn at_debug_each_request_is_a_line_of_plain_words() {
    let api = Api::small().await;
    let exporter = api.exporter(&["--log.level=debug"]);
    exporter.scrape().await;
    api.control.add_fault(Fault::status(503).times(1));
    exporter.scrape().await;
    // The log comes behind the answer.
    exporter.logged("\"API request\" request=3 ").await;
    let log = exporter.stderr();
    let requests: Vec<_> = log
        .lines()
        .filter(|line| line.contains("msg=\"API request\""))
        .collect();
    assert_eq!(requests.len() as u64, api.control.requests().total, "{log}");
    for (index, (line, status)) in requests.iter().zip([200, 503, 200]).enumerate() {
        let told = format!(
            " request={} endpoint=connections status={status} seconds=",
            index + 1
        );
        assert!(line.contains(&told), "{told}: {line}");
    }
    for line in log.lines() {
        for internal in ["Some(", "None", "{", "::", "Ok("] {
            // The address of a client has them.
            let line = line.split(" peer=").next().unwrap();
            assert!(!line.contains(internal), "{internal}: {line}");
        }
    }
}

#[tokio::test]
async fn a_command_that_prints_tells_no_start() {
    let api = Api::small().await;
    assert_eq!(api.once(&[]).await.stderr, "");
    let env = [("KERNEL_BASE_URL", &*api.url), ("KERNEL_API_KEY", KEY)];
    let checked = Program::start(&["check-config"], &env).ended().await;
    assert_eq!((checked.code(), &*checked.stderr), (Some(0), ""));
}

#[tokio::test]
async fn a_hold_shorter_than_the_interval_is_told() {
    let api = Api::small().await;
    // Whoever scrapes by hand is slower than that.
    let exporter = api.exporter(&["--kernel.hold=1ms"]);
    for _ in 0..6 {
        exporter.scrape().await;
    }
    let told = exporter.logged("--kernel.hold is not longer").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("level=warn"), "{}", told[0]);
}

/// What the README has one make in a clone must not be committed by mistake.
#[test]
fn the_key_of_the_readme_is_ignored() {
    let readme = include_str!("../../README.md");
    let ignored = include_str!("../../.gitignore");
    let made = readme.lines().filter_map(|line| {
        let name = line.strip_prefix("install -m 600 /dev/null ")?;
        name.split_whitespace().next()
    });
    let made: Vec<_> = made.collect();
    assert!(!made.is_empty());
    for name in made {
        let is_ignored = ignored.lines().any(|line| line == format!("/{name}"));
        assert!(is_ignored, "{name} is not in .gitignore");
    }
}
