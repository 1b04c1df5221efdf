//! `assets` through its front door: the files, byte by byte, and its options.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

fn assets(dir: &Path, flags: &[&str]) -> Output {
    Command::cargo_bin("kernel-auth-exporter")
        .expect("the binary is built with its tests")
        .arg("assets")
        .arg(dir)
        .args(flags)
        .output()
        .expect("the binary starts")
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

#[test]
fn defaults_are_the_committed_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = assets(dir.path(), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = files_below(dir.path());
    for path in &written {
        let name = path.strip_prefix(dir.path()).expect("below the directory");
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let (made, committed) = (read(path), read(&root.join(name)));
        // No picture is carried, and nothing that is about one.
        let paragraphs = committed.split_inclusive("\n\n");
        let carried: String = paragraphs
            .filter(|text| !text.contains("](images/"))
            .collect();
        assert!(
            made == carried,
            "{} is not what `assets` writes: commit that, and keep its pictures",
            name.display()
        );
        assert!(
            text(&output.stdout).contains(&format!("created   {}", path.display())),
            "{} is not reported",
            name.display()
        );
    }
    assert!(written.len() > 20, "{}", written.len());
    assert_eq!(written.len(), text(&output.stdout).lines().count());
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(assets(dir.path(), &[]).status.success());
    let mut links = 0;
    for path in files_below(dir.path()) {
        if path.extension().is_none_or(|found| found != "md") {
            continue;
        }
        let document = fs::read_to_string(&path).unwrap();
        for rest in document.split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap();
            if !link.is_empty() && !link.contains("://") {
                links += 1;
                let there = path.with_file_name(link);
                assert!(there.exists(), "{}: {link}", path.display());
            }
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn every_dashboard_rule_and_runbook_is_carried() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("a directory");
    assert!(assets(dir.path(), &[]).status.success());
    let carried = files_below(dir.path());
    for (kind, ending) in [
        ("dashboards", "json"),
        ("alerts", "yml"),
        ("docs/runbooks", "md"),
    ] {
        for path in files_below(&root.join(kind)) {
            if path.extension().is_some_and(|found| found == ending) {
                let name = path.strip_prefix(root).unwrap();
                let is_carried = carried.contains(&dir.path().join(name));
                assert!(is_carried, "{} is not in the binary", name.display());
            }
        }
    }
}

#[test]
fn options_reach_the_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = assets(
        dir.path(),
        &[
            "--runbook-base-url=https://runbooks.example.org/auth/",
            "--dashboard-base-url=https://grafana.example.org",
            "--job=monitoring/kernel",
            "--target=exporter.example:9",
            "--interval=10s",
            "--needs-auth-for=90s",
            "--keep-firing-for=15m",
            "--staleness-factor=7",
            "--key-expiry-warning-days=30",
            "--burn-share=0.5",
        ],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    for name in [
        "alerts/kernel-auth-rules.yml",
        "alerts/kernel-auth-prometheusrule.yml",
    ] {
        let rules = fs::read_to_string(dir.path().join(name)).unwrap();
        for wanted in [
            "'https://runbooks.example.org/auth/KernelAuthFlowFailed.md'",
            "https://grafana.example.org/d/kernel-auth-connection?",
            "job=\"monitoring/kernel\"",
            "<= time() - 90",
            "[15m]) > 0",
            "> 7",
            "< 30 * 86400",
            "> 0.5",
        ] {
            assert!(rules.contains(wanted), "{name} lacks {wanted}");
        }
        assert!(!rules.contains("example.com"), "{name}");
        assert!(!rules.contains("kernel-auth-exporter\""), "{name}");
    }
    let board = dir.path().join("dashboards/kernel-auth-fleet.json");
    let board = fs::read_to_string(board).unwrap();
    assert!(board.contains("\"https://runbooks.example.org/auth/KernelAuth$"));
    assert!(!board.contains("example.com"));
    let sample = dir.path().join("examples/prometheus-alerting.yml");
    let sample = fs::read_to_string(sample).unwrap();
    for wanted in [
        "job_name: monitoring/kernel",
        "targets: ['exporter.example:9']",
        "scrape_interval: 10s",
        "scrape_timeout: 10s",
    ] {
        assert!(sample.contains(wanted), "{sample}");
    }
}

#[test]
fn what_is_there_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(assets(dir.path(), &[]).status.success());
    let rules = dir.path().join("alerts/kernel-auth-rules.yml");
    let before = fs::read(&rules).unwrap();
    fs::write(&rules, "mine").unwrap();
    let output = assets(dir.path(), &[]);
    let replaced: Vec<_> = text(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with("unchanged "))
        .collect();
    assert_eq!(replaced, [format!("replaced  {}", rules.display())]);
    assert_eq!(fs::read(&rules).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&rules).unwrap().permissions().mode();
        assert_eq!(mode & 0o444, 0o444, "Prometheus may read it");
    }
}

