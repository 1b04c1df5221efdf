//! `/probe`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kernel_api_simulator::{
    DEFAULT_API_KEY, Fault, FaultKind, Options, RetryAfter, Route, SENSITIVE_MARK,
};
use serde_json::json;
use tokio::time::advance;

use super::stage::{api_of, exporter, read, write};
use crate::tests::common::api::{Api, world};
use crate::tests::common::clock::{StoppedClock, fast};

fn latency(text: &str) -> Fault {
    text.parse().unwrap()
}

#[tokio::test]
async fn it_shows_one_connection_and_nothing_of_the_exporter() {
    let api = api_of(5).await;
    let front = exporter(&api, &[]).await;
    let id = api.control.truth()[2].id.clone();
    let begun = Instant::now();
    let probed = front.get(&format!("/probe?target={id}")).await;
    assert_eq!(probed.status, 200);
    assert_eq!(
        probed.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(probed.one("probe_success", &[]), Some(1.0));
    let took = probed.one("probe_duration_seconds", &[]).unwrap();
    assert!(0.0 < took && took < begun.elapsed().as_secs_f64(), "{took}");
    let found = "kernel_auth_connection_found";
    assert_eq!(probed.one(found, &[&id]), Some(1.0));
    for family in probed.families() {
        let of_it = family.starts_with("kernel_auth_connection_") || family.starts_with("probe_");
        assert!(of_it, "{family}");
    }
    // Every family that a scrape shows of this connection, with the same labels.
    let series = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| line.contains(&format!("connection_id=\"{id}\"")))
            .filter(|line| !line.starts_with(found))
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    };
    let scraped = front.scrape().await;
    assert_eq!(series(&probed.text), series(&scraped.text));
    assert!(!probed.text.contains(&api.control.truth()[0].id));
    // No list was walked for the probe.
    let log = api.control.requests();
    assert_eq!(log.count(Route::Connection), 1);
}

#[tokio::test]
async fn it_speaks_the_formats_that_scrapes_do() {
    let api = api_of(1).await;
    let front = exporter(&api, &[]).await;
    let path = format!("/probe?target={}", api.control.truth()[0].id);
    let request = front
        .request("GET", &path)
        .header("accept", "application/openmetrics-text; version=1.0.0");
    let answer = read(request.send().await.unwrap()).await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(answer.text.ends_with("# EOF\n"));
    let request = front
        .request("GET", &path)
        .header("accept-encoding", "gzip");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let narrowed = front.get(&format!("{path}&collect[]=status")).await;
    assert!(narrowed.text.contains("kernel_auth_connection_status{"));
    assert!(!narrowed.text.contains("kernel_auth_connection_can_reauth{"));
}

