//! Man pages and completions of shells, for those who make packages.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::{Generator, Shell};

use super::{Parsed, settings};

/// `generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Where to write; created where it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// What the main page says below its commands.
const MAIN_PAGE: &str = r#".SH "EXIT STATUS"
.TP
\fB0\fR
It did what it was asked to, or was stopped by SIGTERM or SIGINT.
.TP
\fB1\fR
It could not, or, with \fBonce\fR and \fBcheck\-config \-\-online\fR, the API did not answer fully.
.TP
\fB2\fR
It was called wrongly.
.SH ENVIRONMENT
.TP
\fBKERNEL_API_KEY\fR
The API key. There is no flag that takes it.
.TP
\fBKERNEL_API_KEY_FILE\fR, \fBKERNEL_PROJECT\fR, \fBKERNEL_BASE_URL\fR
As \fB\-\-kernel.api\-key\-file\fR, \fB\-\-kernel.project\fR and \fB\-\-kernel.api\-url\fR.
.TP
\fBHTTPS_PROXY\fR, \fBHTTP_PROXY\fR, \fBALL_PROXY\fR, \fBNO_PROXY\fR
The proxy to the API, and hosts to reach without one.
.TP
\fBSSL_CERT_FILE\fR, \fBSSL_CERT_DIR\fR
Certificate authorities in the place of the system's.
"#;

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
    let name = command_line.get_name().to_owned();
    clap_mangen::generate_to(settings::shown_with_twins(command_line.clone()), dir)?;
    let main_page = dir.join(format!("{name}.1"));
    fs::OpenOptions::new()
        .append(true)
        .open(main_page)?
        .write_all(MAIN_PAGE.as_bytes())?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command_line.clone(), &name, &mut script);
        let script = mended(&String::from_utf8_lossy(&script), &command_line);
        fs::write(dir.join(shell.file_name(&name)), script)?;
    }
    Ok(())
}

/// What `clap_complete` writes, where shells understand it otherwise: for bash
/// it names the branches of a program with a `-` in two ways, and fish's
/// `argparse` takes no flags with a `.`.
fn mended(script: &str, command_line: &Command) -> String {
    let commands = command_line.get_subcommands().map(Command::get_name);
    let commands = commands.collect::<Vec<_>>().join("|");
    let first_command = format!("set -l argv (string match -r '^(?:{commands}|help)$' -- $cmd)");
    let argparse = "argparse -s (__fish_kernel_auth_exporter_global_optspecs) -- $cmd 2>/dev/null\n    \
                    or return";
    script
        .replace(
            "kernel__subcmd__auth__subcmd__exporter",
            "kernel__auth__exporter",
        )
        .replace(argparse, &first_command)
}
