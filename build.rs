//! Tells the crate what it was built from: `KERNEL_AUTH_EXPORTER_REVISION` (the
//! git commit, unless the environment names another) and
//! `KERNEL_AUTH_EXPORTER_RUSTVERSION`. Neither has to be known for the build to
//! succeed.

use std::path::Path;
use std::process::Command;

const REVISION: &str = "KERNEL_AUTH_EXPORTER_REVISION";
const RUSTVERSION: &str = "KERNEL_AUTH_EXPORTER_RUSTVERSION";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={REVISION}");
    // Only a release asks git: elsewhere each commit would rebuild the crate.
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // Set but empty, as a build argument that nobody gave, is not set.
    let given = std::env::var(REVISION).unwrap_or_default();
    if given.is_empty() {
        let found = release.then(git_revision).flatten();
        let revision = found.as_deref().unwrap_or("unknown");
        println!("cargo::rustc-env={REVISION}={revision}");
    }
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    // `rustc 1.95.0 (59807616e 2026-04-14)`
    if let Some(version) = output(Command::new(compiler).arg("--version"))
        && let Some(number) = version.split_whitespace().nth(1)
    {
        println!("cargo::rustc-env={RUSTVERSION}={number}");
    }
}

/// The commit that is checked out here. Nothing where the sources lie in some
/// other repository's tree.
fn git_revision() -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    // Grows with every commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    output(Command::new("git").args(arguments))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
