//! `/`, as far as no browser is needed.

use kernel_api_simulator::{Fault, FaultKind, Options};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::stage::{Answer, api_of, exporter, write};
use crate::tests::common::api::{Api, world};

const HOSTILE: &str = "<script>alert('1')</script>\"&'\u{202e}\u{7}";

fn rows(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200);
    let table = answer.text.split("<table class=\"connections\">").nth(1);
    let body = table.and_then(|table| table.split("<tbody>").nth(1));
    let body = body.and_then(|body| body.split("</tbody>").next());
    body.map_or(0, |body| body.matches("<tr>").count())
}

#[tokio::test]
async fn before_the_first_scrape_it_says_so_and_asks_for_nothing() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    let page = front.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text.contains("No scrape yet"));
    assert_eq!(rows(&page), 0);
    assert_eq!(api.control.requests().total, 0);
    front.scrape().await;
    let asked = api.control.requests().total;
    let page = front.get("/").await;
    assert_eq!(rows(&page), 3);
    assert!(page.text.contains("The API answers."));
    assert_eq!(api.control.requests().total, asked);
}

#[tokio::test]
async fn another_policy_does_not_take_its_style_away() {
    let directory = tempfile::tempdir().unwrap();
    let web = directory.path().join("web.yml");
    let more = "http_server_config: {headers: {Content-Security-Policy: \"default-src 'self'\"}}\n";
    write(&web, more);
    let flag = format!("--web.config.file={}", web.display());
    let front = exporter(&api_of(1).await, &[&flag]).await;
    let page = front.get("/").await;
    let policies = page.headers.get_all("content-security-policy");
    assert_eq!(policies.iter().count(), 1);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let metrics = front.get("/metrics").await;
    let policy = metrics.header("content-security-policy");
    assert_eq!(policy, "default-src 'self'");
}

