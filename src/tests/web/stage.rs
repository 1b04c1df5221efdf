//! A simulated API and the exporter in front of it, in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{Exporter, Loader};
use crate::cli;
use crate::config;
use kernel_api_simulator::{Control, DEFAULT_API_KEY, Options, Simulator};
use reqwest::{Client, RequestBuilder, Response};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Api {
    pub(crate) control: Control,
    pub(crate) url: String,
    _ends: Ends,
}

/// Ends what runs when the test does.
struct Ends(CancellationToken);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(crate) async fn api(options: Options) -> Api {
    let options = Options {
        frozen: true,
        ..options
    };
    let simulator = Simulator::bind("127.0.0.1:0", options).await.unwrap();
    let (control, url) = (simulator.control(), simulator.base_url());
    let ends = CancellationToken::new();
    tokio::spawn(simulator.run(ends.clone()));
    Api {
        control,
        url,
        _ends: Ends(ends),
    }
}

pub(crate) async fn api_of(connections: usize) -> Api {
    api(Options {
        connections,
        ..Options::default()
    })
    .await
}

pub(crate) struct Front {
    pub(crate) url: String,
    client: Client,
    _ends: Ends,
}

/// The exporter with these flags beside those that it needs here.
pub(crate) async fn exporter(api: &Api, flags: &[&str]) -> Front {
    let mut arguments = vec![
        "kernel-auth-exporter".to_owned(),
        "--web.listen-address=127.0.0.1:0".to_owned(),
        format!("--kernel.api-url={}", api.url),
    ];
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let flags = cli::parse(arguments.into_iter().map(Into::into))
        .unwrap_or_else(|_| panic!("flags"))
        .flags;
    let env = |name: &str| (name == "KERNEL_API_KEY").then(|| DEFAULT_API_KEY.into());
    let loader: Loader = Arc::new(move || {
        if flags.config_file.is_some() {
            config::load(&flags, &|_: &str| None)
        } else {
            config::load(&flags, &env)
        }
    });
    let config = loader().unwrap();
    let exporter = Exporter::start(&config).await.unwrap().reloading(loader);
    let url = format!("http://{}", exporter.addresses()[0]);
    let ends = CancellationToken::new();
    tokio::spawn(exporter.run(ends.clone()));
    Front {
        url,
        client: Client::new(),
        _ends: Ends(ends),
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
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
    pub(crate) fn value(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mut found = self.text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        });
        let value = found.next()?.rsplit(' ').next()?.parse().ok();
        assert_eq!(found.next(), None, "{name}{labels:?} is not one series");
        value
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
        text: response.text().await.unwrap(),
    }
}

/// Waits until `reached`, not for ever.
pub(crate) async fn until(reached: impl Fn() -> bool) {
    let wait = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("not reached");
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
