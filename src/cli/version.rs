//! What was built, of what.

/// Version of the crate.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit that was built, where the build knew it.
pub(crate) const REVISION: &str = match option_env!("KERNEL_AUTH_EXPORTER_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Compiler, as in `1.95.0`.
pub(crate) const RUST_VERSION: &str = match option_env!("KERNEL_AUTH_EXPORTER_RUSTVERSION") {
    Some(version) => version,
    None => "unknown",
};

/// What `--version` prints, in the form that Prometheus' programs use.
pub(crate) fn version_text() -> String {
    format!(
        "kernel-auth-exporter, version {VERSION} (revision: {REVISION})\n  rust version:     \
         {RUST_VERSION}\n  platform:         {}/{}\n",
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}