#[tokio::test]
async fn what_is_no_target_is_refused_and_not_repeated() {
    let api = api_of(2).await;
    let front = exporter(&api, &["--kernel.connection=ma_1"]).await;
    for (query, words) in [
        ("", "target=ID"),
        ("?target=", "not a connection ID"),
        (
            "?target=https%3A%2F%2Fevil.example%2Fs3cret",
            "not a connection ID",
        ),
        ("?target=..", "not a connection ID"),
        ("?target=a%2F..%2Fs3cret", "not a connection ID"),
        ("?target=ma_1&target=ma_2", "one target"),
        ("?target=ma_1&account=s3cret", "no such account"),
        ("?target=ma_1&project=s3cret", "no such project"),
        ("?target=ma_s3cret", "does not select"),
        ("?target=ma_1&collect[]=s3cret", "no such collector"),
    ] {
        let answer = front.get(&format!("/probe{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text.contains(words), "{query}: {}", answer.text);
        assert!(!answer.text.contains("s3cret"), "{query}: {}", answer.text);
    }
    assert_eq!(api.control.requests().total, 0);
}

#[tokio::test]
async fn the_place_is_named_or_known_from_a_snapshot() {
    let api = Api::start(Options {
        projects: 2,
        ..world(6)
    })
    .await;
    let front = exporter(&api, &["--kernel.project=all"]).await;
    let truth = api.control.truth();
    let (id, project) = (&truth[0].id, &truth[0].project);
    let unnamed = format!("/probe?target={id}");
    let answer = front.get(&unnamed).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("project="), "{}", answer.text);
    let named = front.get(&format!("{unnamed}&project={project}")).await;
    assert_eq!(named.one("probe_success", &[]), Some(1.0));
    assert!(named.text.contains(&format!("project=\"{project}\"")));

    front.scrape().await;
    let known = front.get(&unnamed).await;
    assert_eq!(known.one("probe_success", &[]), Some(1.0));
    assert_eq!(front.get("/probe?target=ma_unheard_of").await.status, 400);
    let gone = front.get("/probe?target=ma_1&project=proj_gone").await;
    assert_eq!(gone.status, 400, "the API has listed the projects");
}

#[tokio::test]
async fn in_a_long_outage_a_probe_without_a_place_fails_and_is_no_mistake() {
    let _clock = StoppedClock::new();
    let api = Api::start(Options {
        projects: 2,
        ..world(6)
    })
    .await;
    let flags = ["--kernel.project=all", "--kernel.hold=0s"];
    let front = exporter(&api, &flags).await;
    fast(front.scrape()).await;
    let path = format!("/probe?target={}", api.control.truth()[0].id);
    api.control.add_fault(Fault::status(500));
    for _ in 0..2 {
        let answer = fast(front.get(&path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.one("probe_success", &[]), Some(0.0));
        advance(Duration::from_mins(5)).await;
        fast(front.scrape()).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_gone_is_not_found() {
    let api = api_of(2).await;
    let front = exporter(&api, &[]).await;
    let id = api.control.truth()[0].id.clone();
    front.scrape().await;
    assert!(api.control.remove_connection(&id));
    let answer = front.get(&format!("/probe?target={id}")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.one("probe_success", &[]), Some(0.0));
    assert_eq!(
        answer.one("kernel_auth_connection_found", &[&id]),
        Some(0.0)
    );
    assert_eq!(answer.one("kernel_auth_connection_status", &[]), None);
}

#[tokio::test]
async fn a_failing_api_fails_the_probe_and_shows_nothing_old() {
    let api = api_of(1).await;
    let front = exporter(&api, &[]).await;
    let id = api.control.truth()[0].id.clone();
    let path = format!("/probe?target={id}");
    front.scrape().await;
    api.control.add_fault(Fault::status(403));
    let answer = front.get(&path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.one("probe_success", &[]), Some(0.0));
    assert_eq!(
        answer.families(),
        ["probe_success", "probe_duration_seconds"]
    );
    api.control.clear_faults();
    let answer = front.get(&path).await;
    assert_eq!(answer.one("probe_success", &[]), Some(1.0));

    api.control.add_fault(Fault::new(FaultKind::Silent));
    let request = front
        .request("GET", &path)
        .header("x-prometheus-scrape-timeout-seconds", "0.8");
    let answer = read(request.send().await.unwrap()).await;
    assert_eq!(answer.one("probe_success", &[]), Some(0.0));
    api.control.clear_faults();
}

#[tokio::test]
async fn probes_of_the_same_connection_share_a_request() {
    let api = api_of(2).await;
    let front = exporter(&api, &[]).await;
    let truth = api.control.truth();
    let path = |at: usize| format!("/probe?target={}", truth[at].id);
    // The key is known to be good, so that nothing else is in the way.
    assert_eq!(front.get(&path(0)).await.status, 200);
    api.control.reset_requests();
    api.control.add_fault(latency("latency=3s,times=2"));
    let probes = (0..12).map(|at| {
        let path = path(usize::from(at % 4 == 0));
        let front = &front;
        async move { front.get(&path).await.one("probe_success", &[]) }
    });
    let probes = futures_util::future::join_all(probes).await;
    assert!(probes.iter().all(|success| *success == Some(1.0)));
    assert_eq!(api.control.requests().count(Route::Connection), 2);
    // What is over is over.
    front.get(&path(0)).await;
    assert_eq!(api.control.requests().count(Route::Connection), 3);
}

#[tokio::test]
async fn a_429_holds_probes_back_too() {
    let api = api_of(2).await;
    let front = exporter(&api, &[]).await;
    let truth = api.control.truth();
    let limited = FaultKind::Status {
        status: 429,
        code: None,
        retry_after: Some(RetryAfter::Text("600".to_owned())),
        should_retry: None,
    };
    api.control.add_fault(Fault::new(limited).times(1));
    for at in [0, 1, 0, 1] {
        let answer = front.get(&format!("/probe?target={}", truth[at].id)).await;
        assert_eq!(answer.one("probe_success", &[]), Some(0.0));
        assert_eq!(answer.one("kernel_auth_connection_status", &[]), None);
    }
    assert_eq!(api.control.requests().total, 1);
}

#[tokio::test]
async fn a_refused_key_costs_one_request_for_many_probes() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    let truth = api.control.truth();
    api.control.set_api_key("sk_other");
    for _ in 0..5 {
        for connection in &truth {
            let answer = front.get(&format!("/probe?target={}", connection.id)).await;
            assert_eq!(answer.one("probe_success", &[]), Some(0.0));
        }
    }
    let asked = api.control.requests().total;
    assert!(asked <= 3, "{asked} requests with a key that was refused");
}

#[tokio::test]
async fn the_selection_holds_and_names_stay_hidden() {
    let api = api_of(0).await;
    for (id, domain) in [("ma_in", "a.example"), ("ma_out", "b.example")] {
        api.control
            .create_connection(None, Some(id), domain, "s3cret-profile")
            .unwrap();
    }
    api.control
        .set_connection("ma_in", json!({"status": "NEEDS_AUTH"}));
    let directory = tempfile::tempdir().unwrap();
    let (key, file) = (directory.path().join("key"), directory.path().join("c.yml"));
    write(&key, DEFAULT_API_KEY);
    write(
        &file,
        &format!(
            "accounts: [{{name: main, api_key_file: {}, domains: [a.example]}}]\n\
             metrics: {{profile_name: hash}}\n",
            key.display()
        ),
    );
    let flag = format!("--config.file={}", file.display());
    let front = exporter(&api, &[&flag]).await;
    let answer = front.get("/probe?target=ma_in&account=main").await;
    let labels = ["account=\"main\"", "status=\"NEEDS_AUTH\""];
    assert_eq!(
        answer.one("kernel_auth_connection_status", &labels),
        Some(1.0)
    );
    assert!(!answer.text.contains("s3cret"));
    let answer = front.get("/probe?target=ma_out").await;
    assert_eq!(answer.one("probe_success", &[]), Some(0.0));
    assert_eq!(
        answer.families(),
        ["probe_success", "probe_duration_seconds"]
    );
}

#[tokio::test]
async fn it_explains_itself_to_people() {
    // As in the program, somebody listens before the first line is written: a
    // place that was found to have no listener is not asked again at once.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    let id = api.control.truth()[1].id.clone();
    let path = format!("/probe?target={id}&debug=true");
    let explained = async || {
        let answer = front.get(&path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        let text = answer.text.clone();
        let secret = text.contains(DEFAULT_API_KEY) || text.contains(SENSITIVE_MARK);
        assert!(!secret, "{text}");
        text
    };
    let requests = |text: &str| text.matches("msg=\"API request\"").count();
    let text = explained().await;
    assert!(
        text.starts_with(&format!("Probe of {id}: success\n")),
        "{text}"
    );
    assert_eq!(requests(&text), 1, "{text}");
    assert!(text.contains("endpoint=connection status=200 seconds="));
    assert!(text.contains("\nprobe_success 1\n"), "{text}");

    // Each try is told, and why there was another.
    api.control.add_fault(Fault::status(503).times(1));
    let text = explained().await;
    assert_eq!(requests(&text), 2, "{text}");
    assert!(text.contains("status=503") && text.contains("reason=server_error"));
    assert!(text.contains("\nprobe_success 1\n"), "{text}");

    let missing = front.get("/probe?target=ma_nobody&debug=true").await;
    assert!(missing.text.contains("status=404"), "{}", missing.text);
    assert!(
        missing
            .text
            .contains("Kernel does not know this connection")
    );

    api.control.add_fault(Fault::status(401));
    let text = explained().await;
    assert!(text.starts_with(&format!("Probe of {id}: no success, ")));
    assert!(text.lines().next().unwrap().contains("401"), "{text}");
    assert!(text.contains("\nprobe_success 0\n"), "{text}");
    // The next one is not sent at once, and says so.
    let text = explained().await;
    assert!(text.contains("not sent, since the key was just refused"));
    assert!(text.contains("answered:\nnothing was sent\n"), "{text}");
    api.control.clear_faults();

    // Only where it is asked for.
    for other in ["", "&debug", "&debug=false", "&debug=1"] {
        let plain = front.get(&format!("/probe?target={id}{other}")).await;
        assert!(plain.text.starts_with("# HELP "), "{other}");
    }
}
