//! What must not come out anywhere, at the most talkative log level.

use std::fmt::Write;

use kernel_api_simulator::{Fault, FaultKind, Options, SENSITIVE_MARK};
use reqwest::Method;
use serde_json::{Value, json};

use super::examples::{OBJECTS, moment};
use super::support::{Api, KEY, Program, request};

/// Members whose texts are capabilities, personal or free text, at any depth.
const SENSITIVE: &[&str] = &[
    "login_url",
    "post_login_url",
    "external_action_message",
    "error_message",
    "website_error",
    "hosted_url",
    "live_view_url",
    "browser_session_id",
    "interaction_id",
    "credential",
    "mfa_options",
    "choices",
    "fields",
    "proxy",
];

/// Words that are also Kernel's vocabulary or a type.
const HARMLESS: &[&str] = &["sms", "mfa_method", "choice_sms", "default"];

/// The texts of sensitive members of `object`.
fn secrets(object: &Value) -> Vec<String> {
    fn texts(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
            Value::Object(members) => members.values().for_each(|item| texts(item, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (name, value) in object.as_object().unwrap() {
        match name.as_str() {
            name if SENSITIVE.contains(&name) => texts(value, &mut found),
            "browser" => texts(&value["proxy"], &mut found),
            _ => {}
        }
    }
    found.retain(|text| !HARMLESS.contains(&text.as_str()));
    found
}

/// Everything that the program says: metrics in each format, pages, streams.
async fn everything(exporter: Program) -> String {
    let url = exporter.address().await;
    let mut said = String::new();
    for path in [
        "/metrics",
        "/metrics?collect[]=flow",
        "/",
        "/?q=b5n0",
        "/sd",
        "/probe?target=b5n0v7s2ah94mc6qiy8ef1dz",
        "/probe?target=a",
        "/-/healthy",
        "/-/ready",
        "/nowhere",
    ] {
        for accept in ["*/*", "application/openmetrics-text", "text/html"] {
            let response = request(Method::GET, &format!("{url}{path}"))
                .header("accept", accept)
                .send()
                .await
                .unwrap();
            write!(said, "{:?}", response.headers()).unwrap();
            said.push_str(&response.text().await.unwrap());
        }
    }
    exporter.signal("TERM");
    let ended = exporter.ended().await;
    said + &ended.stdout + &ended.stderr
}

#[track_caller]
fn says_nothing_of(said: &str, secrets: &[String]) {
    for secret in secrets {
        let at = said.find(secret.as_str());
        let around = at.map(|at| {
            let start = said[..at].rfind('\n').map_or(0, |at| at + 1);
            said[start..].lines().next()
        });
        assert_eq!(around, None, "{secret}");
    }
}

#[tokio::test]
async fn no_secret_of_the_documented_objects_comes_out() {
    let objects: Vec<Value> = OBJECTS
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let mut all: Vec<String> = objects.iter().flat_map(secrets).collect();
    assert_eq!(all.len(), 18, "{all:?}");
    // What they are made of, should somebody take them apart.
    all.extend(["SECRET", "***", "ending 41", "j.doe", "hosted.kernel"].map(str::to_owned));
    all.push(KEY.to_owned());
    let (api, _) = Api::of(&OBJECTS, moment()).await;
    let mut said = everything(api.exporter(&["--log.level=debug"])).await;
    for arguments in [&["--log.level=debug"][..], &["--format=table"]] {
        let ended = api.once(arguments).await;
        assert_eq!(ended.code(), Some(0));
        said += &ended.stdout;
        said += &ended.stderr;
    }
    assert!(
        said.contains("b5n0v7s2ah94mc6qiy8ef1dz"),
        "it says something"
    );
    says_nothing_of(&said, &all);
}

#[tokio::test]
async fn no_secret_in_the_wrong_place_comes_out() {
    let secret = "https://hosted.kernel.example/login/x?code=SECRET";
    let words = "The site refused the login for j.doe@example.com";
    let object = |id: &str, more: Value| {
        let mut object = json!({
            "id": id, "profile_name": "p", "domain": "d.example", "status": "NEEDS_AUTH",
            "save_credentials": true, "record_session": true, "flow_status": "FAILED",
        });
        let members = object.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        object.to_string()
    };
    let objects = [
        // A type that nobody expects, so that a parser would like to show it.
        object(
            "a",
            json!({"hosted_url": {"url": secret}, "fields": secret, "choices": words}),
        ),
        object(
            "b",
            json!({"browser": secret, "credential": words, "health_checks": secret}),
        ),
        object("c", json!({"save_credentials": words})),
        object("d", json!({"status": {"message": secret}})),
        // A value that this build does not know.
        object(
            "e",
            json!({"status": secret, "flow_status": words, "error_code": words}),
        ),
        object(
            "f",
            json!({"can_reauth_reason": words, "last_auth_check_at": secret}),
        ),
        object(
            "g",
            json!({"flow_expires_at": words, "health_check_unavailable_reason": secret}),
        ),
    ];
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    let (api, _) = Api::of(&objects, moment()).await;
    let said = everything(api.exporter(&["--log.level=debug"])).await;
    assert!(said.contains("kernel_auth_api_unknown_values_total{field=\"error_code\"} 1"));
    let all = [secret, words, "SECRET", "j.doe", "hosted.kernel", KEY].map(str::to_owned);
    says_nothing_of(&said, &all);
}

#[tokio::test]
async fn no_secret_of_a_living_fleet_comes_out() {
    let api = Api::with(Options {
        connections: 120,
        speed: 60.0,
        ..Options::default()
    })
    .await;
    let secrets = [SENSITIVE_MARK.to_owned(), KEY.to_owned()];
    let truth = serde_json::to_string(&api.control.truth()).unwrap();
    assert!(truth.contains(SENSITIVE_MARK), "the fleet has secrets");
    for fault in [
        None,
        Some("malformed-row"),
        Some("unknown-values"),
        Some("status=401"),
        Some("truncate"),
        Some("html"),
    ] {
        api.control.clear_faults();
        if let Some(fault) = fault {
            api.control.add_fault(fault.parse::<Fault>().unwrap());
        }
        let flags = [
            "--log.level=debug",
            "--log.format=json",
            "--collector.timeline",
            "--collector.org",
        ];
        let said = everything(api.exporter(&flags)).await;
        assert!(said.contains("kernel_auth_up"), "{fault:?}");
        says_nothing_of(&said, &secrets);
    }
}

#[tokio::test]
async fn no_key_that_the_api_sends_back_comes_out() {
    let object = |id: &str, value: &str| {
        json!({
            "id": id, "profile_name": "p", "domain": "d.example", "status": value,
            "save_credentials": true, "record_session": true, "flow_status": value,
            "error_code": value, "can_reauth_reason": value,
        })
        .to_string()
    };
    let half = &KEY[..KEY.len() / 2];
    let objects = [
        object("a", KEY),
        object("b", &KEY.to_uppercase()),
        object("c", half),
        object("d", "eyJhbGciOiJIUzI1NiJ9"),
    ];
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    let (api, _) = Api::of(&objects, moment()).await;
    let status = |code: &str| FaultKind::Status {
        status: 400,
        code: Some(code.to_owned()),
        retry_after: None,
        should_retry: None,
    };
    let kind = FaultKind::Header("content-type".to_owned(), format!("text/{KEY}"));
    for faults in [
        vec![],
        vec![status(KEY)],
        vec![status(half)],
        vec![status("sk_another_key")],
        vec![status("q1w2e3r4t5y6u7i8o9p0a1s2")],
        vec![FaultKind::Garbage, kind],
    ] {
        api.control.clear_faults();
        let is_good = faults.is_empty();
        for fault in faults {
            api.control.add_fault(fault);
        }
        let mut said = everything(api.exporter(&["--log.level=debug"])).await;
        for format in ["text", "json", "table"] {
            let ended = api.once(&[&format!("--format={format}")]).await;
            said += &ended.stdout;
            said += &ended.stderr;
        }
        if !is_good {
            assert!(said.contains("(not shown)"), "{said}");
        }
        let parts = [KEY, half, "sk_another", "q1w2e3r4", "eyJ"];
        let parts = parts.map(str::to_ascii_lowercase);
        says_nothing_of(&said.to_ascii_lowercase(), &parts);
    }
}
