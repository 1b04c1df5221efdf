//! The command line: clap, and nothing else. The exporter's own flags are those
//! of `config`'s table and stay text here; the other options of the commands
//! are here.

mod assets;
mod generate;
mod settings;
mod simulate;
mod usage;

pub(crate) use assets::AssetsArgs;
pub(crate) use generate::{GenerateArgs, generate};
pub(crate) use simulate::SimulateArgs;
pub(crate) use usage::{Stop, log_format, parse};

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Flags;
use crate::duration;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Cli {
    /// The settings given before the command and behind it.
    pub flags: Flags,
    /// What to do; serve metrics when left out.
    pub command: Option<Command>,
}

#[derive(Debug, Parser)]
#[command(
    name = "kernel-auth-exporter",
    version,
    about = "Prometheus exporter for Kernel's managed auth connections.\n\n\
             Without a command it serves metrics. Later wins: defaults, config file, \
             environment, flags.",
    next_line_help = true,
    term_width = 80
)]
struct Parsed {
    #[command(subcommand)]
    command: Option<Command>,
}

const DEMO_COLLECTORS: &str = "Every collector is on, timeline and org too; --no-collector.NAME switches one \
     off. It collects every five seconds by itself, which serving never does.";

const SIMULATE_COLLECTORS: &str = "It answers for every collector, timeline and org too. Those of the exporter in \
     front of it stay as they are: --collector.timeline and --collector.org there \
     switch them on.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show it all on a simulated fleet: no key needed, Ctrl-C ends it
    #[command(after_help = DEMO_COLLECTORS)]
    Demo(DemoArgs),
    /// Serve only the simulated Kernel API
    #[command(after_help = SIMULATE_COLLECTORS)]
    Simulate(SimulateArgs),
    /// Collect once and print the metrics, or a table for people; exits with 1
    /// when the API did not answer fully
    Once(OnceArgs),
    /// Write dashboards, rules, runbooks and sample configurations
    Assets(AssetsArgs),
    /// Check flags, config file and web config; with --online the keys and the
    /// cost as well
    CheckConfig(CheckArgs),
    /// Write man pages and completions of shells, for packages
    #[command(hide = true)]
    Generate(GenerateArgs),
    /// Print the version
    #[command(hide = true)]
    Version,
}

/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Connections in the simulated fleet
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub connections: u32,

    /// The same seed makes the same fleet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Run lifecycles this many times faster than real time; the API's clock
    /// runs with them
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub speed: u32,

    /// Where the simulated API listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen_address: String,
}

/// `check-config`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Keys, certificates and the variables that hold keys need not be there:
    /// for the checks of a repository
    #[arg(long, conflicts_with = "online")]
    pub syntax_only: bool,

    /// Ask the API, too: what each key sees, what a scrape costs, what to set.
    /// Exits with 1 when it does not answer fully
    #[arg(long)]
    pub online: bool,

    /// How often Prometheus is to scrape, for --online
    #[arg(long, value_name = "DURATION", default_value = "30s",
          value_parser = interval, requires = "online")]
    pub interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(span) if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&span) => Ok(span),
        Ok(_) => Err("must be between 1s and 1h".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `once`.
#[derive(Debug, Args)]
pub(crate) struct OnceArgs {
    /// `text`: metrics; `table`: one aligned line per connection; `json`: for
    /// programs
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub format: OnceFormat,

    /// Every column of the table in full, however narrow the terminal
    #[arg(long)]
    pub wide: bool,

    /// Write there instead of stdout, atomically; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave out the metrics about the exporter itself, which would be the same
    /// series in each of several files of one textfile collector
    #[arg(long)]
    pub disable_exporter_metrics: bool,
}

/// How `once` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnceFormat {
    /// Prometheus' text format.
    Text,
    /// For people, those that need one first.
    Table,
    /// For programs; docs/once.schema.json is its schema.
    Json,
}
