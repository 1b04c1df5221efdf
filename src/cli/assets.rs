//! Flags of `assets`.

use std::path::PathBuf;

use clap::Args;

/// Where to write, and what to write into the links.
#[derive(Debug, Args)]
pub struct AssetsArgs {
    /// Directory to write into; made if missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Where the runbooks can be read; the alerts link there
    #[arg(long, value_name = "URL")]
    pub runbook_base_url: Option<String>,

    /// Where Grafana is; the alerts link there
    #[arg(long, value_name = "URL")]
    pub dashboard_base_url: Option<String>,

    /// The scrape job that the rules look at
    #[arg(long, value_name = "NAME", default_value = "kernel-auth-exporter")]
    pub job: String,
}
