//! What wins over what: flags, the environment, the file.

use std::path::Path;
use std::time::Duration;

use exporter_toolkit::listener::Listen;

use super::support::{SECRET, key_of, load, load_with_key, write_config};
use crate::config::KeySource;
use crate::model::{Collector, Exclude, ProfileNameMode, Projects, Selection, States};

#[test]
fn later_wins() {
    let (_directory, file) = write_config("api: {url: 'http://localhost:1', timeout: 1s}");
    let url = |arguments: &[&str], env: &[(&str, &str)]| {
        let mut env = env.to_vec();
        env.push(("KERNEL_API_KEY", SECRET));
        load(arguments, &env).unwrap().api.url.to_string()
    };
    let variable = ("KERNEL_BASE_URL", "http://localhost:2");
    assert_eq!(url(&[], &[]), "https://api.onkernel.com");
    assert_eq!(url(&[&file], &[]), "http://localhost:1");
    assert_eq!(
        url(&[&file], &[("KERNEL_BASE_URL", "")]),
        "http://localhost:1"
    );
    assert_eq!(url(&[&file], &[variable]), "http://localhost:2");
    assert_eq!(
        url(
            &[&file, "--kernel.api-url=http://localhost:3/"],
            &[variable]
        ),
        "http://localhost:3"
    );
    let config = load_with_key(&[&file, "--kernel.timeout=2s"]).unwrap();
    assert_eq!(config.api.timeout, Duration::from_secs(2));
    let config = load_with_key(&[&file]).unwrap();
    assert_eq!(config.api.timeout, Duration::from_secs(1));
}

#[test]
fn every_setting_reaches_its_place() {
    let config = load_with_key(&[
        "--kernel.api-url=http://api.example:8080/base//",
        "--kernel.allow-http",
        "--kernel.project=proj_a",
        "--kernel.project=proj_b",
        "--kernel.domain=a.example",
        "--kernel.profile=p 1",
        "--kernel.timeout=1m30s",
        "--kernel.concurrency=3",
        "--kernel.cache=15s",
        "--kernel.hold=0s",
        "--kernel.quota-share=0.25",
        "--kernel.max-connections=7",
        "--kernel.timeline-requests=0",
        "--metrics.states=active",
        "--metrics.profile-name=hash",
        "--no-collector.flow",
        "--collector.org",
        "--web.listen-address=127.0.0.1:0",
        "--web.listen-address=[::1]:9000",
        "--web.telemetry-path=/kernel/metrics",
        "--web.config.file=web.yml",
        "--web.max-requests=2",
        "--web.timeout-offset=0.25s",
        "--web.enable-lifecycle",
    ])
    .unwrap();
    assert_eq!(config.api.url.as_str(), "http://api.example:8080/base");
    assert_eq!(config.api.timeout, Duration::from_secs(90));
    assert_eq!(config.api.concurrency, 3);
    assert_eq!(config.api.cache, Duration::from_secs(15));
    assert_eq!(config.api.hold, Duration::ZERO);
    assert!((config.api.quota_share - 0.25).abs() < f64::EPSILON);
    assert_eq!(config.api.max_connections, 7);
    assert_eq!(config.api.timeline_requests, 0);
    assert_eq!(config.metrics.states, States::Active);
    assert_eq!(config.metrics.profile_name, ProfileNameMode::Hash);
    assert!(!config.collectors.has(Collector::Flow) && config.collectors.has(Collector::Org));
    assert_eq!(config.web.listen().to_string(), "127.0.0.1:0,[::1]:9000");
    assert_eq!(config.web.telemetry_path, "/kernel/metrics");
    assert_eq!(
        config.web.config_file.as_deref(),
        Some(Path::new("web.yml"))
    );
    assert_eq!(config.web.max_requests, 2);
    assert_eq!(config.web.timeout_offset, Duration::from_millis(250));
    assert!(config.web.enable_lifecycle);
    let [account] = config.accounts.as_slice() else {
        panic!("{:?}", config.accounts);
    };
    assert!(account.name.is_none());
    assert!(matches!(&account.projects, Projects::Listed(ids) if ids.len() == 2));
    assert_eq!(
        account.selection,
        Selection::Every {
            domains: vec!["a.example".into()],
            profiles: vec!["p 1".into()],
            exclude: Exclude::default(),
        }
    );

    let systemd = load_with_key(&["--web.systemd-socket"]).unwrap().web;
    assert_eq!(systemd.listen(), Listen::Systemd);
}

