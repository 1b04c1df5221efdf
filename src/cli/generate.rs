//! Man pages and completions of shells, for those who make packages.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Parsed, settings};

/// `generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Where to write; created where it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Writes `*.1`, and the completions of bash, zsh and fish by the names that
/// these shells look for.
pub(crate) fn generate(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut command_line = settings::define(Parsed::command());
    // In a man page the name takes one line; what is said below it says more.
    if let Some(about) = command_line.get_about().map(ToString::to_string) {
        let line = about.lines().next().unwrap_or_default().to_owned();
        command_line = command_line.about(line).long_about(about);
    }
    clap_mangen::generate_to(command_line.clone(), dir)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let name = command_line.get_name().to_owned();
        clap_complete::generate_to(shell, &mut command_line.clone(), name, dir)?;
    }
    Ok(())
}
