//! SIGHUP and `/-/reload`.

use std::path::Path;

use kernel_api_simulator::{DEFAULT_API_KEY, Fault, FaultKind, RetryAfter};

use super::stage::{Answer, Front, api_of, exporter, write};
use crate::tests::common::api::Api;
use crate::tests::common::clock::until;

const OK: &str = "kernel_auth_exporter_config_last_reload_successful";
const AT: &str = "kernel_auth_exporter_config_last_reload_success_timestamp_seconds";

/// Writes a key file and a configuration with `more`, and returns its flag.
fn configuration(directory: &Path, more: &str) -> String {
    let (key, file) = (directory.join("key"), directory.join("config.yml"));
    if !key.exists() {
        write(&key, DEFAULT_API_KEY);
    }
    write(
        &file,
        &format!(
            "accounts: [{{name: main, api_key_file: {}}}]\n{more}",
            key.display()
        ),
    );
    format!("--config.file={}", file.display())
}

async fn front(api: &Api, directory: &Path, flags: &[&str]) -> Front {
    let config = configuration(directory, "");
    let mut all = vec![config.as_str(), "--web.enable-lifecycle"];
    all.extend(flags);
    exporter(api, &all).await
}

fn connections(answer: &Answer) -> usize {
    answer.of("kernel_auth_connection_can_reauth").count()
}

#[tokio::test]
async fn only_where_it_is_switched_on_and_only_by_post_or_put() {
    let api = api_of(1).await;
    let closed = exporter(&api, &[]).await;
    let answer = closed.post("/-/reload").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("--web.enable-lifecycle"));
    let directory = tempfile::tempdir().unwrap();
    let open = front(&api, directory.path(), &[]).await;
    for front in [&closed, &open] {
        let answer = front.get("/-/reload").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), "POST, PUT");
    }
    let put = open.request("PUT", "/-/reload").send().await.unwrap();
    assert_eq!(put.status(), 200);
    let other_site = open.request("POST", "/-/reload");
    let other_site = other_site.header("sec-fetch-site", "cross-site");
    assert_eq!(other_site.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_what_is_wrong() {
    let api = api_of(3).await;
    let directory = tempfile::tempdir().unwrap();
    let front = front(&api, directory.path(), &[]).await;
    let before = front.scrape().await;
    assert_eq!(before.one(OK, &[]), Some(1.0));
    let loaded = before.one(AT, &[]).unwrap();
    let all_states = |text: &str| text.contains("status=\"NEEDS_AUTH\"} 0");
    assert!(all_states(&before.text));

    configuration(directory.path(), "metrics: {states: s3cret}\n");
    let answer = front.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("config.yml:2:"), "{}", answer.text);
    assert!(answer.text.contains("states"), "{}", answer.text);
    let after = front.scrape().await;
    assert_eq!(after.one(OK, &[]), Some(0.0));
    assert_eq!(after.one(AT, &[]), Some(loaded));
    assert_eq!(connections(&after), 3);
    assert!(all_states(&after.text));

    configuration(directory.path(), "metrics: {states: active}\n");
    assert_eq!(front.post("/-/reload").await.status, 200);
    let after = front.scrape().await;
    assert_eq!(after.one(OK, &[]), Some(1.0));
    assert!(after.one(AT, &[]).unwrap() > loaded);
    assert!(!all_states(&after.text));

    // A key that cannot be read is a bad file too.
    std::fs::remove_file(directory.path().join("key")).unwrap();
    let answer = front.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("key"), "{}", answer.text);
    assert_eq!(connections(&front.scrape().await), 3);
}

