//! `demo` and `simulate`: the simulated API, with and without the exporter.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::SecretString;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::app::{self, Exporter, Loader, StartError};
use crate::cli::{DemoArgs, SimulateArgs};
use crate::config::{ConfigError, Flags, Simulated, load_demo};
use kernel_api_simulator::{DEFAULT_API_KEY, Options, Simulator};

/// Projects of the demo's organisation.
const PROJECTS: usize = 2;

/// Why there is no demo.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    /// The flags of the exporter.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The exporter.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The simulated API.
    #[error("the simulated API: {0}")]
    Simulator(#[from] io::Error),
}

/// The simulated API on loopback and the exporter in front of it, in one
/// process, until SIGTERM or SIGINT.
pub(crate) async fn demo(args: &DemoArgs, flags: &Flags) -> Result<(), DemoError> {
    let options = Options {
        connections: args.connections as usize,
        seed: args.seed,
        speed: f64::from(args.speed),
        projects: PROJECTS,
        ..Options::default()
    };
    let simulator = Simulator::bind(&args.listen_address, options).await?;
    let url = simulator.base_url();
    let loader: Loader = {
        let (flags, url) = (flags.clone(), url.clone());
        Arc::new(move || {
            let simulated = Simulated {
                url: url.clone(),
                key: SecretString::from(DEFAULT_API_KEY),
            };
            load_demo(&flags, simulated)
        })
    };
    let config = loader()?;
    let exporter = Exporter::start(&config).await?.reloading(loader);
    let shutdown = CancellationToken::new();
    app::end_on_signal(shutdown.clone())?;
    let world = tokio::spawn(simulator.run(shutdown.clone()));
    for address in exporter.addresses() {
        let page = format!("{}{}", browsable(address), config.web.prefix().as_str());
        let text = format!(
            "A simulated fleet of {} connections; no key, nothing real.\n\n  \
             metrics      {page}{}\n  status page  {page}/\n  simulated API {url} (key {DEFAULT_API_KEY})\n\n\
             Ctrl-C ends it.\n",
            args.connections, config.web.telemetry_path,
        );
        // Nobody may be reading; the demo goes on.
        let _ = io::stdout().write_all(text.as_bytes());
    }
    exporter.run(shutdown).await;
    let _ = world.await;
    Ok(())
}

/// Only the simulated API, until SIGTERM or SIGINT.
pub(crate) async fn simulate(args: &SimulateArgs) -> Result<(), DemoError> {
    let shutdown = CancellationToken::new();
    app::end_on_signal(shutdown.clone())?;
    let (listen, control) = (args.listen_address(), args.control_address.as_deref());
    kernel_api_simulator::simulate(&listen, control, args.options(), shutdown).await?;
    Ok(())
}

/// An address that a browser on this machine can open.
fn browsable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}
