//! Flags of `assets`.

use std::path::PathBuf;

use clap::Args;

use crate::assets::Options;

/// Dashboards, rules, runbooks and sample configurations, written to a
/// directory. Without flags the files are as they stand in the repository; with
/// `--config.file`, without the alerts whose collectors are off there.
#[derive(Debug, Args)]
pub(crate) struct AssetsArgs {
    /// Where to write; created where it is missing.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Write nothing; exit with 1 where DIR is not what would be written, for
    /// the checks of a repository.
    #[arg(long)]
    pub check: bool,

    #[command(flatten)]
    pub options: Options,
}
