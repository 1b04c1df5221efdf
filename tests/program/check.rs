//! `check-config`: online, and where no key is.

use std::fs;
use std::path::Path;

use kernel_api_simulator::{Fault, FaultKind, KeyScope, Options, Route};

use super::api::world;
use super::support::{Api, Ended, KEY, Program};

async fn check(api: &Api, arguments: &[&str], key: &str) -> Ended {
    let arguments = [&["check-config", "--online"], arguments].concat();
    let env = [("KERNEL_BASE_URL", &*api.url), ("KERNEL_API_KEY", key)];
    let ended = Program::start(&arguments, &env).ended().await;
    assert_eq!(ended.stderr, "", "the report says it all");
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
        assert_eq!(line.trim_end(), line);
    }
    assert!(!ended.stdout.contains(key), "{}", ended.stdout);
    ended
}

/// The report without its line breaks.
fn said(ended: &Ended) -> String {
    let words: Vec<_> = ended.stdout.split_whitespace().collect();
    words.join(" ")
}

async fn three_projects() -> Api {
    Api::with(Options {
        projects: 3,
        rate_limit: Some(600),
        ..world(412)
    })
    .await
}

#[tokio::test]
async fn it_tells_what_the_key_sees_and_what_that_costs() {
    let api = three_projects().await;
    let ended = check(&api, &["--kernel.project=all"], KEY).await;
    assert_eq!(ended.code(), Some(0), "{}", ended.stdout);
    let text = said(&ended);
    for told in [
        "key good, of organisation org_",
        "; from the environment",
        "3 active and 1 archived; all active ones are watched",
        "sees 412 connections: ",
        // Two pages for each, and the list of projects once a minute.
        "a scrape 7 requests in ",
        "a minute 13 requests, collected every 30s by one Prometheus",
        "300 are allowed (of the 600 that the API publishes, --kernel.quota-share is 0.5)",
        "to set nothing",
        "The API answered fully.",
    ] {
        assert!(text.contains(told), "{told}: {}", ended.stdout);
    }
    for (id, name, archived) in api.control.projects() {
        let told = format!("{name} ({id})");
        assert_ne!(text.contains(&told), archived, "{told}: {text}");
    }
    assert_eq!(api.control.requests().non_get, 0);
    // A name is told, and steers no terminal.
    api.control.add_project("evil\u{1b}[2J\u{202e}");
    let ended = check(&api, &["--kernel.project=all"], KEY).await;
    let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(ended.stdout.contains("evil"), "{:?}", ended.stdout);
    assert!(!ended.stdout.contains(steers), "{:?}", ended.stdout);
}

#[tokio::test]
async fn it_says_what_to_set() {
    let api = three_projects().await;
    let unnamed = check(&api, &[], KEY).await;
    assert_eq!(unnamed.code(), Some(0));
    let told = "--kernel.project=all, unless the default project alone is meant, 138 of 412";
    assert!(said(&unnamed).contains(told), "{}", unnamed.stdout);

    let flags = [
        "--kernel.project=all",
        "--kernel.hold=15s",
        "--interval=15s",
    ];
    let ended = check(&api, &flags, KEY).await;
    let told = "--kernel.hold above 15s: 15s holds nothing from one collection to the next";
    assert!(said(&ended).contains(told), "{}", ended.stdout);
    let flags = [
        "--kernel.project=all",
        "--kernel.hold=16s",
        "--interval=15s",
    ];
    let ended = check(&api, &flags, KEY).await;
    assert!(said(&ended).contains("to set nothing"), "{}", ended.stdout);

    let flags = [
        "--kernel.project=all",
        "--kernel.quota-share=0.02",
        "--interval=15s",
    ];
    let ended = check(&api, &flags, KEY).await;
    let told = "--kernel.cache=1m, or a scrape_interval of 1m: 25 are too many";
    assert!(said(&ended).contains(told), "{}", ended.stdout);

    let project = api.control.projects()[0].0.clone();
    api.control
        .add_api_key("sk_of_a_project", KeyScope::Project(project.clone()));
    let ended = check(&api, &["--kernel.project=all"], "sk_of_a_project").await;
    let text = said(&ended);
    assert!(text.contains(&format!("good, of project {project} alone")));
    let told = format!("leave --kernel.project=all out: this key is of {project} alone");
    assert!(text.contains(&told), "{}", ended.stdout);

    let mut off = Fault::status(404).at(Route::Projects);
    if let FaultKind::Status { code, .. } = &mut off.kind {
        *code = Some("projects_disabled".to_owned());
    }
    api.control.add_fault(off);
    let ended = check(&api, &["--kernel.project=all"], KEY).await;
    assert_eq!(ended.code(), Some(1));
    let told = "leave --kernel.project=all out: this organisation has no projects";
    assert!(said(&ended).contains(told), "{}", ended.stdout);
}

