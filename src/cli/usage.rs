//! From arguments to a [`Cli`], or to the one thing to print instead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::settings;
use super::{Cli, Parsed};
use crate::config::LogFormat;
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
/// Flags in front of a command and behind it count alike.
pub(crate) fn parse<I>(arguments: I) -> Result<Cli, Stop>
where
    I: IntoIterator<Item = OsString>,
{
    let matches = settings::define(Parsed::command())
        .try_get_matches_from(arguments)
        .map_err(|error| stop(&error))?;
    if let Some(problem) = settings::foreign(&matches) {
        return Err(Stop::Mistake(problem));
    }
    let parsed = Parsed::from_arg_matches(&matches).map_err(|error| stop(&error))?;
    Ok(Cli {
        flags: settings::given(&matches),
        command: parsed.command,
    })
}

/// The format of the log as it was typed, whatever else is wrong with the
/// command line; the last one counts.
pub(crate) fn log_format(arguments: &[OsString]) -> LogFormat {
    const FLAG: &str = "--log.format";
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let is_json = |at: usize| match words[at].strip_prefix(FLAG) {
        Some("") => Some(words.get(at + 1) == Some(&"json")),
        Some(value) => Some(value.strip_prefix('=')? == "json"),
        None => None,
    };
    match (0..words.len()).rev().find_map(is_json) {
        Some(true) => LogFormat::Json,
        _ => LogFormat::Logfmt,
    }
}

fn stop(error: &clap::Error) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp => Stop::Answer(settings::with_twins(&error.render().to_string())),
        ErrorKind::DisplayVersion => Stop::Answer(Build::current().text()),
        _ => Stop::Mistake(one_line(error)),
    }
}

/// What clap says in several lines, without the usage.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && is_key_flag(argument)
    {
        return "no flag takes the key itself, because everyone on the machine could read it; set \
                KERNEL_API_KEY or give a file with --kernel.api-key-file"
            .to_owned();
    }
    if error.kind() == ErrorKind::TooManyValues
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
    {
        let switch = argument.trim_start_matches('-').trim_start_matches("no-");
        let twin = if settings::has_twin(switch) {
            format!(", or --no-{switch} to switch it off")
        } else {
            String::new()
        };
        return format!("{argument} takes no value; give --{switch}{twin} (see --help)");
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
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    format!("{line} (see --help)")
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
        settings::define(Parsed::command()).debug_assert();
    }
}
