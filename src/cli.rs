//! Command line: clap, and nothing else.

mod simulate;

pub use simulate::SimulateArgs;

use clap::{Parser, Subcommand};

/// Prometheus exporter for Kernel's managed auth connections.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do; serve metrics when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve only the simulated Kernel API.
    Simulate(SimulateArgs),
}
