//! The table of settings as flags of the commands.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{BROUGHT_BY_DEMO, Flags, Row, rows};

/// The section that every command takes.
const LOGGING: &str = "Logging";

/// Commands that know nothing of the exporter's configuration.
const WITHOUT: [&str; 4] = ["simulate", "assets", "generate", "version"];

fn taken_by(command: &str) -> impl Iterator<Item = &'static Row> + use<'_> {
    let all = !WITHOUT.contains(&command);
    let reads_config = move |row: &Row| row.flag == Some("config.file") && command == "assets";
    rows()
        .iter()
        .filter(move |row| all || row.heading == LOGGING || reads_config(row))
}

/// Adds the flags to the command line, in front of the commands and behind
/// those that take them. clap's `global` would show them all in the help of
/// every command, and of a flag that repeats drop what stands in front.
pub(super) fn define(command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    let command = command.args(taken_by("").flat_map(args));
    names.into_iter().fold(command, |command, name| {
        let taken = taken_by(&name).flat_map(args).map(|arg| {
            // Refused with words of its own, so it stays a flag.
            let is_brought = BROUGHT_BY_DEMO.contains(&arg.get_id().as_str());
            let is_hidden = arg.is_hide_set() || (name == "demo" && is_brought);
            arg.hide(is_hidden)
        });
        let taken: Vec<Arg> = taken.collect();
        command.mut_subcommand(name.clone(), |subcommand| subcommand.args(taken))
    })
}

fn args(row: &'static Row) -> Vec<Arg> {
    let Some(flag) = row.flag else {
        return Vec::new();
    };
    let noted = |what: &str, text: Option<&str>| match text {
        Some(text) => format!(" [{what}: {text}]"),
        None => String::new(),
    };
    let default = noted("default", row.shown_default());
    let help = format!("{}{default}{}", row.help, noted("env", row.env));
    let arg = Arg::new(flag).long(flag).help_heading(row.heading);
    let Some(value_name) = row.value_name else {
        let twin = twin(flag);
        let yes = arg.help(help).action(ArgAction::SetTrue);
        let no = Arg::new(twin.clone()).long(twin.clone());
        let no = no.action(ArgAction::SetTrue).hide(true);
        let both = [flag.to_owned(), twin];
        return vec![yes, no]
            .into_iter()
            .map(|arg| arg.overrides_with_all(both.clone()))
            .collect();
    };
    let action = if row.repeats {
        ArgAction::Append
    } else {
        ArgAction::Set
    };
    let arg = arg.help(help).action(action).value_name(value_name);
    vec![arg.value_parser(value_parser!(OsString))]
}

/// The flag that switches it off.
fn twin(flag: &str) -> String {
    format!("no-{flag}")
}

/// The same with a switch and its twin as one, for pages that are not a help
/// text.
pub(super) fn shown_with_twins(command: Command) -> Command {
    let is_switch = |arg: &Arg| has_twin(arg.get_id().as_str());
    command
        .mut_args(|arg| {
            let long = format!("[no-]{}", arg.get_id());
            if is_switch(&arg) { arg.long(long) } else { arg }
        })
        .mut_subcommands(shown_with_twins)
}

/// Whether it is a switch that can be switched off.
pub(super) fn has_twin(flag: &str) -> bool {
    let mut switches = rows().iter().filter(|row| row.value_name.is_none());
    switches.any(|row| row.flag == Some(flag))
}

/// What was given before the command and behind it, in this order.
pub(super) fn given(matches: &ArgMatches) -> Flags {
    let mut flags = Flags::default();
    add(&mut flags, "", matches);
    if let Some((name, below)) = matches.subcommand() {
        add(&mut flags, name, below);
    }
    flags
}

fn add(flags: &mut Flags, command: &str, matches: &ArgMatches) {
    for row in taken_by(command) {
        let Some(flag) = row.flag else {
            continue;
        };
        if row.value_name.is_some() {
            let values = matches.get_many::<OsString>(flag).unwrap_or_default();
            flags.add(flag, values.cloned());
        } else if matches.get_flag(flag) {
            flags.add(flag, ["true".into()]);
        } else if matches.get_flag(&twin(flag)) {
            flags.add(flag, ["false".into()]);
        }
    }
}

/// A flag in front of a command that does not take it, as it was typed: it
/// would be ignored in silence.
pub(super) fn foreign(matches: &ArgMatches) -> Option<String> {
    let command = matches.subcommand_name()?;
    let flags = given(matches);
    let taken: Vec<_> = taken_by(command).filter_map(|row| row.flag).collect();
    let foreign = rows().iter().find(|row| {
        let given = |flag: &&str| !taken.contains(flag) && !flags.values(flag).is_empty();
        row.flag.as_ref().is_some_and(given)
    })?;
    let flag = foreign.flag?;
    let is_off = foreign.value_name.is_none() && flags.values(flag) == ["false"];
    let typed = if is_off { twin(flag) } else { flag.to_owned() };
    Some(format!("{command} does not take --{typed}"))
}

/// A help text with a switch and its twin as one, as Prometheus' programs have
/// it.
pub(super) fn with_twins(help: &str) -> String {
    let switches = rows().iter().filter(|row| row.value_name.is_none());
    let names = switches.filter_map(|row| row.flag);
    names.fold(help.to_owned(), |help, name| {
        help.replace(&format!("--{name}\n"), &format!("--[no-]{name}\n"))
    })
}
