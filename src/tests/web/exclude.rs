//! What the configuration excludes is nowhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::stage::{api_of, exporter, write};
use kernel_api_simulator::{DEFAULT_API_KEY, Truth};

#[tokio::test]
async fn what_is_excluded_is_in_no_metric_page_or_discovery() {
    let api = api_of(230).await;
    let truth = api.control.truth();
    // A domain by its end, a profile by its whole name.
    let end = truth[0].domain.split_once('.').unwrap().1;
    let profile = &truth
        .iter()
        .find(|row| !row.domain.ends_with(end))
        .unwrap()
        .profile_name;
    let is_left = |row: &&Truth| !row.domain.ends_with(end) && row.profile_name != *profile;
    let left: BTreeSet<&str> = truth.iter().filter(is_left).map(|row| &*row.id).collect();
    assert!(!left.is_empty() && left.len() < truth.len());

    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("key"), DEFAULT_API_KEY);
    let config = directory.path().join("config.yml");
    let exclude = format!("{{domains: ['*.{end}'], profiles: ['{profile}']}}");
    write(
        &config,
        &format!("accounts: [{{name: a, api_key_file: key, exclude: {exclude}}}]"),
    );
    let front = exporter(&api, &[&format!("--config.file={}", config.display())]).await;

    let scrape = front.scrape().await;
    assert_eq!(scrape.one("kernel_auth_up", &[]), Some(1.0));
    let shown: BTreeSet<&str> = scrape
        .text
        .lines()
        .filter_map(|line| line.split_once("connection_id=\"")?.1.split('"').next())
        .collect();
    assert_eq!(shown, left);
    let counted = scrape.of("kernel_auth_connections");
    assert_eq!(
        counted.map(|(_, count)| count).sum::<f64>(),
        left.len() as f64
    );

    let groups = front.get("/sd").await.text.clone();
    let groups: Vec<Value> = serde_json::from_str(&groups).unwrap();
    let targets: BTreeSet<&str> = groups
        .iter()
        .map(|group| group["targets"][0].as_str().unwrap())
        .collect();
    assert_eq!(targets, left);

    let excluded = truth.iter().find(|row| !is_left(row)).unwrap();
    let page = front.get("/").await;
    assert!(!page.text.contains(&excluded.domain));
    for path in ["/connection?id=", "/connection?account=a&id="] {
        let page = front.get(&format!("{path}{}", excluded.id)).await;
        assert_eq!(page.status, 404);
    }
    let probed = front.get(&format!("/probe?target={}", excluded.id)).await;
    assert_eq!(probed.one("probe_success", &[]), Some(0.0));
    assert!(!probed.text.contains(&excluded.profile_name));
}

#[tokio::test]
async fn a_list_is_walked_whole_however_little_is_left_of_it() {
    let api = api_of(230).await;
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("key"), DEFAULT_API_KEY);
    let config = directory.path().join("config.yml");
    write(
        &config,
        "accounts: [{name: a, api_key_file: key, exclude: {domains: ['*e', '*m', '*t']}}]",
    );
    let front = exporter(&api, &[&format!("--config.file={}", config.display())]).await;
    for _ in 0..2 {
        api.control.reset_requests();
        let scrape = front.scrape().await;
        assert_eq!(scrape.one("kernel_auth_up", &[]), Some(1.0));
        assert!(!scrape.text.contains("connection_id"));
        assert_eq!(api.control.requests().total, 3, "three pages, and no more");
    }
}