#[tokio::test]
async fn the_web_configuration_is_part_of_it() {
    let api = api_of(1).await;
    let directory = tempfile::tempdir().unwrap();
    let web = directory.path().join("web.yml");
    write(
        &web,
        "http_server_config: {headers: {X-Frame-Options: deny}}\n",
    );
    let flag = format!("--web.config.file={}", web.display());
    let front = front(&api, directory.path(), &[&flag]).await;
    assert_eq!(front.scrape().await.header("x-frame-options"), "deny");

    write(&web, "http_server_config: {headers: {X-Unheard-Of: x}}\n");
    configuration(directory.path(), "metrics: {states: active}\n");
    let answer = front.post("/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("--web.config.file"), "{}", answer.text);
    let after = front.scrape().await;
    assert_eq!(after.one(OK, &[]), Some(0.0));
    // The other file was right, and yet not half of it all is taken up.
    assert!(after.text.contains("status=\"UNKNOWN\"} 0"));

    write(
        &web,
        "http_server_config: {headers: {X-Frame-Options: sameorigin}}\n",
    );
    assert_eq!(front.post("/-/reload").await.status, 200);
    let after = front.scrape().await;
    assert_eq!(after.header("x-frame-options"), "sameorigin");
    assert_eq!(after.one(OK, &[]), Some(1.0));
    assert!(!after.text.contains("status=\"UNKNOWN\"} 0"));

    // It is also read by itself, and counts then too.
    write(&web, "nonsense: 1\n");
    front.scrape().await;
    assert_eq!(front.scrape().await.one(OK, &[]), Some(0.0));
}

#[tokio::test]
async fn a_reload_while_the_api_fails_loses_nothing() {
    let api = api_of(4).await;
    let directory = tempfile::tempdir().unwrap();
    let front = front(&api, directory.path(), &[]).await;
    let before = front.scrape().await;
    assert_eq!(connections(&before), 4);
    let fetched = before.one("kernel_auth_snapshot_timestamp_seconds", &[]);
    let held = FaultKind::Status {
        status: 429,
        code: None,
        retry_after: Some(RetryAfter::Text("600".to_owned())),
        should_retry: None,
    };
    api.control.add_fault(Fault::new(held));
    front.scrape().await;
    let asked = api.control.requests().total;

    for hold in ["10m", "20m"] {
        configuration(directory.path(), &format!("api: {{hold: {hold}}}\n"));
        assert_eq!(front.post("/-/reload").await.status, 200);
        let after = front.scrape().await;
        assert_eq!(connections(&after), 4);
        assert_eq!(after.one("kernel_auth_up", &[]), Some(0.0));
        assert_eq!(
            after.one("kernel_auth_snapshot_timestamp_seconds", &[]),
            fetched
        );
    }
    assert_eq!(
        api.control.requests().total,
        asked,
        "what the API asked for holds over a reload"
    );

    // Other names of profiles are other series: what is held is of no use.
    configuration(directory.path(), "metrics: {profile_name: hash}\n");
    assert_eq!(front.post("/-/reload").await.status, 200);
    assert_eq!(connections(&front.scrape().await), 0);
}

#[tokio::test]
async fn a_scrape_under_way_ends_as_it_began() {
    let api = api_of(2).await;
    let directory = tempfile::tempdir().unwrap();
    let front = front(&api, directory.path(), &[]).await;
    api.control
        .add_fault("latency=2s,times=1".parse::<Fault>().unwrap());
    let scrape = front.request("GET", "/metrics").send();
    let scrape = tokio::spawn(async { scrape.await.unwrap().text().await.unwrap() });
    until(|| api.control.requests().total > 0).await;
    configuration(directory.path(), "metrics: {states: active}\n");
    assert_eq!(front.post("/-/reload").await.status, 200);
    let text = scrape.await.unwrap();
    assert!(text.contains("kernel_auth_up{account=\"main\"} 1"));
    assert!(text.contains("status=\"UNKNOWN\"} 0"));
    // What it saw is known from now on.
    api.control.add_fault(Fault::status(400));
    let after = front.scrape().await;
    assert_eq!(after.one("kernel_auth_up", &[]), Some(0.0));
    assert_eq!(connections(&after), 2);
}
