//! The simulated API over sockets: what it answers, and how it fails.

#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]

mod circles;
mod control;
mod faults;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use kernel_api_simulator::{
    Control, EventStatus, Fault, FaultKind, FlowKind, FlowStep, Happening, KeyScope, Options,
    Route, Simulator,
};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running simulator; ends with the value.
struct Running {
    url: String,
    control_url: String,
    control: Control,
    client: Client,
    _stop: DropGuard,
}

async fn run(options: Options) -> Running {
    let simulator = Simulator::bind("127.0.0.1:0", options)
        .await
        .unwrap()
        .with_control("127.0.0.1:0")
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let running = Running {
        url: simulator.base_url(),
        control_url: simulator.control_url().unwrap(),
        control: simulator.control(),
        client: client().build().unwrap(),
        _stop: stop.clone().drop_guard(),
    };
    tokio::spawn(simulator.run(stop));
    running
}

fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
}

async fn with(connections: usize) -> Running {
    run(Options {
        connections,
        frozen: true,
        ..Options::default()
    })
    .await
}

impl Running {
    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client
            .get(format!("{}{path}", self.url))
            .bearer_auth("sk_demo")
    }

    async fn answer(&self, path: &str) -> Response {
        self.get(path).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.answer(path).await;
        assert_eq!(response.status(), 200, "{path}");
        parse(response).await
    }

    fn fault(&self, text: &str) {
        self.control.add_fault(text.parse::<Fault>().unwrap());
    }

    /// Follows the headers from the first page to the last.
    async fn walk(&self, path: &str, limit: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let mut offset = 0;
        for _ in 0..1000 {
            let response = self
                .answer(&format!("{path}limit={limit}&offset={offset}"))
                .await;
            let more = header(&response, "x-has-more") == "true";
            let next = header(&response, "x-next-offset").to_owned();
            let rows = parse(response).await;
            let rows = rows.as_array().unwrap();
            ids.extend(
                rows.iter()
                    .map(|row| row["id"].as_str().unwrap().to_owned()),
            );
            if !more {
                assert_eq!(next, "0");
                return ids;
            }
            offset = next.parse().unwrap();
        }
        panic!("the walk does not end");
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn parse(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test]
async fn pages_lead_through_the_whole_list() {
    let api = with(250).await;
    let truth: Vec<String> = api.control.truth().into_iter().map(|t| t.id).collect();
    for limit in [1, 7, 99, 100] {
        assert_eq!(
            api.walk("/auth/connections?", limit).await,
            truth,
            "{limit}"
        );
    }
    let first = api.json("/auth/connections").await;
    assert_eq!(first.as_array().unwrap().len(), 20, "the default");
    let most = api.json("/auth/connections?limit=5000").await;
    assert_eq!(most.as_array().unwrap().len(), 100, "the maximum");
    let beyond = api.answer("/auth/connections?offset=9000").await;
    assert_eq!(header(&beyond, "x-has-more"), "false");
    assert_eq!(parse(beyond).await, json!([]));
    for wrong in ["limit=0", "limit=ten", "offset=-1"] {
        let response = api.answer(&format!("/auth/connections?{wrong}")).await;
        assert_eq!(response.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_list_and_the_single_object_are_alike() {
    let api = with(60).await;
    let list = api.json("/auth/connections?limit=100").await;
    for row in list.as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        assert_eq!(&api.json(&format!("/auth/connections/{id}")).await, row);
        assert_eq!(&api.control.connection(id).unwrap().object, row);
    }
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let api = with(120).await;
    let fleet = api.control.truth();
    let one = &fleet[17];
    let (domain, profile) = (&one.domain, &one.profile_name);
    let expected: Vec<String> = fleet
        .iter()
        .filter(|t| t.domain == *domain)
        .map(|t| t.id.clone())
        .collect();
    assert!(expected.len() > 3);
    assert_eq!(
        api.walk(&format!("/auth/connections?domain={domain}&"), 2)
            .await,
        expected
    );
    let both = format!("/auth/connections?domain={domain}&profile_name={profile}&");
    assert_eq!(api.walk(&both, 100).await, [one.id.as_str()]);
    let found = api
        .walk(&format!("/auth/connections?query={}&", &one.id[3..]), 100)
        .await;
    assert_eq!(found, [one.id.as_str()]);
    let part = &domain[..4];
    assert_eq!(
        api.walk(&format!("/auth/connections?domain={part}&"), 100)
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn timelines_have_pages_and_types() {
    let api = with(3).await;
    let id = &api.control.truth()[0].id;
    let path = format!("/auth/connections/{id}/timeline?");
    let told = api.control.timeline(id).unwrap();
    let ids: Vec<String> = told
        .iter()
        .map(|event| event.object["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.len() > 100);
    assert_eq!(api.walk(&path, 33).await, ids);
    let checks = api.walk(&format!("{path}type=health_check&"), 100).await;
    let reauths = api.walk(&format!("{path}type=reauth&"), 100).await;
    let logins = api.walk(&format!("{path}type=login&"), 100).await;
    assert!(!checks.is_empty() && !reauths.is_empty() && !logins.is_empty());
    assert_eq!(sorted([checks, reauths, logins].concat()), sorted(ids));
    assert_eq!(api.answer(&format!("{path}type=LOGIN")).await.status(), 400);
}

async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = parse(response).await;
    assert!(body["message"].is_string());
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn keys_open_what_they_may() {
    let api = run(Options {
        connections: 30,
        projects: 2,
        frozen: true,
        ..Options::default()
    })
    .await;
    let projects = api.control.projects();
    let (default, second) = (projects[0].0.clone(), projects[1].0.clone());
    api.control
        .add_api_key("sk_second", KeyScope::Project(second.clone()));
    api.control.add_api_key("sk_policy", KeyScope::Policy);
    let ask = |key: &str, project: Option<&str>| {
        let mut request = api
            .client
            .get(format!("{}/auth/connections", api.url))
            .bearer_auth(key);
        if let Some(project) = project {
            request = request.header("x-kernel-project-id", project);
        }
        async { request.send().await.unwrap() }
    };
    let bare = api
        .client
        .get(format!("{}/auth/connections", api.url))
        .send()
        .await
        .unwrap();
    assert_eq!(error(bare).await, (401, "unauthorized".into()));
    assert_eq!(error(ask("sk_wrong", None).await).await.0, 401);
    assert_eq!(
        error(ask("sk_policy", None).await).await,
        (403, "insufficient_scope".into())
    );
    assert_eq!(error(ask("sk_second", Some(&default)).await).await.0, 403);
    let own = parse(ask("sk_second", None).await).await;
    assert_eq!(own, parse(ask("sk_demo", Some(&second)).await).await);
    assert_ne!(own, parse(ask("sk_demo", None).await).await);

    api.control.set_api_key("sk_fresh");
    assert_eq!(ask("sk_demo", None).await.status(), 401);
    assert_eq!(ask("sk_fresh", None).await.status(), 200);
    assert!(
        api.control
            .requests()
            .entries
            .iter()
            .all(|entry| entry.header("authorization") != Some("Bearer sk_fresh")),
        "the log keeps no key"
    );
}

#[tokio::test]
async fn project_headers_choose_one_project() {
    let api = run(Options {
        connections: 31,
        projects: 3,
        frozen: true,
        ..Options::default()
    })
    .await;
    let projects = api.json("/org/projects").await;
    let rows = projects.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let archived: Vec<&Value> = rows
        .iter()
        .filter(|row| row["status"] == "archived")
        .collect();
    assert_eq!(archived.len(), 1);
    let ask = |header: &'static str, value: &str| {
        let request = api.get("/auth/connections?limit=100").header(header, value);
        async { request.send().await.unwrap() }
    };
    let mut seen = BTreeSet::new();
    for row in rows.iter().filter(|row| row["status"] == "active") {
        let (id, name) = (row["id"].as_str().unwrap(), row["name"].as_str().unwrap());
        let by_id = parse(ask("x-kernel-project-id", id).await).await;
        assert_eq!(by_id, parse(ask("x-kernel-project", name).await).await);
        assert_eq!(by_id, parse(ask("x-kernel-project", id).await).await);
        assert_eq!(ask("x-kernel-project-id", name).await.status(), 404);
        for connection in by_id.as_array().unwrap() {
            assert!(seen.insert(connection["id"].as_str().unwrap().to_owned()));
        }
        let single = api.json(&format!("/org/projects/{name}")).await;
        assert_eq!(&single, row);
    }
    assert_eq!(seen.len(), 31);
    for unknown in ["proj_unknown", archived[0]["id"].as_str().unwrap()] {
        let refused = ask("x-kernel-project-id", unknown).await;
        assert_eq!(error(refused).await, (404, "project_not_found".into()));
    }
    let default = rows[0]["id"].as_str().unwrap();
    let plain = api.json("/auth/connections?limit=100").await;
    assert_eq!(
        plain,
        parse(ask("x-kernel-project-id", default).await).await
    );
    // A connection of another project is not found.
    let other = api
        .control
        .truth()
        .into_iter()
        .find(|t| t.project != default)
        .unwrap();
    let path = format!("/auth/connections/{}", other.id);
    assert_eq!(error(api.answer(&path).await).await.0, 404);

    let limits = api.json("/org/limits").await;
    assert_eq!(limits["auth_connections_used"], 31);
    assert!(api.control.archive_project(default, true));
    assert_eq!(api.answer("/auth/connections").await.status(), 404);
}

#[tokio::test]
async fn anything_but_get_is_refused_and_counted() {
    let api = with(3).await;
    let id = &api.control.truth()[0].id;
    for method in [Method::POST, Method::PATCH, Method::DELETE, Method::HEAD] {
        let path = format!("{}/auth/connections/{id}", api.url);
        let request = api
            .client
            .request(method.clone(), path)
            .bearer_auth("sk_demo");
        assert_eq!(request.send().await.unwrap().status(), 405, "{method}");
    }
    api.answer("/auth/connections?limit=5").await;
    assert_eq!(
        error(api.answer("/auth/unknown").await).await,
        (404, "not_found".into())
    );
    let log = api.control.requests();
    assert_eq!((log.total, log.non_get), (6, 4));
    assert_eq!(log.count(Route::Connection), 4);
    assert_eq!(log.count_status(Route::Connection, 405), 4);
    assert_eq!(log.count_status(Route::Connections, 200), 1);
    assert_eq!(log.entries[4].parameter("limit").as_deref(), Some("5"));
    assert!(log.entries[4].authorized);
    api.control.reset_requests();
    assert_eq!(api.control.requests().total, 0);
}

#[tokio::test]
async fn the_rate_limit_is_published_and_kept() {
    let api = run(Options {
        rate_limit: Some(3),
        ..Options::default()
    })
    .await;
    for remaining in ["2", "1", "0"] {
        let response = api.answer("/org/limits").await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-limit"), "3");
        assert_eq!(header(&response, "x-ratelimit-remaining"), remaining);
    }
    let refused = api.answer("/auth/connections").await;
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait));
    assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
    assert_eq!(error(refused).await, (429, "rate_limit_exceeded".into()));
    api.control.set_rate_limit(None);
    let free = api.answer("/org/limits").await;
    assert_eq!(
        (free.status().as_u16(), header(&free, "x-ratelimit-limit")),
        (200, "")
    );
}

#[tokio::test]
async fn fixtures_are_served_as_they_are() {
    let fixture = r#"{"id": "ma_1",  "domain":"a.example","profile_name":"p","odd":[1.50]}"#;
    let api = run(Options {
        fixtures: Some(vec![fixture.into(), "17".into()]),
        ..Options::default()
    })
    .await;
    let body = api.answer("/auth/connections").await.text().await.unwrap();
    assert_eq!(body, format!("[{fixture},17]"));
    let body = api
        .answer("/auth/connections/ma_1")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(body, fixture);
    assert_eq!(
        api.walk("/auth/connections?domain=a.example&", 20).await,
        ["ma_1"]
    );
}

#[tokio::test]
async fn http2_without_tls_is_spoken() {
    let api = with(30).await;
    let client = client().http2_prior_knowledge().build().unwrap();
    let url = format!("{}/auth/connections", api.url);
    let response = client.get(url).bearer_auth("sk_demo").send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert!(!header(&response, "date").is_empty());
    assert_eq!(parse(response).await.as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn requests_under_way_are_counted() {
    let api = with(3).await;
    api.fault("silent");
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..5 {
        asking.spawn(api.get("/org/limits").send());
    }
    in_flight(&api.control, 5).await;
    asking.shutdown().await;
    in_flight(&api.control, 0).await;
    let log = api.control.requests();
    assert_eq!((log.in_flight_high, log.total), (5, 5));
}

async fn in_flight(control: &Control, expected: usize) {
    let reached = async {
        while control.requests().in_flight != expected {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
    assert!(reached.is_ok(), "{:?}", control.requests());
}

#[tokio::test]
async fn a_flow_is_followed_to_its_end() {
    let api = with(1).await;
    let id = api
        .control
        .create_connection(None, None, "a.example", "p")
        .unwrap();
    let path = format!("/auth/connections/{id}/events");
    let none = api.answer(&path).await.text().await.unwrap();
    assert!(none.contains("no_active_flow"), "{none}");

    let happen = |happening| assert!(api.control.happen(&id, &happening));
    happen(Happening::FlowStarts(FlowKind::Login));
    let mut stream = api.answer(&path).await;
    assert_eq!(header(&stream, "content-type"), "text/event-stream");
    assert_eq!(header(&stream, "x-sse-content-type"), "application/json");
    let mut steps = Vec::new();
    for (next, then) in [
        (
            "DISCOVERING",
            Happening::FlowReaches(FlowStep::AwaitingInput),
        ),
        (
            "AWAITING_INPUT",
            Happening::FlowReaches(FlowStep::Submitting),
        ),
        (
            "SUBMITTING",
            Happening::FlowEnds(EventStatus::Success, None),
        ),
    ] {
        let event = state(&mut stream).await;
        assert_eq!(event["flow_step"], next);
        assert_eq!(event["fields"].is_array(), next == "AWAITING_INPUT");
        steps.push(event);
        happen(then);
    }
    let last = state(&mut stream).await;
    assert_eq!(
        (&last["flow_status"], &last["flow_step"]),
        (&json!("SUCCESS"), &json!("COMPLETED"))
    );
    assert_eq!(stream.chunk().await.unwrap(), None, "it closes by itself");
}

async fn state(stream: &mut Response) -> Value {
    let chunk = stream.chunk().await.unwrap().expect("another event");
    let text = std::str::from_utf8(&chunk).unwrap();
    let event: Value = serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["event"], "managed_auth_state");
    event
}

#[tokio::test]
async fn organisation_answers_can_be_changed() {
    let api = with(3).await;
    let set = json!({"max_auth_connections": null, "auth_connections_used": 77});
    api.control.set_limits(set.as_object().unwrap().clone());
    let limits = api.json("/org/limits").await;
    assert_eq!(
        (
            &limits["auth_connections_used"],
            &limits["max_auth_connections"]
        ),
        (&json!(77), &Value::Null)
    );
    api.control
        .set_plan(json!({"effective_id": "FREE"}).as_object().unwrap().clone());
    assert_eq!(
        api.json("/org/entitlements").await["plan"]["effective_id"],
        "FREE"
    );
    let context = api.json("/auth/context").await;
    let own = &context["authentication"]["credential_id"];
    api.control.set_key_expiry(None);
    let keys = api.json("/org/api_keys").await;
    let key = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == *own)
        .unwrap();
    assert_eq!(key["expires_at"], Value::Null);
}
