//! `demo` and `simulate`: the simulated API, with and without the exporter.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::app::{self, Exporter, Loader, StartError};
use crate::cli::{DemoArgs, SimulateArgs};
use crate::config::{Config, ConfigError, Flags, load_demo};
use kernel_api_simulator::{DEFAULT_API_KEY, Options, Simulator};

/// Projects of the demo's organisation.
const PROJECTS: usize = 2;

/// The demo's API is its own: it needs nobody to scrape.
const COLLECTS_EVERY: Duration = Duration::from_secs(5);

/// What the demo's API publishes, requests a minute: more than anybody tries,
/// so that every collection is a new one.
const LIMIT: u32 = 6_000;

/// Why there is no demo.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    /// The flags of the exporter.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
        rate_limit: Some(LIMIT),
        ..Options::default()
    };
    let simulator = Simulator::bind(&args.listen_address, options).await?;
    let simulator = simulator.with_control("127.0.0.1:0").await?;
    let loader: Loader = {
        let (flags, url) = (flags.clone(), simulator.base_url());
        Arc::new(move || load_demo(&flags, &url, DEFAULT_API_KEY.into()))
    };
    let config = loader()?;
    let exporter = Exporter::start(&config, loader, Some(COLLECTS_EVERY)).await?;
    let shutdown = CancellationToken::new();
    app::end_on_signal(shutdown.clone())?;
    let text = welcome(args, &config, &simulator, &exporter);
    let world = tokio::spawn(simulator.run(shutdown.clone()));
    // Nobody may be reading; the demo goes on.
    let _ = io::stdout().write_all(text.unwrap_or_default().as_bytes());
    exporter.run(shutdown).await;
    let _ = world.await;
    Ok(())
}

/// What the demo says: where to look, and what to try.
fn welcome(
    args: &DemoArgs,
    config: &Config,
    simulator: &Simulator,
    exporter: &Exporter,
) -> Option<String> {
    let connections = args.connections;
    let pace = match args.speed {
        1 => String::new(),
        speed => format!(", living {speed} times as fast as a real one"),
    };
    let scheme = if exporter.has_tls() { "https" } else { "http" };
    let address = browsable(*exporter.addresses().first()?);
    let site = format!("{scheme}://{address}{}", config.web.prefix().as_str());
    let telemetry_path = &config.web.telemetry_path;
    // A key goes to this machine alone without TLS.
    let api = simulator.base_url().replace("//0.0.0.0:", "//127.0.0.1:");
    let api = api.replace("//[::]:", "//[::1]:");
    let control = simulator.control_url().unwrap_or_default();
    let program = program();
    Some(format!(
        "A simulated fleet of {connections} connections{pace}.
No key is needed, and Kernel is not asked.

  status page    {site}/
  metrics        {site}{telemetry_path}
  simulated API  {api}  (key {DEFAULT_API_KEY})

Three things to try, in another terminal:

1. Who needs a person, as a table:

   KERNEL_BASE_URL={api} KERNEL_API_KEY={DEFAULT_API_KEY} \\
     KERNEL_PROJECT=all {program} once --format=table

2. Alerts, in a Prometheus that is ready to run; http://localhost:9090/alerts
   has the first ones within a minute:

   {program} assets kernel-auth \\
     --target={address} --interval=5s --flow-awaiting-for=10s
   prometheus --config.file=kernel-auth/examples/prometheus-alerting.yml \\
     --storage.tsdb.path=kernel-auth/data

3. What is shown while the API fails; the second command ends it:

   curl -s -d status=503 {control}/faults
   curl -s -X DELETE {control}/faults

Ctrl-C ends it all.
"
    ))
}

/// This program, as it was called.
fn program() -> String {
    let called = std::env::args().next();
    let plain = |name: &String| !name.is_empty() && !name.contains(char::is_whitespace);
    called
        .filter(plain)
        .unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned())
}

/// Only the simulated API, until SIGTERM or SIGINT.
pub(crate) async fn simulate(args: &SimulateArgs) -> Result<(), DemoError> {
    let shutdown = CancellationToken::new();
    app::end_on_signal(shutdown.clone())?;
    let (listen, control) = (args.listen_address(), args.control_address.as_deref());
    kernel_api_simulator::simulate(&listen, control, args.options(), shutdown).await?;
    Ok(())
}

/// Host and port that a browser on this machine can open.
fn browsable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}
