#![doc = include_str!("../README.md")]

mod body;
mod cast;
mod chance;
mod clock;
mod command;
mod connection;
mod control;
mod duration;
mod endpoints;
mod fault;
mod fault_text;
mod follow;
mod json;
mod keys;
mod ledger;
mod lifecycle;
mod log;
mod organization;
mod pending;
mod quirk;
mod render;
mod reply;
mod request;
mod respond;
mod route;
mod script;
mod server;
mod sketch;
mod state;
mod truth;
mod values;
mod world;

pub use control::{Control, Happening};
pub use fault::{Fault, FaultKind, RetryAfter, Rows, Spoil};
pub use keys::{KeyScope, parse_rate};
pub use ledger::{Ledger, LedgerCount, LedgerDuration, LedgerError};
pub use lifecycle::CheckOutcome;
pub use log::{RequestCount, RequestEntry, RequestLog};
pub use render::SENSITIVE_MARK;
pub use route::Route;
pub use truth::{Truth, TruthEvent};
pub use values::{
    Auth, Credential, ErrorCode, EventKind, EventStatus, EventStep, FlowKind, FlowStatus, FlowStep,
    Reason,
};

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::fault::Faults;
use self::keys::{Bucket, Keys};
use self::state::Shared;
use self::world::{Seeding, World};

/// The key that is accepted where none is set. No secret.
pub const DEFAULT_API_KEY: &str = "sk_demo";

/// What a simulator is made from.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections, over all projects.
    pub connections: usize,
    /// The same seed makes the same fleet.
    pub seed: u64,
    /// Waits before every answer.
    pub latency: Duration,
    /// Requests a minute of the organisation; `None` for no limit. By real time.
    pub rate_limit: Option<u32>,
    /// The organisation's key.
    pub api_key: String,
    /// How many times faster than real time the world goes; at 0 its clock
    /// moves only by [`Control::advance`].
    pub speed: f64,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
    /// Active projects; with more than one there is an archived one beside.
    pub projects: usize,
    /// Served in place of a fleet, each as it is.
    pub fixtures: Option<Vec<String>>,
    /// What the world's clock shows at the start; `None` for the present.
    pub start: Option<SystemTime>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 100,
            seed: 1,
            latency: Duration::ZERO,
            rate_limit: None,
            api_key: DEFAULT_API_KEY.to_owned(),
            speed: 1.0,
            faults: Vec::new(),
            projects: 1,
            fixtures: None,
            start: None,
        }
    }
}

/// A simulated API, bound and not yet running.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    control: Option<(TcpListener, SocketAddr)>,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Binds `address`, such as `127.0.0.1:0`, and makes the world.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: &str, options: Options) -> io::Result<Self> {
        let (listener, address) = listen(address, address).await?;
        let world = World::new(Seeding {
            connections: options.connections,
            seed: options.seed,
            projects: options.projects,
            start: options.start.unwrap_or_else(SystemTime::now),
            speed: options.speed,
            fixtures: options.fixtures,
        });
        let mut faults = Faults::default();
        for fault in options.faults {
            faults.add(fault);
        }
        Ok(Self {
            listener,
            address,
            control: None,
            shared: Arc::new(Shared {
                world: Mutex::new(world),
                faults: Mutex::new(faults),
                keys: Mutex::new(Keys::new(options.api_key)),
                bucket: Mutex::new(options.rate_limit.map(Bucket::new)),
                organization: Mutex::default(),
                latency: Mutex::new(options.latency),
                log: log::Log::default(),
                changed: watch::Sender::new(0),
            }),
        })
    }

    /// Binds the control endpoint as well.
    ///
    /// # Errors
    /// When the address is not on the loopback interface, or cannot be bound.
    pub async fn with_control(mut self, address: &str) -> io::Result<Self> {
        let found = tokio::net::lookup_host(address).await;
        let found = found.map_err(|error| cannot_listen(address, &error))?;
        let loopback = found.filter(|address| address.ip().is_loopback());
        let addresses: Vec<SocketAddr> = loopback.collect();
        if addresses.is_empty() {
            let only = "the control endpoint listens on the loopback interface only";
            let error = io::Error::new(io::ErrorKind::InvalidInput, only);
            return Err(cannot_listen(address, &error));
        }
        self.control = Some(listen(address, &*addresses).await?);
        Ok(self)
    }

    /// The API's address, `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The control endpoint's address, where there is one.
    pub fn control_url(&self) -> Option<String> {
        let control = self.control.as_ref();
        control.map(|(_, address)| format!("http://{address}"))
    }

    /// The other side; outlives the simulator.
    pub fn control(&self) -> Control {
        Control {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves until `shutdown`, then cuts what is open.
    pub async fn run(self, shutdown: CancellationToken) {
        let control = self.control.map(|(listener, _)| listener);
        server::serve(self.listener, self.shared, control, shutdown).await;
    }
}

/// Binds to what `address` says.
async fn listen(
    address: &str,
    to: impl tokio::net::ToSocketAddrs,
) -> io::Result<(TcpListener, SocketAddr)> {
    let bound = TcpListener::bind(to).await;
    let bound = bound.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: &str, error: &io::Error) -> io::Error {
    let advice = if address.contains(':') {
        ""
    } else {
        "; write HOST:PORT, as in 127.0.0.1:10078"
    };
    let text = format!("cannot listen on {address}: {error}{advice}");
    io::Error::new(error.kind(), text)
}

/// Binds, logs where, and serves until `shutdown`: the command `simulate`.
///
/// # Errors
/// When an address cannot be bound; the message names it.
pub async fn simulate(
    listen_address: &str,
    control_address: Option<&str>,
    options: Options,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (connections, seed) = (options.connections, options.seed);
    let mut simulator = Simulator::bind(listen_address, options).await?;
    if let Some(address) = control_address {
        simulator = simulator.with_control(address).await?;
    }
    if let Some(control) = simulator.control_url() {
        tracing::info!(control, "control endpoint");
    }
    tracing::info!(
        address = simulator.base_url(),
        connections,
        seed,
        "listening"
    );
    simulator.run(shutdown).await;
    Ok(())
}
