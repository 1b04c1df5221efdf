//! What is answered at which path.

use kernel_api_simulator::{Fault, FaultKind, Route};
use reqwest::Method;

use super::support::{Api, Metrics, Program, get, request};

#[tokio::test]
async fn every_path_has_its_answer() {
    let api = Api::small().await;
    let exporter = api.exporter(&[]);
    let url = exporter.address().await;
    for (path, status, kind) in [
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/", 200, "text/html; charset=utf-8"),
        ("/-/healthy", 200, "text/plain; charset=utf-8"),
        ("/-/ready", 200, "text/plain; charset=utf-8"),
        ("/sd", 200, "application/json"),
        (
            "/probe?target=ma_nobody",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        ("/probe?target=ma/nobody", 400, "text/plain; charset=utf-8"),
        ("/nowhere", 404, "text/plain; charset=utf-8"),
        ("/metrics/", 404, "text/plain; charset=utf-8"),
        ("//metrics", 404, "text/plain; charset=utf-8"),
    ] {
        let response = get(&format!("{url}{path}")).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], kind, "{path}");
        assert!(!response.text().await.unwrap().is_empty(), "{path}");
    }
    let scrape = exporter.scrape().await;
    assert_eq!(scrape.value("kernel_auth_up"), Some(1.0));
    assert!(exporter.get("/").await.contains("href=\"metrics\""));
}

#[tokio::test]
async fn another_method_is_told_which_are_allowed() {
    let api = Api::small().await;
    let exporter = api.exporter(&[]);
    let url = exporter.address().await;
    for path in ["/metrics", "/", "/sd", "/-/healthy", "/-/ready"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let response = request(method.clone(), &format!("{url}{path}"))
                .send()
                .await;
            let response = response.unwrap();
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], "GET, HEAD", "{method} {path}");
            let kind = &response.headers()["content-type"];
            assert_eq!(kind, "text/plain; charset=utf-8", "{method} {path}");
        }
        let response = request(Method::HEAD, &format!("{url}{path}")).send().await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200, "HEAD {path}");
        assert_eq!(response.text().await.unwrap(), "", "HEAD {path}");
    }
    assert_eq!(api.control.requests().non_get, 0);
}

