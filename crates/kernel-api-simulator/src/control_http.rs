//! The control endpoint: [`Control`] over HTTP, for tests in
//! other languages. On the loopback interface only.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body::Body;
use super::clock::parse_duration;
use super::control::{Control, Happening};
use super::fault::Fault;
use super::http::Shared;
use super::keys::KeyScope;
use super::lifecycle::CheckOutcome;
use super::values::{ErrorCode, EventStatus, FlowKind, FlowStep};

/// More than any command needs.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

type Done = Result<Value, (u16, String)>;

/// Answers a command.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let control = Control {
        shared: Arc::clone(shared),
    };
    let (head, body) = request.into_parts();
    let done = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => match String::from_utf8(body.to_bytes().into()) {
            Ok(text) => command(
                &control,
                &head.method,
                head.uri.path(),
                head.uri.query().unwrap_or_default(),
                text.trim(),
            ),
            Err(_) => Err((400, "the body is not UTF-8".to_owned())),
        },
        Err(error) => Err((400, format!("the body cannot be read: {error}"))),
    };
    let answer = match done {
        Ok(value) => Answer::json(200, value.to_string()),
        Err((status, message)) => Answer::json(status, json!({"error": message}).to_string()),
    };
    let mut response = Response::new(Body::whole(answer.text));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn wrong(message: impl Into<String>) -> (u16, String) {
    (400, message.into())
}

fn command(control: &Control, method: &Method, path: &str, query: &str, text: &str) -> Done {
    let path = percent_decode_str(path).decode_utf8_lossy();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    match *parts {
        ["world"] if *method == get => to_json(&control.truth()),
        ["connections", id] if *method == get => {
            found(control.connection(id)).and_then(|truth| to_json(&truth))
        }
        ["connections", id, "timeline"] if *method == get => {
            found(control.timeline(id)).and_then(|events| to_json(&events))
        }
        ["ledger"] if *method == get => to_json(&control.ledger()),
        ["clock"] if *method == get => Ok(clock(control)),
        ["projects"] if *method == get => {
            let projects = control.projects().into_iter();
            Ok(projects
                .map(|(id, name, archived)| json!({"id": id, "name": name, "archived": archived}))
                .collect())
        }
        ["requests"] if *method == get => {
            let mut log = control.requests();
            if !query.contains("entries") {
                log.entries.clear();
            }
            to_json(&log)
        }
        ["requests"] if *method == delete => {
            control.reset_requests();
            Ok(json!({}))
        }
        ["faults"] if *method == get => Ok(faults(control)),
        ["faults"] if *method == post => {
            let specs: Result<Vec<Fault>, String> =
                fault_texts(text).iter().map(|spec| spec.parse()).collect();
            for fault in specs.map_err(wrong)? {
                control.add_fault(fault);
            }
            Ok(faults(control))
        }
        ["faults"] if *method == delete => {
            control.clear_faults();
            Ok(json!([]))
        }
        ["advance"] if *method == post => {
            control.advance(parse_duration(text).map_err(wrong)?);
            Ok(clock(control))
        }
        ["latency"] if *method == post => {
            control.set_latency(parse_duration(text).map_err(wrong)?);
            Ok(json!({}))
        }
        ["key"] if *method == post => {
            control.set_api_key(text);
            Ok(json!({}))
        }
        ["rate-limit"] if *method == post => {
            let limit = match text {
                "" | "none" => None,
                text => Some(parse_rate(text).map_err(wrong)?),
            };
            control.set_rate_limit(limit);
            Ok(json!({}))
        }
        _ => change(control, method, &parts, text, &post, &delete),
    }
}

/// Commands that change the fleet or the organisation.
fn change(
    control: &Control,
    method: &Method,
    parts: &[&str],
    text: &str,
    post: &Method,
    delete: &Method,
) -> Done {
    match *parts {
        ["connections"] if method == post => create(control, object(text)?),
        ["connections", id] if method == post => {
            let members = Value::Object(object(text)?);
            existing(control.set_connection(id, members))?;
            found(control.connection(id)).and_then(|truth| to_json(&truth))
        }
        ["connections", id] if method == delete => {
            existing(control.remove_connection(id)).map(|()| json!({}))
        }
        ["connections", id, "members"] if method == delete => {
            existing(control.unset_connection(id)).map(|()| json!({}))
        }
        ["connections", id, "verbatim"] if method == post => {
            existing(control.set_verbatim(id, text)).map(|()| json!({}))
        }
        ["connections", id, "happen"] if method == post => {
            let happening = happening(&object(text)?)?;
            existing(control.happen(id, &happening))?;
            found(control.connection(id)).and_then(|truth| to_json(&truth))
        }
        ["projects"] if method == post => Ok(json!({"id": control.add_project(text)})),
        ["projects", project] if method == delete => {
            existing(control.archive_project(project, true)).map(|()| json!({}))
        }
        ["keys"] if method == post => {
            let members = object(text)?;
            let key = word(&members, "key").ok_or_else(|| wrong("`key` is missing"))?;
            let scope = match (word(&members, "project"), word(&members, "scope")) {
                (Some(project), _) => KeyScope::Project(project.to_owned()),
                (None, Some("policy")) => KeyScope::Policy,
                _ => KeyScope::Organization,
            };
            control.add_api_key(key, scope);
            Ok(json!({}))
        }
        ["organization", "limits"] if method == post => {
            control.set_limits(object(text)?);
            Ok(json!({}))
        }
        ["organization", "plan"] if method == post => {
            control.set_plan(object(text)?);
            Ok(json!({}))
        }
        ["organization", "key-expiry"] if method == post => {
            let ahead = match text {
                "never" => None,
                text => Some(parse_duration(text).map_err(wrong)?),
            };
            control.set_key_expiry(ahead);
            Ok(json!({}))
        }
        _ => Err((
            404,
            "no such command; docs/simulator.md lists them".to_owned(),
        )),
    }
}

