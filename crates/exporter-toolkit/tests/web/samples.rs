//! Every sample file, judged by us and by Prometheus' own tool.

use std::path::{Path, PathBuf};
use std::process::Command;

use exporter_toolkit::web_config::WebConfig;

/// Right by the toolkit, but newer than the promtool at hand may be.
const NEWER_THAN_PROMTOOL: [&str; 9] = [
    "client_ca_inline",
    "client_names",
    "client_names_refused",
    "null_sections",
    "rate_limit",
    "rate_limit_no_burst",
    "rate_limit_off",
    "tls_inline",
    "tls_key_inline",
];

/// What promtool accepts and we refuse, and why.
const STRICTER_THAN_PROMTOOL: [(&str, &str); 11] = [
    ("cipher_cbc", "rustls has no CBC suites"),
    ("cipher_static_rsa", "rustls has no static RSA; old Go had"),
    ("curve_p521", "the provider has no P-521 key exchange"),
    ("version_retired", "rustls has no TLS 1.0 and 1.1"),
    ("versions_crossed", "Go refuses each handshake instead"),
    ("ciphers_of_no_version", "Go refuses each handshake instead"),
    (
        "ciphers_without_http2",
        "Go refuses it when it starts to serve",
    ),
    ("client_ca_empty", "Go refuses each client instead"),
    ("header_line_break", "Go silently sends spaces instead"),
    ("user_hash_damaged", "Go looks at length and cost only"),
    ("user_hash_cost", "a single check would take hours"),
];

fn samples(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new("tests/web-config").join(kind);
    let mut found: Vec<_> = std::fs::read_dir(&directory)
        .expect("the samples")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.sort();
    assert!(found.len() > 20, "samples are missing in {kind}");
    found
}

fn name(path: &Path) -> &str {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.expect("a name")
}

/// `Err` with what it said.
fn promtool(path: &Path) -> Result<(), String> {
    let output = Command::new("promtool")
        .args(["check", "web-config"])
        .arg(path)
        .output()
        .expect("promtool, of Debian's prometheus package");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout))
}

#[test]
fn good_samples_are_right_and_promtool_agrees() {
    for path in samples("good") {
        WebConfig::load(&path).unwrap_or_else(|error| panic!("{error}"));
        if let Err(said) = promtool(&path) {
            assert!(
                NEWER_THAN_PROMTOOL.contains(&name(&path)) && said.contains("not found in type"),
                "{}: {said}",
                path.display()
            );
        }
    }
}

/// `UPDATE_EXPECTED=1` writes the messages anew.
#[test]
fn bad_samples_get_their_exact_message_and_promtool_agrees() {
    for path in samples("bad") {
        let text = std::fs::read_to_string(&path).expect("a sample");
        let (expected, sample) = text
            .split_once('\n')
            .expect("the message in the first line");
        let error = WebConfig::load(&path).expect_err(name(&path)).to_string();
        let message = error
            .strip_prefix(&format!("{}:", path.display()))
            .expect("the file first");
        let message = format!("# expected: {}", message.trim_start());
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, format!("{message}\n{sample}")).expect("written");
        } else {
            assert_eq!(message, expected, "{}", path.display());
        }
        let stricter = STRICTER_THAN_PROMTOOL
            .iter()
            .any(|(stricter, _)| *stricter == name(&path));
        assert_eq!(promtool(&path).is_ok(), stricter, "{}", path.display());
    }
}

#[test]
fn no_message_repeats_a_value() {
    for (text, secret) in [
        ("tls_server_config: S3cret", "S3cret"),
        ("tls_server_config: {cert_file: [S3cret]}", "S3cret"),
        ("tls_server_config: {min_version: S3cret}", "S3cret"),
        ("tls_server_config: {cipher_suites: [S3cret]}", "S3cret"),
        ("tls_server_config: {curve_preferences: [S3cret]}", "S3cret"),
        ("tls_server_config: {key: S3cret, cert: S3cret}", "S3cret"),
        ("basic_auth_users: {alice: S3cret}", "S3cret"),
        ("basic_auth_users: [S3cret]", "S3cret"),
        ("basic_auth_users: {alice: {S3cret: 1}}", "S3cret"),
        ("http_server_config: {http2: S3cret}", "S3cret"),
        (
            "http_server_config: {headers: {X-Frame-Options: S3cret}}",
            "S3cret",
        ),
        ("rate_limit: {interval: S3cret}", "S3cret"),
        ("rate_limit: {burst: S3cret}", "S3cret"),
        ("S3cret", "S3cret"),
        ("*S3cret", "S3cret"),
        ("a: !S3cret [", "S3cret"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        std::fs::write(&path, text).expect("written");
        let error = WebConfig::load(&path).expect_err(text);
        assert!(!error.to_string().contains(secret), "{error}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = WebConfig::load(Path::new("tests/web-config/nowhere.yml")).expect_err("missing");
    assert_eq!(
        error.to_string(),
        "tests/web-config/nowhere.yml: No such file or directory (os error 2)"
    );
}
