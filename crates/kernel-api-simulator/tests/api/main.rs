//! The simulated API over sockets: what it answers, and how it fails.

#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain has failed")]

mod access;
mod circles;
mod control;
mod faults;
mod lists;
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
        speed: 0.0,
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

async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = parse(response).await;
    assert!(body["message"].is_string());
    (status, body["code"].as_str().unwrap().to_owned())
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
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