#[test]
fn of_a_switch_and_its_twin_the_last_wins_on_both_sides_of_the_command() {
    let on = |arguments: &[&str]| {
        load_with_key(arguments)
            .unwrap()
            .collectors
            .has(Collector::Flow)
    };
    assert!(!on(&["--collector.flow", "--no-collector.flow"]));
    assert!(on(&["--no-collector.flow", "--collector.flow"]));
    assert!(on(&["--no-collector.flow", "once", "--collector.flow"]));
    assert!(!on(&["--no-collector.flow", "once"]));
    assert!(!on(&["--no-collector.flow", "--no-collector.flow"]));
    let listen = ["--web.listen-address=:1", "once", "--web.listen-address=:2"];
    let listen = load_with_key(&listen).unwrap().web.listen();
    assert_eq!(listen.to_string(), ":1,:2");
}

#[test]
fn the_key_comes_from_the_flag_then_the_environment_then_the_file() {
    let (directory, file) = write_config("accounts: [{name: a, api_key_file: key}]");
    let beside = directory.path().join("key").display().to_string();
    let flag = "--kernel.api-key-file=tests/config/key";
    let in_env = ("KERNEL_API_KEY", " sk_env\n");
    let in_env_file = ("KERNEL_API_KEY_FILE", "tests/config/key");

    assert_eq!(key_of(&load(&[], &[in_env]).unwrap()), "sk_env");
    assert_eq!(
        key_of(&load(&[], &[in_env_file]).unwrap()),
        "file tests/config/key"
    );
    assert_eq!(
        key_of(&load(&[flag], &[in_env]).unwrap()),
        "file tests/config/key"
    );
    assert_eq!(
        key_of(&load(&[&file], &[]).unwrap()),
        format!("file {beside}")
    );
    assert_eq!(key_of(&load(&[&file], &[in_env]).unwrap()), "sk_env");
    assert_eq!(
        key_of(&load(&[&file, flag], &[]).unwrap()),
        "file tests/config/key"
    );
}

#[test]
fn of_several_accounts_the_environment_serves_those_without_a_key() {
    let (_directory, file) =
        write_config("accounts: [{name: a}, {name: b, api_key_file: key}, {name: c}]");
    let config = load(&[&file], &[("KERNEL_API_KEY", "sk_env")]).unwrap();
    assert!(matches!(config.accounts[0].key, KeySource::Value(_)));
    assert!(matches!(config.accounts[1].key, KeySource::File(_)));
    assert!(matches!(config.accounts[2].key, KeySource::Value(_)));
}

#[test]
fn flags_replace_the_selection_of_a_single_account() {
    let (_directory, file) = write_config(
        "accounts: [{name: a, api_key_file: key, projects: [proj_a], connections: [ma_abc]}]",
    );
    let account = |arguments: &[&str], env: &[(&str, &str)]| {
        let arguments: Vec<&str> = [file.as_str()].iter().chain(arguments).copied().collect();
        load(&arguments, env).unwrap().accounts.remove(0)
    };
    let plain = account(&[], &[]);
    let narrowed = account(&["--kernel.domain=example.com"], &[]);
    assert_eq!(narrowed.name, plain.name);
    assert_eq!(narrowed.projects, plain.projects);
    assert!(matches!(narrowed.selection, Selection::Every { .. }));
    let (_directory, file) = write_config(
        "accounts: [{name: a, api_key_file: key, exclude: {domains: [a.example], profiles: [tmp-*]}}]",
    );
    let selection = |arguments: &[&str]| {
        let arguments: Vec<&str> = [file.as_str()].iter().chain(arguments).copied().collect();
        load(&arguments, &[]).unwrap().accounts.remove(0).selection
    };
    assert_ne!(
        selection(&["--kernel.project=proj_b"]),
        Selection::default()
    );
    let narrowed = selection(&["--kernel.domain=a.example"]);
    assert!(narrowed.wants("ma_abc", "a.example", "tmp-1"));
    let moved = account(
        &["--kernel.project=proj_b"],
        &[("KERNEL_PROJECT", "proj_c")],
    );
    assert_eq!(moved.selection, plain.selection);
    assert!(matches!(&moved.projects, Projects::Listed(ids) if &*ids[0] == "proj_b"));
    let moved = account(&[], &[("KERNEL_PROJECT", "proj_c")]);
    assert!(matches!(&moved.projects, Projects::Listed(ids) if &*ids[0] == "proj_c"));
}
