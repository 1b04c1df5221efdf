//! Puts the rooms together, and owns the order of start and shutdown.

mod parts;
mod reload;
mod service_manager;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) use self::parts::{StartError, Upstream, client, reloadable, telemetry, watcher};
pub(crate) use self::reload::Loader;
use self::reload::Reloader;
use crate::config::{Config, shown_path};
use crate::logging;
use crate::version::Build;
use crate::web::routes::{Reload, Routes, StaticSettings};
use exporter_toolkit::listener::Listener;
use exporter_toolkit::server::{self, Limits};
use exporter_toolkit::web_config::{WebConfig, WebConfigHandle};

/// Between two looks at the same page.
const REFRESH: Duration = Duration::from_secs(30);

/// Serves metrics until SIGTERM or SIGINT. `loader` reads the configuration
/// again when there is to be a reload.
pub(crate) async fn serve(config: &Config, loader: Loader) -> Result<(), StartError> {
    let shutdown = CancellationToken::new();
    end_on_signal(shutdown.clone())?;
    let exporter = Exporter::start(config, loader, None).await?;
    exporter.run(shutdown).await;
    Ok(())
}

/// The exporter, bound and not yet answering.
pub(crate) struct Exporter {
    listeners: Vec<Listener>,
    reloader: Reloader,
    collects_every: Option<Duration>,
}

impl Exporter {
    /// Reads everything and binds, so that whatever is wrong shows here;
    /// `loader` reads the configuration again on SIGHUP and `/-/reload`.
    ///
    /// It asks the API only when somebody scrapes, unless it is its own API:
    /// then it `collects_every` so often, and its pages refresh every third time.
    pub(crate) async fn start(
        config: &Config,
        loader: Loader,
        collects_every: Option<Duration>,
    ) -> Result<Self, StartError> {
        let hangup = reload::hangup()?;
        if let Some(path) = config.file.as_ref().filter(|path| !path.is_file()) {
            return Err(StartError::ConfigFile(shown_path(path)));
        }
        let telemetry = telemetry(config);
        let web_config = WebConfigHandle::new(config.web.config_file.clone())?;
        let mut upstream = Upstream::default();
        let reloadable = reloadable(config, &telemetry, &mut upstream, None)?;
        let listeners = config.web.listen().bind().await?;
        let settings = StaticSettings {
            telemetry_path: config.web.telemetry_path.clone(),
            prefix: config.web.prefix(),
            external_url: config.web.external_url.clone(),
            max_requests: config.web.max_requests,
            // Time to type a filter in.
            refresh: collects_every.map_or(REFRESH, |every| 3 * every),
        };
        let (reload, orders) = Reload::new(web_config.clone(), config.web.enable_lifecycle);
        let routes = Arc::new(Routes::new(reloadable, settings, telemetry, reload));
        tell_start(config);
        let reloader = Reloader {
            loader,
            routes,
            web_config,
            upstream,
            hangup,
            orders,
        };
        Ok(Self {
            listeners,
            reloader,
            collects_every,
        })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Whether it asks for https.
    pub(crate) fn has_tls(&self) -> bool {
        self.reloader.web_config.last_good().has_tls()
    }

    /// Answers until `shutdown`, then lets running answers finish.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let limits = Limits::default();
        let drain = limits.drain;
        let routes = Arc::clone(&self.reloader.routes);
        let web_config = self.reloader.web_config.clone();
        let reloading = tokio::spawn(self.reloader.run(shutdown.clone()));
        let collecting = self
            .collects_every
            .map(|pause| tokio::spawn(keep_collecting(Arc::clone(&routes), pause)));
        service_manager::ready();
        let drained = server::serve(self.listeners, routes, limits, web_config, shutdown).await;
        reloading.abort();
        if let Some(collecting) = collecting {
            collecting.abort();
        }
        if drained.aborted > 0 {
            tracing::warn!(
                connections = drained.aborted,
                seconds = drain.as_secs(),
                "some answers were not finished in time; stopped"
            );
        } else {
            tracing::info!("stopped");
        }
    }
}

async fn keep_collecting(routes: Arc<Routes>, pause: Duration) {
    loop {
        routes.collect().await;
        tokio::time::sleep(pause).await;
    }
}

/// What starts, and what it was told.
fn tell_start(config: &Config) {
    let build = Build::current();
    tracing::info!(
        version = build.version,
        revision = build.revision,
        config_file = config.file.as_deref().map(shown_path),
        web_config_file = config.web.config_file.as_deref().map(shown_path),
        api = %config.api.url,
        collectors = config.collector_names(),
        "starting"
    );
    for account in &config.accounts {
        let (projects, connections) = (account.projects_in_words(), account.selection_in_words());
        let account = account.name.as_deref();
        tracing::info!(account, projects, connections, "watching");
    }
}

/// `check-config`: reads everything that serving would read, sends nothing, and
/// says in one line what was understood.
pub(crate) fn check(config: &Config) -> Result<String, StartError> {
    let telemetry = telemetry(config);
    watcher(config, &telemetry, &mut Upstream::default(), None)?;
    if let Some(path) = &config.web.config_file {
        WebConfig::load(path)?;
    }
    Ok(config.summary())
}

/// The first SIGTERM or SIGINT ends the program in order, the second at once.
pub(crate) fn end_on_signal(shutdown: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(
            signal = name,
            drain_seconds = Limits::default().drain.as_secs(),
            "stopping once the requests in progress are finished; a second signal stops at once"
        );
        service_manager::stopping();
        shutdown.cancel();
        let name = next().await;
        tracing::warn!(signal = name, "stopping at once");
        logging::flush();
        std::process::exit(1);
    });
    Ok(())
}
