//! args → logging → command; nothing else.

use clap::Parser;
use kernel_auth_exporter::cli::Cli;

fn main() {
    let _cli = Cli::parse();
}