fn to_json(value: &impl serde::Serialize) -> Done {
    serde_json::to_value(value).map_err(|error| (500, error.to_string()))
}

fn found<T>(value: Option<T>) -> Result<T, (u16, String)> {
    value.ok_or_else(|| (404, "no such connection".to_owned()))
}

fn existing(done: bool) -> Result<(), (u16, String)> {
    found(done.then_some(()))
}

fn object(text: &str) -> Result<Map<String, Value>, (u16, String)> {
    serde_json::from_str(if text.is_empty() { "{}" } else { text })
        .map_err(|error| wrong(format!("the body is not a JSON object: {error}")))
}

fn word<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn clock(control: &Control) -> Value {
    let since = control.now().duration_since(std::time::UNIX_EPOCH);
    json!({"now": since.unwrap_or(Duration::ZERO).as_secs_f64()})
}

fn faults(control: &Control) -> Value {
    let faults = control.faults().into_iter();
    faults
        .map(|(fault, matched, fired)| {
            json!({"fault": format!("{fault:?}"), "matched": matched, "fired": fired})
        })
        .collect()
}

/// One fault a line, or a JSON array of them.
fn fault_texts(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

fn create(control: &Control, mut members: Map<String, Value>) -> Done {
    let mut take = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (project, id) = (take("project"), take("id"));
    let domain = take("domain").unwrap_or_else(|| "portal.acme.example".to_owned());
    let profile = take("profile_name").unwrap_or_else(|| "newcomer".to_owned());
    let id = control
        .create_connection(project.as_deref(), id.as_deref(), &domain, &profile)
        .map_err(wrong)?;
    if !members.is_empty() {
        control.set_connection(&id, Value::Object(members));
    }
    found(control.connection(&id)).and_then(|truth| to_json(&truth))
}

fn happening(members: &Map<String, Value>) -> Result<Happening, (u16, String)> {
    let outcome = word(members, "outcome").unwrap_or_default();
    let kind = word(members, "type").unwrap_or("LOGIN");
    let step = word(members, "step").unwrap_or_default();
    let unknown = |name: &str, value: &str| wrong(format!("`{value}` is not a {name}"));
    Ok(match word(members, "event") {
        Some("health_check") => Happening::Check(match outcome {
            "AUTHENTICATED" => CheckOutcome::Confirmed,
            "NEEDS_AUTH" => CheckOutcome::LoggedOut,
            "INCONCLUSIVE" => CheckOutcome::Inconclusive,
            other => return Err(unknown("health check's outcome", other)),
        }),
        Some("flow_starts") => {
            Happening::FlowStarts(FlowKind::parse(kind).ok_or_else(|| unknown("flow type", kind))?)
        }
        Some("flow_reaches") => {
            Happening::FlowReaches(FlowStep::parse(step).ok_or_else(|| unknown("flow step", step))?)
        }
        Some("flow_ends") => {
            let status =
                EventStatus::parse(outcome).ok_or_else(|| unknown("flow's outcome", outcome))?;
            let code = word(members, "error_code")
                .map(|code| ErrorCode::parse(code).ok_or_else(|| unknown("known code", code)))
                .transpose()?;
            Happening::FlowEnds(status, code)
        }
        _ => {
            return Err(wrong(
                "`event` is health_check, flow_starts, flow_reaches or flow_ends",
            ));
        }
    })
}

/// Reads `100/min`, or the number alone.
///
/// # Errors
/// One line that says what a rate looks like.
pub fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text
        .strip_suffix("/min")
        .or_else(|| text.strip_suffix("/m"))
        .unwrap_or(text);
    match number.trim().parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(format!("`{text}` is not a rate such as 100/min")),
    }
}
