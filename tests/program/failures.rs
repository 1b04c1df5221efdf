//! What a scraper sees while the API does not do its part.

use kernel_api_simulator::{Fault, FaultKind, Route};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::support::{Api, KEY, Metrics, PATIENCE, Program, get, request};

/// Metricss as Prometheus does, with a timeout of its own, and holds what every
/// failure has in common: an answer, `kernel_auth_up 0`, one reason counted for
/// each try, one line in the log, and no series of any connection.
async fn fails_with(exporter: Program, reason: &str) -> (Metrics, String) {
    let url = format!("{}/metrics", exporter.address().await);
    let response = request(Method::GET, &url)
        .header("X-Prometheus-Scrape-Timeout-Seconds", PATIENCE.as_secs())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let scrape = Metrics::new(response.text().await.unwrap());
    assert_eq!(scrape.value("kernel_auth_up"), Some(0.0));
    let errors = scrape.samples().filter(|(series, value)| {
        series.starts_with("kernel_auth_api_errors_total{") && *value != "0"
    });
    let errors: Vec<_> = errors.collect();
    let tries = scrape.of("kernel_auth_api_requests_total");
    let tries = tries.map(|(_, count)| count).sum::<f64>().to_string();
    let counted = format!("kernel_auth_api_errors_total{{reason=\"{reason}\"}}");
    assert_eq!(errors, [(counted.as_str(), tries.as_str())]);
    assert!(!scrape.text.contains("connection_id="), "{}", scrape.text);
    let log = exporter.logged(&format!("reason={reason}")).await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("level=warn"), "{log:?}");
    let complaints = exporter.stderr();
    let complaints = complaints
        .lines()
        .filter(|line| !line.contains("level=info"));
    assert_eq!(complaints.count(), 1, "{}", exporter.stderr());
    assert!(!exporter.stderr().contains(KEY));
    (scrape, log[0].clone())
}

/// Answers of the list that count, by status.
#[track_caller]
fn requests(scrape: &Metrics, code: &str) -> f64 {
    let series =
        format!("kernel_auth_api_requests_total{{code=\"{code}\",endpoint=\"connections\"}}");
    scrape.value(&series).unwrap()
}

#[tokio::test]
async fn a_wrong_key() {
    let api = Api::small().await;
    let wrong = "sk_wrong_u3Tz0";
    let exporter = Program::exporter(&api.url, wrong, &[]);
    let (scrape, log) = fails_with(exporter, "unauthorized").await;
    assert!(!scrape.text.contains(wrong) && !log.contains(wrong));
    assert_eq!(requests(&scrape, "401"), 1.0);
    assert_eq!(
        api.control.requests().total,
        1,
        "a refused key is not tried again"
    );
}

#[tokio::test]
async fn nobody_listens() {
    // Bound, so that nobody else takes the port, and not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let exporter = Program::exporter(&url, KEY, &[]);
    let (scrape, _) = fails_with(exporter, "connect").await;
    assert!(requests(&scrape, "error") >= 1.0);
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    // No name has a part of more than 63 letters, so no server need be asked.
    let url = format!("http://{}.invalid", "x".repeat(64));
    let exporter = Program::exporter(&url, KEY, &["--kernel.allow-http"]);
    fails_with(exporter, "dns").await;
}

#[tokio::test]
async fn a_server_error() {
    let api = Api::small().await;
    api.control.add_fault(Fault::status(500));
    let (scrape, _) = fails_with(api.exporter(&[]), "server_error").await;
    assert!(requests(&scrape, "500") > 1.0, "it is tried again");
}

#[tokio::test]
async fn a_page_for_people_instead_of_json() {
    let api = Api::small().await;
    api.control.add_fault(Fault::new(FaultKind::Html));
    let (_, log) = fails_with(api.exporter(&[]), "proxy").await;
    assert!(log.contains("text/html"), "the log says what came: {log}");
    assert!(!log.contains("<html"), "but not all of it: {log}");
}

#[tokio::test]
async fn half_an_answer() {
    let api = Api::small().await;
    api.control
        .add_fault(Fault::new(FaultKind::Truncate).at(Route::Connections));
    fails_with(api.exporter(&[]), "decode").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let api = Api::small().await;
    let other = Api::small().await;
    let to = format!("{}/auth/connections", other.url);
    api.control.add_fault(Fault::new(FaultKind::Redirect(to)));
    fails_with(api.exporter(&[]), "redirect").await;
    assert_eq!(other.control.requests().total, 0, "the key went elsewhere");
}

#[tokio::test]
async fn an_api_that_comes_back_is_seen_at_the_next_scrape() {
    let api = Api::small().await;
    api.control.add_fault(Fault::status(403));
    let exporter = api.exporter(&[]);
    let before = exporter.scrape().await;
    assert_eq!(before.value("kernel_auth_up"), Some(0.0));
    api.control.clear_faults();
    let after = exporter.scrape().await;
    assert_eq!(after.value("kernel_auth_up"), Some(1.0));
    assert!(after.has("kernel_auth_connection_status"));
}

/// Whatever is asked for, the same page, and always more behind it.
#[tokio::test]
async fn a_list_that_turns_on_the_spot_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let api = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let offset = head.split("offset=").nth(1).unwrap();
            let offset = offset.split([' ', '&']).next().unwrap();
            let next = offset.parse::<u64>().unwrap() + 2;
            let body = r#"[{"id":"a"},{"id":"b"}]"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\
                 X-Has-More: true\r\nX-Next-Offset: {next}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    };
    let flags = ["--kernel.concurrency=1"];
    let exporter = Program::exporter(&url, KEY, &flags);
    let metrics = format!("{}/metrics", exporter.address().await);
    let watch = async {
        let scrape = Metrics::new(get(&metrics).await.text().await.unwrap());
        assert_eq!(
            scrape
                .value("kernel_auth_api_errors_total{reason=\"paging\"}")
                .unwrap(),
            1.0
        );
        assert!(requests(&scrape, "200") <= 8.0, "{}", scrape.text);
    };
    tokio::select! {
        () = watch => {}
        () = api => unreachable!("it serves for ever"),
    }
}

/// `103 Early Hints` and never an answer, as fast as they are read.
#[tokio::test]
async fn hints_without_end_cost_no_more_than_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(30_000);
    let (begun, mut begins) = mpsc::unbounded_channel();
    let api = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // What comes before the request would be an error by itself.
            stream.read_u8().await.unwrap();
            begun.send(()).unwrap();
            // It hangs up, so nothing goes on behind the scrape.
            while stream.write_all(hints.as_bytes()).await.is_ok() {}
        }
    };
    let exporter = Program::exporter(&url, KEY, &[]);
    let healthy = format!("{}/-/healthy", exporter.address().await);
    let watch = async {
        let alive = async {
            begins.recv().await.unwrap();
            get(&healthy).await
        };
        let (failed, alive) = tokio::join!(fails_with(exporter, "transport"), alive);
        assert_eq!(alive.status(), 200);
        // Each try ends at once, so that there is time for all of them.
        let tries = failed.0.of("kernel_auth_api_requests_total");
        assert_eq!(tries.map(|(_, count)| count).sum::<f64>(), 3.0);
        let words = "more than 64 interim answers (1xx)";
        assert!(failed.1.contains(words), "{}", failed.1);
    };
    tokio::select! {
        () = watch => {}
        () = api => unreachable!("it serves for ever"),
    }
}
