//! From arguments to a [`Cli`], or to the one thing to print instead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::switches::switches;
use super::{Cli, Command};
use crate::version::Build;

/// Nothing to run: print this and exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Asked for, for stdout; exit with 0.
    Answer(String),
    /// A mistake, one line for stderr; exit with 2.
    Mistake(String),
}

/// Parses arguments, the program's name first.
///
/// Flags in front of a command and behind it count alike: `cli.flags` has
/// both, the later over the earlier.
pub(crate) fn parse<I>(arguments: I) -> Result<Cli, Stop>
where
    I: IntoIterator<Item = OsString>,
{
    let matches = Cli::command()
        .try_get_matches_from(arguments)
        .map_err(|error| stop(&error))?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| stop(&error))?;
    match &mut cli.command {
        None => {}
        Some(Command::Simulate(_) | Command::Assets(_)) => only_log_flags(&matches)?,
        Some(command) => {
            let later = command.flags().map(std::mem::take);
            cli.flags.absorb(later.unwrap_or_default());
        }
    }
    Ok(cli)
}

/// `simulate` and `assets` know nothing of the exporter's configuration: flags
/// for it would be ignored in silence.
fn only_log_flags(matches: &clap::ArgMatches) -> Result<(), Stop> {
    let Some(command) = matches.subcommand_name() else {
        return Ok(());
    };
    let typed = |id: &str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
    let command_line = Cli::command();
    let foreign = command_line
        .get_arguments()
        .filter(|arg| arg.get_help_heading() != Some("Logging"))
        .find(|arg| arg.get_long().is_some() && typed(arg.get_id().as_str()));
    match foreign.and_then(clap::Arg::get_long) {
        None => Ok(()),
        Some(long) => Err(Stop::Mistake(format!(
            "error: {command} does not take --{long}"
        ))),
    }
}

fn stop(error: &clap::Error) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp => Stop::Answer(help(error)),
        ErrorKind::DisplayVersion => Stop::Answer(Build::current().text()),
        _ => Stop::Mistake(one_line(error)),
    }
}

/// Shows a switch and its twin as one, as Prometheus' programs do.
fn help(error: &clap::Error) -> String {
    let mut text = error.render().to_string();
    for name in switches().map(|switch| switch.name) {
        let from = format!("      --{name}\n");
        let to = format!("      --[no-]{name}\n");
        text = text.replace(&from, &to);
    }
    text
}

/// What clap says in several lines, without the usage.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && is_key_flag(argument)
    {
        return "error: no flag takes the key itself, everyone on the machine could read it; \
                set KERNEL_API_KEY or give a file with --kernel.api-key-file"
            .to_owned();
    }
    let text = error.render().to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty());
    let mut line = String::new();
    for part in lines {
        if !line.is_empty() {
            line.push_str(if part.starts_with("tip:") { "; " } else { " " });
        }
        line.push_str(part.strip_prefix("tip: ").unwrap_or(part));
    }
    // A key in the place of something else is not repeated.
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ] {
        if let Some(ContextValue::String(given)) = error.get(kind)
            && given.contains("sk_")
        {
            line = line.replace(given.as_str(), "(not shown)");
        }
    }
    line + " (see --help)"
}

fn is_key_flag(argument: &str) -> bool {
    let name = argument.split('=').next().unwrap_or_default();
    matches!(
        name,
        "--kernel.api-key" | "--api-key" | "--kernel.key" | "--kernel.token" | "--token"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
