//! Flags of `simulate`.

use clap::Args;

/// The simulated API.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:10078")]
    pub listen_address: String,
}
