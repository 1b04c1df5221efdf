//! Tells the program what it is built from: `EXPORTER_REVISION` and
//! `EXPORTER_RUST_VERSION`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=EXPORTER_REVISION");

    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rust_version = output(&rustc, &["--version"])
        .and_then(|line| line.split_whitespace().nth(1).map(str::to_owned));
    println!(
        "cargo::rustc-env=EXPORTER_RUST_VERSION={}",
        rust_version.as_deref().unwrap_or("unknown")
    );

    // Only a release asks git: elsewhere each commit would rebuild the crate.
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let revision = env::var("EXPORTER_REVISION")
        .ok()
        .filter(|given| !given.is_empty())
        .or_else(|| {
            if !release {
                return None;
            }
            if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
                println!("cargo::rerun-if-changed={log}");
            }
            output("git", &["rev-parse", "--short=12", "HEAD"])
        });
    println!(
        "cargo::rustc-env=EXPORTER_REVISION={}",
        revision.as_deref().unwrap_or("unknown")
    );
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
