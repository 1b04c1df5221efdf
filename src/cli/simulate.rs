//! Flags of `simulate`.

use std::time::Duration;

use clap::Args;

use crate::duration;
use kernel_api_simulator::{Fault, Options};

/// The simulated API.
///
/// Only reads are simulated. Point a client at the address in the log, with the
/// API key below.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where to listen. Port 0 takes a free port; it is in the log.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:10078")]
    pub listen_address: String,

    /// Where the control endpoint listens, on the loopback interface only. Off
    /// when left out; docs/simulator.md lists its commands.
    #[arg(long, value_name = "HOST:PORT")]
    pub control_address: Option<String>,

    /// How many connections, over all projects.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub connections: usize,

    /// The same seed makes the same fleet.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// How long it waits before every answer, such as 100ms.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub latency: Duration,

    /// Answers so many requests a minute, such as 100/min, and 429 beyond.
    /// No limit when left out.
    #[arg(long, value_name = "N/min", value_parser = kernel_api_simulator::parse_rate)]
    pub rate_limit: Option<u32>,

    /// The key to accept. It opens nothing but this simulator.
    #[arg(long, value_name = "KEY", default_value = kernel_api_simulator::DEFAULT_API_KEY)]
    pub api_key: String,

    /// Lifecycles run so many times faster than real time; 0 stops the clock.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed)]
    pub speed: f64,

    /// Active projects, which share the connections. With more than one there
    /// is an archived one beside them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub projects: u16,

    /// What goes wrong, such as status=503,endpoint=connections,every=3.
    /// Repeatable; docs/simulator.md lists the kinds.
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|speed: &f64| speed.is_finite() && (0.0..=1e6).contains(speed))
        .ok_or_else(|| format!("`{text}` is not a factor from 0 to 1000000"))
}

impl SimulateArgs {
    /// What to make the simulator from.
    pub(crate) fn options(&self) -> Options {
        Options {
            connections: self.connections,
            seed: self.seed,
            latency: self.latency,
            rate_limit: self.rate_limit,
            api_key: self.api_key.clone(),
            speed: self.speed,
            faults: self.faults.clone(),
            projects: usize::from(self.projects),
            ..Options::default()
        }
    }

    /// Where to listen; a bare `:PORT` means every interface.
    pub(crate) fn listen_address(&self) -> String {
        match self.listen_address.strip_prefix(':') {
            Some(port) => format!("[::]:{port}"),
            None => self.listen_address.clone(),
        }
    }
}
