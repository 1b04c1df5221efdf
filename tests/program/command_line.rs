//! The command line of the real binary: exit codes, messages, help.
//!
//! `UPDATE_EXPECTED=1 cargo test --test program` writes what is expected
//! anew.

use std::fs;

use assert_cmd::Command;
use assert_cmd::cargo::{cargo_bin, cargo_bin_cmd};

const CASES: &str = "tests/config/command-lines.txt";

fn updating() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some()
}

/// The binary with nothing from our environment.
fn binary() -> Command {
    let mut command = cargo_bin_cmd!();
    command.env_clear();
    command
}

/// Runs `NAME=value … argument …` and returns its output and exit code.
fn run(line: &str) -> String {
    let mut command = binary();
    let mut arguments = line.split_whitespace().peekable();
    while let Some((name, value)) = arguments.peek().and_then(|word| word.split_once('=')) {
        if name.starts_with('-') {
            break;
        }
        command.env(name, value);
        arguments.next();
    }
    let output = command.args(arguments).output().unwrap();
    let code = output.status.code().expect("it ends by itself");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stdout.is_empty() || stderr.is_empty(),
        "{line}: {stdout}{stderr}"
    );
    assert_eq!(
        stdout.is_empty(),
        code != 0,
        "{line}: mistakes go to stderr, answers to stdout"
    );
    format!("$ {line}\n{stdout}{stderr}exit {code}\n")
}

#[test]
fn every_command_line_gets_its_exact_answer() {
    let text = fs::read_to_string(CASES).unwrap();
    let mut actual = String::new();
    let mut in_head = true;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            in_head = false;
            let answer = run(command);
            assert_eq!(answer.lines().count(), 3, "one line of output: {answer}");
            actual.push_str(&answer);
        } else if in_head || line.is_empty() || line.starts_with('#') {
            actual.push_str(line);
            actual.push('\n');
        }
    }
    if updating() {
        fs::write(CASES, actual).unwrap();
        return;
    }
    assert_eq!(actual, text, "see the head of this file");
}

#[test]
fn the_help_is_as_reviewed() {
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help-demo", &["demo", "--help"]),
        ("help-once", &["once", "--help"]),
        ("help-check-config", &["check-config", "--help"]),
    ] {
        let output = binary().args(arguments).assert().success();
        let help = String::from_utf8(output.get_output().stdout.clone()).unwrap();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "wider than 80: {line}");
        }
        let path = format!("tests/config/{name}.txt");
        if updating() {
            fs::write(&path, &help).unwrap();
        }
        assert_eq!(
            help,
            fs::read_to_string(&path).unwrap_or_default(),
            "{path}"
        );
    }
    let short = binary().arg("-h").assert().success();
    let long = fs::read("tests/config/help.txt").unwrap();
    assert_eq!(short.get_output().stdout, long, "-h and --help are one");
}

#[test]
fn help_and_version_work_as_words() {
    let answer = |arguments: &[&str]| {
        let output = binary().args(arguments).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    assert_eq!(answer(&["help"]), answer(&["--help"]));
    assert_eq!(answer(&["help", "once"]), answer(&["once", "--help"]));
    assert_eq!(answer(&["version"]), answer(&["--version"]));
}

#[test]
fn the_version_is_told_as_prometheus_programs_do() {
    let output = binary().arg("--version").assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let start = format!(
        "kernel-auth-exporter, version {} (revision: ",
        env!("CARGO_PKG_VERSION")
    );
    assert!(text.starts_with(&start), "{text}");
    let rust = text
        .lines()
        .find(|line| line.contains("rust version:"))
        .unwrap();
    assert!(rust.ends_with(|c: char| c.is_ascii_digit()), "{rust}");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_may_not_be_read_is_a_clear_error() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    fs::write(&path, "sk_live_secret").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let flag = format!("--kernel.api-key-file={}", path.display());
    // The superuser reads everything, unless that is taken away.
    let mut command = if fs::File::open(&path).is_ok() {
        let mut command = Command::new("setpriv");
        command
            .arg("--bounding-set=-dac_override,-dac_read_search")
            .arg(cargo_bin!());
        command
    } else {
        binary()
    };
    command.env_clear().args(["check-config", &flag]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("permission denied; the user"), "{stderr}");
}