#[tokio::test]
async fn it_fails_where_the_api_does_not_answer_fully() {
    let api = three_projects().await;
    let ended = check(&api, &[], "sk_of_nobody").await;
    assert_eq!(ended.code(), Some(1));
    let text = said(&ended);
    assert!(
        text.contains("key refused, from the environment: "),
        "{text}"
    );
    assert!(text.contains("401") && !text.contains("a scrape"), "{text}");
    assert_eq!(api.control.requests().total, 1, "a refused key costs one");

    let ended = check(&api, &["--kernel.project=proj_nobody"], KEY).await;
    assert_eq!(ended.code(), Some(1));
    let told = "failed proj_nobody: the API answered 404 (project_not_found)";
    assert!(said(&ended).contains(told), "{}", ended.stdout);
    assert!(!said(&ended).contains("to set nothing"));

    api.control.add_fault(Fault::new(FaultKind::HangUp));
    let ended = check(&api, &[], KEY).await;
    assert_eq!(ended.code(), Some(1));
    assert!(
        said(&ended).contains("key not confirmed, "),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn accounts_of_one_organisation_are_told_together() {
    let api = three_projects().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key"), KEY).unwrap();
    let file = directory.path().join("config.yml");
    let accounts = "accounts:\n\
        - {name: one, api_key_file: key, projects: all}\n\
        - {name: two, api_key_file: key, connections: [ma_nobody]}\n";
    fs::write(&file, accounts).unwrap();
    let flag = format!("--config.file={}", file.display());
    let env = [("KERNEL_BASE_URL", &*api.url)];
    let ended = Program::start(&["check-config", "--online", &flag], &env);
    let ended = ended.ended().await;
    assert_eq!(ended.code(), Some(0), "{}{}", ended.stdout, ended.stderr);
    let text = said(&ended);
    let told =
        "one, two are of one organisation and share its limit: 15 requests a minute together";
    assert!(text.contains(told), "{}", ended.stdout);
    assert!(text.contains("not known ma_nobody"), "{}", ended.stdout);
    assert!(text.contains("of the 600 that the API publishes, quota_share is"));
}

/// What a repository has: the files, and nothing that they name.
fn files(directory: &Path, web: &str) -> [String; 2] {
    let (config, web_config) = (directory.join("c.yml"), directory.join("w.yml"));
    let accounts = "api: {ca_file: nowhere.pem}\n\
        accounts:\n\
        - {name: one, api_key_file: /run/secrets/nowhere}\n\
        - {name: two, api_key_env: NOWHERE_KEY}\n\
        - {name: three}\n";
    fs::write(&config, accounts).unwrap();
    fs::write(&web_config, web).unwrap();
    [
        format!("--config.file={}", config.display()),
        format!("--web.config.file={}", web_config.display()),
    ]
}

const WEB: &str = "tls_server_config:\n  cert_file: nowhere.crt\n  key_file: nowhere.key\n  \
                   client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: nowhere.ca\n";

#[tokio::test]
async fn the_syntax_is_checked_where_no_key_is() {
    let directory = tempfile::tempdir().unwrap();
    let run = async |more: &[&str], files: &[String; 2]| {
        let arguments = [&["check-config", &*files[0], &*files[1]], more].concat();
        Program::start(&arguments, &[]).ended().await
    };
    let good = files(directory.path(), WEB);
    let ended = run(&["--syntax-only"], &good).await;
    assert_eq!((ended.code(), &*ended.stderr), (Some(0), ""));
    let told = "; neither keys nor certificates were read\n";
    assert!(ended.stdout.ends_with(told), "{}", ended.stdout);
    // Without it they are missed.
    assert_eq!(run(&[], &good).await.code(), Some(1));

    for (web, told) in [
        (
            WEB.replace("key_file: nowhere.key", ""),
            "missing one of key or key_file",
        ),
        (WEB.replace("RequireAndVerify", "Perhaps"), "unknown policy"),
        (WEB.replace("cert_file", "certfile"), "certfile"),
        // What stands in the file itself is there to be read.
        (
            WEB.replace("key_file: nowhere.key", "key: nothing"),
            "no PEM private key",
        ),
        (
            WEB.replace("cert_file: nowhere.crt", "cert: nothing"),
            "no PEM certificate",
        ),
        (
            "basic_auth_users: {a: plain}".to_owned(),
            "basic_auth_users",
        ),
    ] {
        let bad = files(directory.path(), &web);
        let ended = run(&["--syntax-only"], &bad).await;
        assert_eq!(ended.code(), Some(1), "{web}");
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
    let bad = "--config.file=tests/config/bad/unknown-key.yml";
    let ended = Program::start(&["check-config", "--syntax-only", bad], &[]);
    assert_eq!(ended.ended().await.code(), Some(1));
    let none = Program::start(&["check-config", "--syntax-only"], &[]);
    assert_eq!(none.ended().await.code(), Some(0));
}

#[tokio::test]
async fn errors_before_the_log_keep_to_its_format() {
    for arguments in [
        &["--log.format=json", "--kernel.timeout=5"][..],
        &["--log.format", "json", "--no-such-flag"],
        &["--no-such-flag", "once", "--log.format=json"],
        &["--log.format=logfmt", "--log.format=json", "check-config"],
        &[
            "--log.format=json",
            "check-config",
            "--web.config.file=nowhere",
        ],
    ] {
        let ended = Program::start(arguments, &[]).ended().await;
        assert_ne!(ended.code(), Some(0), "{arguments:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        let line: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!(line["level"], "error", "{arguments:?}");
        assert!(line["ts"].is_string(), "{line}");
        let message = line["msg"].as_str().unwrap();
        assert!(
            !message.is_empty() && !message.starts_with("error"),
            "{message}"
        );
    }
}
