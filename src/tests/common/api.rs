//! The simulated API, on a port of its own.

use kernel_api_simulator::{Control, Options, Simulator};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A simulated API that ends with the test.
pub(crate) struct Api {
    pub(crate) url: String,
    pub(crate) control: Control,
    _end: DropGuard,
}

impl Api {
    pub(crate) async fn start(options: Options) -> Self {
        let simulator = Simulator::bind("127.0.0.1:0", options).await.unwrap();
        let end = CancellationToken::new();
        let (url, control) = (simulator.base_url(), simulator.control());
        tokio::spawn(simulator.run(end.clone()));
        Self {
            url,
            control,
            _end: end.drop_guard(),
        }
    }
}

/// A world that stands still unless told otherwise.
pub(crate) fn world(connections: usize) -> Options {
    Options {
        connections,
        speed: 0.0,
        ..Options::default()
    }
}
