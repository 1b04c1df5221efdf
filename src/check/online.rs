//! Asking the API, as scrapes would, and about what scrapes do not ask.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use prometheus::proto::MetricFamily;

use super::findings::Findings;
use super::report::Report;
use crate::app::{self, StartError, Upstream};
use crate::collect::{Request, list_projects};
use crate::config::{Account, Config};
use crate::kernel::{Attempt, AuthContext, Client, DecodeError, Error, OrgLimits, Query};
use crate::model::Endpoint;
use crate::telemetry::Telemetry;

/// A collection that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks the API with each account's key, one after the other.
pub(crate) async fn online(config: &Config, interval: Duration) -> Result<Report, StartError> {
    let mut report = Report::new(config, interval);
    for account in &config.accounts {
        let alone = Config {
            accounts: vec![account.clone()],
            ..config.clone()
        };
        report.add(&alone, account, &findings(&alone, account).await?);
    }
    report.end();
    Ok(report)
}

async fn findings(config: &Config, account: &Account) -> Result<Findings, StartError> {
    let budget = config.api.timeout.max(PATIENCE);
    // Counted apart from what a scrape costs.
    let client = app::client(config, account, &app::telemetry(config))?;
    // A key is asked about as long as a scrape may take, and no longer.
    let attempt = client.begin(config.api.timeout).await;
    let path = "/auth/context";
    let context = ask(
        &client,
        attempt,
        Endpoint::AuthContext,
        path,
        AuthContext::read,
    )
    .await;
    let mut found = Findings::of(context);
    if found.is_the_end() {
        return Ok(found);
    }
    found.projects = Some(
        list_projects(&client, attempt)
            .await
            .map(|listed| listed.projects.into_values().collect()),
    );
    let path = "/org/limits";
    let limits = ask(&client, attempt, Endpoint::OrgLimits, path, OrgLimits::read).await;
    found.in_organization = limits.ok().and_then(|limits| limits.connections_used);

    let telemetry = app::telemetry(config);
    let watcher = app::watcher(config, &telemetry, &mut Upstream::default(), None)?;
    let started = Instant::now();
    let collected = watcher.collect(Request::everything(budget)).await;
    found.took = started.elapsed();
    found.requests = requests(&telemetry);
    found.limit = collected
        .fleet
        .accounts
        .iter()
        .find_map(|account| account.ratelimit_limit)
        .or(client.rate().limit);
    found.collected = Some(collected);
    Ok(found)
}

async fn ask<T>(
    client: &Client,
    attempt: Attempt,
    endpoint: Endpoint,
    path: &str,
    read: impl Fn(&[u8]) -> Result<T, DecodeError>,
) -> Result<T, Error> {
    let query = Query::new(endpoint, path);
    let answer = client.get(query, &attempt.deadline(), read).await?;
    Ok(answer.value)
}

/// How many there were, by endpoint.
fn requests(telemetry: &Telemetry) -> BTreeMap<String, u64> {
    let mut requests = BTreeMap::new();
    let families = telemetry.gather();
    let counted = families
        .iter()
        .filter(|family| family.name() == "kernel_auth_api_requests_total");
    for metric in counted.flat_map(MetricFamily::get_metric) {
        let labels = metric.get_label();
        let endpoint = labels.iter().find(|label| label.name() == "endpoint");
        let name = endpoint.map_or("", |label| label.value()).to_owned();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = metric.get_counter().get_value() as u64;
        *requests.entry(name).or_default() += count;
    }
    requests
}
