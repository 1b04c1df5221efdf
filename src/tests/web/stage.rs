//! A simulated API and the exporter in front of it, in this process.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{Exporter, Loader};
use crate::config;
use crate::tests::common::api::{Api, world};
use crate::tests::common::bench;
use crate::tests::common::metrics::Metrics;
use kernel_api_simulator::DEFAULT_API_KEY;
use reqwest::{Client, RequestBuilder, Response};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn api_of(connections: usize) -> Api {
    Api::start(world(connections)).await
}

pub(crate) struct Front {
    pub(crate) url: String,
    client: Client,
    _end: DropGuard,
}

/// The exporter with these flags beside those that it needs here.
pub(crate) async fn exporter(api: &Api, flags: &[&str]) -> Front {
    let flags = [&["--web.listen-address=127.0.0.1:0"], flags].concat();
    let flags = bench::flags(&api.url, &flags);
    let env = |name: &str| (name == "KERNEL_API_KEY").then(|| DEFAULT_API_KEY.into());
    let loader: Loader = Arc::new(move || {
        if flags.values("config.file").is_empty() {
            config::load(&flags, &env)
        } else {
            config::load(&flags, &|_: &str| None)
        }
    });
    let config = loader().unwrap();
    let exporter = Exporter::start(&config, loader, None).await.unwrap();
    let url = format!("http://{}", exporter.addresses()[0]);
    let end = CancellationToken::new();
    tokio::spawn(exporter.run(end.clone()));
    Front {
        url,
        client: Client::new(),
        _end: end.drop_guard(),
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    metrics: Metrics,
}

impl Deref for Answer {
    type Target = Metrics;

    fn deref(&self) -> &Metrics {
        &self.metrics
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}"))
            .to_str()
            .unwrap()
    }

    /// The value of the one series with this name and labels within.
    pub(crate) fn one(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut found = self
            .metrics
            .of(name)
            .filter(|(written, _)| labels.iter().all(|label| written.contains(label)));
        let (_, value) = found.next()?;
        assert_eq!(found.next(), None, "{name}{labels:?} is not one series");
        Some(value)
    }

    /// The names of the families.
    pub(crate) fn families(&self) -> Vec<&str> {
        let types = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        types.filter_map(|rest| rest.split(' ').next()).collect()
    }
}

impl Front {
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().unwrap();
        let url = format!("{}{path}", self.url);
        self.client.request(method, url).timeout(PATIENCE)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request("GET", path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        read(self.request("POST", path).send().await.unwrap()).await
    }

    pub(crate) async fn scrape(&self) -> Answer {
        self.get("/metrics").await
    }
}

pub(crate) async fn read(response: Response) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        metrics: Metrics::new(response.text().await.unwrap()),
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