#[tokio::test]
async fn its_policy_allows_its_own_style_and_nothing_else() {
    use base64::Engine as _;

    let api = api_of(1).await;
    let front = exporter(&api, &[]).await;
    front.scrape().await;
    let page = front.get("/").await;
    let style = page.text.split("<style>").nth(1).unwrap();
    let style = style.split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains(&format!("style-src 'sha256-{hash}';")),
        "{policy}"
    );
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    // The icon names its language; nobody goes there.
    let text = page.text.replace("http://www.w3.org/2000/svg", "");
    for outside in [
        "<script",
        "http:",
        "https:",
        "@import",
        "src=",
        " style=",
        " onclick=",
    ] {
        assert!(!text.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn hostile_names_are_text() {
    let api = api_of(0).await;
    api.control
        .create_connection(None, Some("ma_\"><img src=x>"), "d.example", HOSTILE)
        .unwrap();
    let front = exporter(&api, &[]).await;
    front.scrape().await;
    for path in [
        "/",
        "/?q=%3Cscript%3E",
        "/?q=%22%3E%3Cscript%3E&status=%22%3E&page=%3C",
    ] {
        let page = front.get(path).await;
        assert!(!page.text.contains("<script"), "{path}");
        assert!(!page.text.contains("<img"), "{path}");
    }
    let page = front.get("/?q=ALERT").await;
    assert_eq!(rows(&page), 1);
    assert!(
        page.text.contains(
            "<bdi>&lt;script&gt;alert('1')&lt;/script&gt;&quot;&amp;'\\u{202e}\\u{7}</bdi>"
        ),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn it_filters_and_pages() {
    let api = Api::start(Options { ..world(450) }).await;
    api.control
        .create_connection(None, Some("ma_needle"), "needle.example", "x & y")
        .unwrap();
    api.control.set_connection(
        "ma_needle",
        json!({"status": "NEEDS_AUTH", "can_reauth": false, "flow_status": null}),
    );
    let front = exporter(&api, &[]).await;
    front.scrape().await;
    let sizes = [
        ("/", 100),
        ("/?page=2", 100),
        ("/?page=5", 51),
        ("/?page=99", 51),
    ];
    for (path, count) in sizes {
        assert_eq!(rows(&front.get(path).await), count, "{path}");
    }
    let last = front.get("/?page=5").await;
    assert!(
        last.text
            .contains("Connections 401 to 451 of 451, those that need a person first")
    );
    assert!(last.text.contains("href=\"?page=4\">Previous"));
    assert!(!last.text.contains("page=6"));
    let needle = front.get("/?q=NEEDLE").await;
    assert_eq!(rows(&needle), 1);
    assert!(needle.text.contains("href=\"connection?id=ma_needle\""));
    assert!(needle.text.contains("x &amp; y"));
    assert_eq!(rows(&front.get("/?q=needle&status=needs-login").await), 1);
    // Reasons are found as they are shown, and as the API names them.
    let waiting = rows(&front.get("/?q=awaiting_input").await);
    assert!(waiting > 0);
    assert_eq!(rows(&front.get("/?q=Awaiting+input").await), waiting);
    let none = front.get("/?q=needle&status=logged-in").await;
    assert_eq!(rows(&none), 0);
    assert!(none.text.contains("No connection matches"));
    assert!(none.text.contains("<option value=\"logged-in\" selected>"));
    assert_eq!(front.get("/probe?target=ma_needle").await.status, 200);
}

#[tokio::test]
async fn a_failing_api_is_said_and_the_last_state_shown() {
    let api = Api::start(Options {
        projects: 2,
        ..world(8)
    })
    .await;
    let front = exporter(&api, &["--kernel.project=all"]).await;
    front.scrape().await;
    let there = rows(&front.get("/").await);
    let (project, name, _) = api.control.projects()[0].clone();
    api.control.add_fault(Fault::status(403).project(&project));
    front.scrape().await;
    let page = front.get("/").await;
    let words = format!(
        "The API does not permit this key to do that (403)</strong> for <bdi>{name}</bdi>, since "
    );
    assert!(page.text.contains(&words), "{}", page.text);
    assert!(page.text.contains("<title>") && page.text.contains("API fails"));
    assert_eq!(rows(&page), there);
}

#[tokio::test]
async fn one_project_is_a_page_of_its_own() {
    let api = Api::start(Options {
        projects: 2,
        ..world(250)
    })
    .await;
    let front = exporter(&api, &["--kernel.project=all"]).await;
    front.scrape().await;
    let whole = front.get("/").await;
    let projects = api.control.projects();
    let ((one, name, _), (other, ..)) = (&projects[0], &projects[1]);
    api.control.add_fault(Fault::status(403).project(other));
    front.scrape().await;
    assert!(whole.text.contains(&format!("href=\"?project={one}\"")));
    let page = front.get(&format!("/?project={one}")).await;
    assert_eq!(rows(&page), 100);
    assert!(!page.text.contains(other.as_str()), "{}", page.text);
    assert!(
        page.text
            .contains(&format!("Only <bdi>{name}</bdi> is shown."))
    );
    // The other one's troubles are not this one's.
    assert!(page.text.contains("The API answers."));
    for kept in [
        format!("href=\"?project={one}&amp;page=2\""),
        format!("href=\"?project={one}&amp;status=waiting\""),
        format!("<input type=\"hidden\" name=\"project\" value=\"{one}\">"),
    ] {
        assert!(page.text.contains(&kept), "{kept}");
    }
    assert!(front.get("/").await.text.contains("API fails"));
    assert_eq!(front.get("/?project=proj_of_nobody").await.status, 400);
}

#[tokio::test]
async fn of_what_nobody_knows_there_is_no_number() {
    let api = api_of(3).await;
    let front = exporter(&api, &[]).await;
    api.control.add_fault(Fault::status(401));
    front.scrape().await;
    let page = front.get("/").await;
    assert!(page.text.contains("Nothing is known."), "{}", page.text);
    assert!(!page.text.contains("class=\"tile"), "{}", page.text);
    api.control.clear_faults();
    front.scrape().await;
    let page = front.get("/").await;
    assert!(page.text.contains("every connection watched"));
}

#[tokio::test]
async fn a_clock_that_is_another_one_and_ids_that_are_not_there_are_told() {
    let api = api_of(3).await;
    let id = api.control.truth().remove(0).id;
    let flags = [&*id, "ma_nobody"].map(|id| format!("--kernel.connection={id}"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    api.control.add_fault(FaultKind::DateSkew(-7_200));
    let front = exporter(&api, &flags).await;
    front.scrape().await;
    let page = front.get("/").await;
    for words in ["The API's clock is 2h00m behind;", ">ma_nobody</span>."] {
        assert!(page.text.contains(words), "{words}\n{}", page.text);
    }
    let page = front.get(&format!("/connection?id={id}")).await;
    assert!(page.text.contains("The API's clock is 2h00m behind;"));
}

#[tokio::test]
async fn nothing_of_a_login_is_on_it() {
    let api = api_of(60).await;
    let front = exporter(&api, &["--metrics.profile-name=drop"]).await;
    front.scrape().await;
    let truth = api.control.truth();
    for path in ["/", "/sd", &format!("/probe?target={}", truth[0].id)] {
        let page = front.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let mark = kernel_api_simulator::SENSITIVE_MARK;
        assert!(!page.text.contains(mark), "{path}");
        for connection in &truth {
            let name = connection.profile_name.as_str();
            let shown = page.text.contains(&format!("<bdi>{name}<"))
                || page.text.contains(&format!("\"{name}\""));
            assert!(!shown, "{path}: {name}");
        }
    }
}
