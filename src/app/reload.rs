//! Reading the configuration again: on SIGHUP, and on `/-/reload`.
//!
//! Everything is read and checked before anything is taken up, so a file with
//! a mistake changes nothing. Listeners and answers under way are not touched.
//! What flags and the environment say stays what it was at the start: the
//! listen addresses, the path of the metrics, the bound on scrapes.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::parts::{self, Upstream, reloadable};
use super::service_manager;
use crate::config::{Config, ConfigError};
use crate::kernel::PerMinute;
use crate::web::routes::{Order, Routes};
use exporter_toolkit::web_config::WebConfigHandle;

/// Reads flags, environment and config file again. May block.
pub(crate) type Loader = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Reloads in a minute that the log tells of: strangers may order them.
const TOLD: usize = 20;

/// What can be told to read the configuration again.
pub(super) struct Reloader {
    pub(super) loader: Loader,
    pub(super) routes: Arc<Routes>,
    pub(super) web_config: WebConfigHandle,
    pub(super) upstream: Upstream,
    pub(super) hangup: Signal,
    pub(super) orders: Option<mpsc::Receiver<Order>>,
}

/// SIGHUP, from now on: without this it ends the process.
pub(super) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

impl Reloader {
    /// Reloads when told to, one at a time, until `shutdown`.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut told = PerMinute::new(TOLD);
        loop {
            let order = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = self.hangup.recv() => None,
                Some(order) = ordered(&mut self.orders) => Some(order),
            };
            service_manager::reloading();
            let result = self.reload().await;
            service_manager::ready();
            self.routes.reload().note(result.is_ok());
            let is_told = told.take();
            match &result {
                Ok(summary) if is_told => tracing::info!(%summary, "configuration reloaded"),
                Err(error) if is_told => {
                    tracing::error!(%error, "configuration not reloaded; nothing changed");
                }
                _ => {}
            }
            if let Some(order) = order {
                // Who asked may be gone.
                let _ = order.send(result.map(drop));
            }
        }
    }

    async fn reload(&mut self) -> Result<String, String> {
        let loader = Arc::clone(&self.loader);
        let telemetry = self.routes.telemetry().clone();
        let before = self.routes.reloadable();
        let mut upstream = self.upstream.clone();
        // The configuration, key files and certificates are read here, which
        // may block.
        let made = tokio::task::spawn_blocking(move || {
            let config = loader().map_err(|error| error.to_string())?;
            let made = reloadable(&config, &telemetry, &mut upstream, Some(&before.watcher))
                .map_err(|error| error.to_string())?;
            telemetry.expect_endpoints(&parts::endpoints(&config));
            parts::expect_flows(&telemetry, &config);
            Ok::<_, String>((made, upstream, config.summary()))
        });
        let made = made.await.map_err(|_| "reading was interrupted")?;
        let (reloadable, upstream, summary) = made?;
        // Last of what can fail: when it is right it is in force.
        self.web_config
            .reload()
            .await
            .map_err(|error| format!("--web.config.file: {error}"))?;
        self.upstream = upstream;
        self.routes.replace(reloadable);
        Ok(summary)
    }
}

/// The next order; waits for ever where none can come.
async fn ordered(orders: &mut Option<mpsc::Receiver<Order>>) -> Option<Order> {
    match orders {
        Some(receiver) => match receiver.recv().await {
            Some(order) => Some(order),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