#[test]
fn wrong_values_are_usage_errors_and_write_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = dir.path().join("out");
    for (flag, said) in [
        ("--job=a b", "a job name has"),
        ("--runbook-base-url=runbooks", "begins with http://"),
        ("--needs-auth-for=5 minutes", "not a duration"),
        ("--burn-share=2", "at most 1"),
        ("--staleness-factor=0", "--staleness-factor"),
        (
            "--key-expiry-critical-days=20",
            "--key-expiry-critical-days",
        ),
        ("--interval=10m", "--interval"),
    ] {
        let output = assets(&target, &[flag]);
        assert_eq!(output.status.code(), Some(2), "{flag}");
        assert!(
            text(&output.stderr).contains(said),
            "{flag}: {}",
            text(&output.stderr)
        );
        assert!(!target.exists(), "{flag}");
    }
}

#[test]
fn a_directory_that_cannot_be_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let output = assets(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&format!("{}/", file.display())));
}

#[test]
fn alerts_whose_collectors_are_off_are_left_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("exporter.yml");
    fs::write(
        &config,
        "accounts: [{name: a, api_key_file: /nowhere}]\ncollectors: {reauth: false}\n",
    )
    .unwrap();
    let flag = format!("--config.file={}", config.display());
    let output = assets(dir.path(), &[&flag]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let hints = text(&output.stderr);
    for hint in [
        "left out, the collector org is off: KernelAuthAPIKeyExpiring, KernelAuthConnectionsNearLimit",
        "left out, the collector reauth is off: KernelAuthConnectionHumanLoginRequired",
        "tells more with the collector timeline: KernelAuthReauthFailingRepeatedly",
    ] {
        assert!(hints.contains(hint), "{hint}: {hints}");
    }
    let whole = include_str!("../../alerts/kernel-auth-rules.yml");
    for name in ["kernel-auth-rules.yml", "kernel-auth-prometheusrule.yml"] {
        let rules = fs::read_to_string(dir.path().join("alerts").join(name)).unwrap();
        let alerts = |rules: &str| -> Vec<String> {
            let lines = rules.lines().map(str::trim);
            let alerts = lines.filter_map(|line| line.strip_prefix("- alert: "));
            alerts.map(str::to_owned).collect()
        };
        let left: Vec<_> = alerts(whole)
            .into_iter()
            .filter(|alert| {
                !matches!(
                    &**alert,
                    "KernelAuthAPIKeyExpiring"
                        | "KernelAuthConnectionsNearLimit"
                        | "KernelAuthConnectionHumanLoginRequired"
                )
            })
            .collect();
        assert_eq!(alerts(&rules), left, "{name}");
        // They are comments on what is left out, and went with it.
        assert!(!rules.contains("promql/series(kernel_auth_org"), "{name}");
    }
    // The same flags in front of the command, and a file with a mistake.
    let run = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("kernel-auth-exporter").expect("it is built");
        command.args(arguments).output().expect("it starts")
    };
    let dir = dir.path().to_str().unwrap();
    assert!(run(&[&flag, "assets", dir, "--check"]).status.success());
    fs::write(&config, "collectors: {org: maybe}\n").unwrap();
    let output = run(&["assets", dir, &flag]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("collectors.org"));
}

#[test]
fn a_check_says_whether_the_directory_is_what_would_be_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = assets(dir.path(), &["--check"]);
    assert_eq!(output.status.code(), Some(1), "nothing is there");
    assert!(files_below(dir.path()).is_empty(), "nothing is written");
    assert!(
        text(&output.stdout)
            .lines()
            .all(|line| line.starts_with("missing "))
    );

    assert!(assets(dir.path(), &["--job=mine"]).status.success());
    let output = assets(dir.path(), &["--check", "--job=mine"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let count = files_below(dir.path()).len();
    assert!(text(&output.stdout).starts_with(&format!("all {count} files in ")));
    // Other files beside them are nobody's business.
    fs::write(dir.path().join("mine.yml"), "x").unwrap();
    assert!(
        assets(dir.path(), &["--check", "--job=mine"])
            .status
            .success()
    );

    let rules = dir.path().join("alerts/kernel-auth-rules.yml");
    fs::write(&rules, "mine").unwrap();
    let output = assets(dir.path(), &["--check", "--job=mine"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        format!("different {}\n", rules.display())
    );
    let told = format!("error: 1 of {count} files differ");
    assert!(text(&output.stderr).starts_with(&told));
    assert_eq!(fs::read_to_string(&rules).unwrap(), "mine");
}
