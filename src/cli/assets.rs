//! Flags of `assets`.

use std::path::PathBuf;

use clap::Args;

use crate::assets::Options;

/// Dashboards, rules, runbooks and sample configurations, written to a
/// directory. Without flags the files are as they stand in the repository.
#[derive(Debug, Args)]
pub(crate) struct AssetsArgs {
    /// Where to write; created where it is missing.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    #[command(flatten)]
    pub options: Options,
}