#[tokio::test]
async fn a_scrape_can_be_narrowed_to_collectors() {
    let api = Api::small().await;
    let exporter = api.exporter(&[]);
    let url = exporter.address().await;
    let status = Metrics::new(exporter.get("/metrics?collect[]=status").await);
    assert!(status.has("kernel_auth_connection_status"));
    assert!(status.has("kernel_auth_up"));
    for other in [
        "kernel_auth_connection_last_auth_check_timestamp_seconds",
        "kernel_auth_connection_flow_status",
        "kernel_auth_connection_can_reauth",
        "kernel_auth_connection_save_credentials",
    ] {
        assert!(!status.has(other), "{other}");
        assert!(exporter.scrape().await.has(other), "{other}");
    }
    let path = "/metrics?collect%5B%5D=reauth&collect[]=flow&unrelated=1";
    let two = Metrics::new(exporter.get(path).await);
    assert!(two.has("kernel_auth_connection_can_reauth"));
    assert!(two.has("kernel_auth_connection_flow_status"));
    assert!(!two.has("kernel_auth_connection_status"));
    // Unknown, and known but off: both are somebody's mistake.
    for query in ["collect[]=nonsense", "collect[]=timeline", "collect[]="] {
        let response = get(&format!("{url}/metrics?{query}")).await;
        assert_eq!(response.status(), 400, "{query}");
        let text = response.text().await.unwrap();
        assert!(
            text.contains("status, auth, flow, reauth, settings"),
            "{text}"
        );
        assert!(
            !text.contains("nonsense"),
            "what a stranger sent is not echoed"
        );
    }
    let response = get(&format!("{url}/metrics?account=nobody")).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn another_path_for_the_metrics() {
    let api = Api::small().await;
    let exporter = api.exporter(&["--web.telemetry-path=/fleet"]);
    let url = exporter.address().await;
    assert!(exporter.get("/fleet").await.contains("kernel_auth_up 1"));
    assert!(exporter.get("/").await.contains("href=\"fleet\""));
    assert_eq!(get(&format!("{url}/metrics")).await.status(), 404);
}

#[tokio::test]
async fn a_prefix_stands_before_every_path() {
    let api = Api::small().await;
    let kept = ["--web.external-url=https://p.example/kernel/"];
    let taken_away = [kept[0], "--web.route-prefix=/"];
    let alone = ["--web.route-prefix=kernel"];
    for (flags, prefix, home) in [
        (&kept[..], "/kernel", "https://p.example/kernel/"),
        (&taken_away, "", ""),
        (&alone, "/kernel", "/kernel/"),
    ] {
        let exporter = api.exporter(flags);
        let url = exporter.address().await;
        for (path, status) in [
            ("/metrics", 200),
            ("/", 200),
            ("/?q=a", 200),
            ("/-/healthy", 200),
            ("/-/ready", 200),
            ("/sd", 200),
            ("/probe?target=ma_nobody", 200),
            ("/nowhere", 404),
        ] {
            let answer = get(&format!("{url}{prefix}{path}")).await;
            assert_eq!(answer.status(), status, "{flags:?} {path}");
            if !prefix.is_empty() && path != "/" && path != "/?q=a" {
                let answer = get(&format!("{url}{path}")).await;
                assert_eq!(answer.status(), 404, "{flags:?} {path}");
            }
        }
        for path in ["", "/kernel"] {
            let answer = get(&format!("{url}{path}")).await;
            if prefix.is_empty() {
                assert!(!answer.status().is_redirection(), "{path}");
                continue;
            }
            assert_eq!(answer.status(), 302, "{path}");
            assert_eq!(answer.headers()["location"], home, "{path}");
        }
        // Links say where they lead from here, so they hold behind any proxy.
        let page = exporter.get(&format!("{prefix}/")).await;
        let links: Vec<&str> = page.split("href=\"").skip(1).collect();
        assert!(links.iter().any(|link| link.starts_with("metrics\"")));
        assert!(links.iter().all(|link| !link.starts_with('/')), "{page}");
    }
}

#[tokio::test]
async fn a_stalling_api_does_not_keep_a_scraper_waiting() {
    let api = Api::small().await;
    api.control
        .add_fault(Fault::new(FaultKind::Silent).at(Route::Connections));
    // Only the scraper's own timeout can end this in time.
    let exporter = api.exporter(&["--kernel.timeout=10m"]);
    let url = exporter.address().await;
    for (named, offset) in [("1.5", "default"), ("0.2", "larger than the timeout")] {
        let response = request(Method::GET, &format!("{url}/metrics"))
            .header("X-Prometheus-Scrape-Timeout-Seconds", named)
            .send()
            .await
            .unwrap_or_else(|error| panic!("{offset} offset: {error}"));
        assert_eq!(response.status(), 200);
        let scrape = Metrics::new(response.text().await.unwrap());
        assert_eq!(scrape.value("kernel_auth_up"), Some(0.0));
        assert!(!scrape.has("kernel_auth_connection_status"));
    }
}

#[tokio::test]
async fn it_listens_wherever_it_is_told() {
    let api = Api::small().await;
    let exporter = api.exporter(&[
        "--web.listen-address=127.0.0.1:0",
        "--web.listen-address=[::1]:0",
        "--web.listen-address=127.0.0.2:0",
    ]);
    let addresses = exporter.addresses(3).await;
    for (address, start) in
        addresses
            .iter()
            .zip(["http://127.0.0.1:", "http://[::1]:", "http://127.0.0.2:"])
    {
        assert!(address.starts_with(start), "{address}");
        let text = get(&format!("{address}/metrics")).await.text().await;
        assert!(text.unwrap().contains("kernel_auth_up 1"), "{address}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_a_line_that_names_it() {
    let api = Api::small().await;
    let first = api.exporter(&[]);
    let taken = first.address().await.replace("http://", "");
    let flag = format!("--web.listen-address={taken}");
    let second = Program::exporter(&api.url, "k", &[&flag]).ended().await;
    assert_eq!(second.code(), Some(1));
    assert_eq!(second.stderr.lines().count(), 1, "{}", second.stderr);
    assert!(second.stderr.contains(&taken), "{}", second.stderr);
}

#[tokio::test]
async fn both_spellings_of_both_formats() {
    let api = Api::small().await;
    let exporter = api.exporter(&[]);
    let url = format!("{}/metrics", exporter.address().await);
    let response = request(Method::GET, &url)
        .header(
            "accept",
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
        )
        .send()
        .await
        .unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(response.text().await.unwrap().ends_with("# EOF\n"));
    let response = request(Method::GET, &url)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = response.bytes().await.unwrap();
    assert_eq!(body[..2], [0x1f, 0x8b]);
}
