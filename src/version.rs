//! What was built, from what, by what.

/// This or another build of the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub version: &'static str,
    /// The git commit, or `unknown`.
    pub revision: &'static str,
    /// The compiler's version, or `unknown`.
    pub rustversion: &'static str,
}

impl Build {
    pub(crate) const fn current() -> Self {
        const fn or_unknown(text: Option<&'static str>) -> &'static str {
            match text {
                Some(text) => text,
                None => "unknown",
            }
        }
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: or_unknown(option_env!("KERNEL_AUTH_EXPORTER_REVISION")),
            rustversion: or_unknown(option_env!("KERNEL_AUTH_EXPORTER_RUSTVERSION")),
        }
    }

    /// What `--version` prints, in the form that Prometheus' programs use.
    pub(crate) fn text(self) -> String {
        format!(
            "kernel-auth-exporter, version {} (revision: {})\n  rust version:     {}\n  \
             platform:         {}/{}\n",
            self.version,
            self.revision,
            self.rustversion,
            std::env::consts::OS,
            std::env::consts::ARCH,
        )
    }
}
