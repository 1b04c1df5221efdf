//! The control endpoint: [`Control`] as commands over HTTP, for tests in other
//! languages and for people.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::control::{Control, Happening};
use super::duration::parse_duration;
use super::fault::Fault;
use super::keys::{KeyScope, parse_rate};
use super::lifecycle::CheckOutcome;
use super::reply::Reply;
use super::state::Shared;
use super::values::{ErrorCode, EventStatus, FlowKind, FlowStep};

/// More than any command needs.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// A command: its method and path, what stands in the place of `ID`, and its
/// body, as an object or as text.
#[derive(Deserialize)]
#[serde(tag = "command")]
enum Command {
    #[serde(rename = "GET /world")]
    World,
    #[serde(rename = "GET /connections/ID")]
    Connection { id: String },
    #[serde(rename = "GET /connections/ID/timeline")]
    Timeline { id: String },
    #[serde(rename = "GET /ledger")]
    Ledger,
    #[serde(rename = "GET /clock")]
    Clock,
    #[serde(rename = "GET /projects")]
    Projects,
    #[serde(rename = "GET /requests")]
    Requests { query: String },
    #[serde(rename = "DELETE /requests")]
    ResetRequests,
    #[serde(rename = "GET /faults")]
    Faults,
    #[serde(rename = "POST /faults")]
    AddFaults { text: String },
    #[serde(rename = "DELETE /faults")]
    ClearFaults,
    #[serde(rename = "POST /advance")]
    Advance { text: String },
    #[serde(rename = "POST /latency")]
    Latency { text: String },
    #[serde(rename = "POST /rate-limit")]
    RateLimit { text: String },
    #[serde(rename = "POST /key")]
    ReplaceKey { text: String },
    #[serde(rename = "POST /keys")]
    AddKey { body: NewKey },
    #[serde(rename = "POST /connections")]
    CreateConnection { body: NewConnection },
    #[serde(rename = "POST /connections/ID")]
    SetMembers {
        id: String,
        body: Map<String, Value>,
    },
    #[serde(rename = "DELETE /connections/ID/members")]
    UnsetMembers { id: String },
    #[serde(rename = "POST /connections/ID/verbatim")]
    SetVerbatim { id: String, text: String },
    #[serde(rename = "POST /connections/ID/happen")]
    Happen { id: String, body: Event },
    #[serde(rename = "DELETE /connections/ID")]
    RemoveConnection { id: String },
    #[serde(rename = "POST /projects")]
    AddProject { text: String },
    #[serde(rename = "DELETE /projects/ID")]
    ArchiveProject { id: String },
    #[serde(rename = "POST /organization/limits")]
    SetLimits { body: Map<String, Value> },
    #[serde(rename = "POST /organization/plan")]
    SetPlan { body: Map<String, Value> },
    #[serde(rename = "POST /organization/key-expiry")]
    SetKeyExpiry { text: String },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct NewKey {
    key: String,
    project: Option<String>,
    #[serde(default)]
    scope: Scope,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    Organization,
    Policy,
}

#[derive(Deserialize)]
struct NewConnection {
    project: Option<String>,
    id: Option<String>,
    domain: Option<String>,
    profile_name: Option<String>,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// A [`Happening`] in JSON.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    HealthCheck {
        outcome: CheckOutcome,
    },
    FlowStarts {
        #[serde(rename = "type", default = "login")]
        kind: FlowKind,
    },
    FlowReaches {
        step: FlowStep,
    },
    FlowEnds {
        outcome: EventStatus,
        error_code: Option<ErrorCode>,
    },
}

fn login() -> FlowKind {
    FlowKind::Login
}

impl From<Event> for Happening {
    fn from(event: Event) -> Self {
        match event {
            Event::HealthCheck { outcome } => Self::Check(outcome),
            Event::FlowStarts { kind } => Self::FlowStarts(kind),
            Event::FlowReaches { step } => Self::FlowReaches(step),
            Event::FlowEnds {
                outcome,
                error_code,
            } => Self::FlowEnds(outcome, error_code),
        }
    }
}

/// Why a command is not done: a status and a message.
struct Failure(u16, String);

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(400, message)
    }
}

/// Answers a request for the control endpoint.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let control = Control {
        shared: Arc::clone(shared),
    };
    let done = match command(request).await {
        Ok(command) => command.run(&control),
        Err(failure) => Err(failure),
    };
    let reply = match done {
        Ok(value) => Reply::json(200, value.to_string()),
        Err(Failure(status, message)) => Reply::json(status, json!({"error": message}).to_string()),
    };
    let mut response = Response::new(Body::whole(reply.text));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

async fn command(request: Request<Incoming>) -> Result<Command, Failure> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map_err(|error| format!("the body cannot be read: {error}"))?;
    let text = String::from_utf8(body.to_bytes().into())
        .map_err(|_| "the body is not UTF-8".to_owned())?;
    let mut parts: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let mut id = String::new();
    if let ["connections" | "projects", place, ..] = &mut *parts {
        id = percent_decode_str(place).decode_utf8_lossy().into_owned();
        *place = "ID";
    }
    let object = match text.trim() {
        "" => Ok(Map::new()),
        text => serde_json::from_str::<Map<String, Value>>(text),
    };
    let command = serde_json::from_value(json!({
        "command": format!("{} /{}", head.method, parts.join("/")),
        "id": id,
        "query": head.uri.query().unwrap_or_default(),
        "body": object.as_ref().ok(),
        "text": text.trim(),
    }));
    command.map_err(|error| match object {
        Err(error) => format!("the body is not a JSON object: {error}").into(),
        Ok(_) => error.to_string().into(),
    })
}

impl Command {
    fn run(self, control: &Control) -> Result<Value, Failure> {
        let there = |done: bool| found(done.then_some(())).map(|()| json!({}));
        match self {
            Self::World => return to_json(&control.truth()),
            Self::Connection { id } => return shown(control, &id),
            Self::Timeline { id } => return to_json(&found(control.timeline(&id))?),
            Self::Ledger => return to_json(&control.ledger()),
            Self::Clock => return Ok(clock(control)),
            Self::Projects => {
                let projects = control.projects().into_iter();
                return Ok(projects
                    .map(|(id, name, archived)| {
                        json!({"id": id, "name": name, "archived": archived})
                    })
                    .collect());
            }
            Self::Requests { query } => {
                let mut log = control.requests();
                if !query.contains("entries") {
                    log.entries.clear();
                }
                return to_json(&log);
            }
            Self::ResetRequests => control.reset_requests(),
            Self::Faults => return Ok(fault_counts(control)),
            Self::AddFaults { text } => {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                let faults: Result<Vec<Fault>, String> = lines.map(str::parse).collect();
                faults?
                    .into_iter()
                    .for_each(|fault| control.add_fault(fault));
                return Ok(fault_counts(control));
            }
            Self::ClearFaults => control.clear_faults(),
            Self::Advance { text } => {
                control.advance(parse_duration(&text)?);
                return Ok(clock(control));
            }
            Self::Latency { text } => control.set_latency(parse_duration(&text)?),
            Self::RateLimit { text } => control.set_rate_limit(match &*text {
                "" | "none" => None,
                rate => Some(parse_rate(rate)?),
            }),
            Self::ReplaceKey { text } => control.set_api_key(&text),
            Self::AddKey { body } => {
                let scope = match (body.project, body.scope) {
                    (Some(project), _) => KeyScope::Project(project),
                    (None, Scope::Policy) => KeyScope::Policy,
                    (None, Scope::Organization) => KeyScope::Organization,
                };
                control.add_api_key(&body.key, scope);
            }
            Self::CreateConnection { body } => return create(control, body),
            Self::SetMembers { id, body } => {
                there(control.set_connection(&id, Value::Object(body)))?;
                return shown(control, &id);
            }
            Self::UnsetMembers { id } => return there(control.unset_connection(&id)),
            Self::SetVerbatim { id, text } => return there(control.set_verbatim(&id, &text)),
            Self::Happen { id, body } => {
                there(control.happen(&id, &body.into()))?;
                return shown(control, &id);
            }
            Self::RemoveConnection { id } => return there(control.remove_connection(&id)),
            Self::AddProject { text } => return Ok(json!({"id": control.add_project(&text)})),
            Self::ArchiveProject { id } => {
                if !control.archive_project(&id, true) {
                    return Err(Failure(404, "no such project".to_owned()));
                }
            }
            Self::SetLimits { body } => control.set_limits(body),
            Self::SetPlan { body } => control.set_plan(body),
            Self::SetKeyExpiry { text } => control.set_key_expiry(match &*text {
                "never" => None,
                ahead => Some(parse_duration(ahead)?),
            }),
            Self::Unknown => {
                let message = "no such command; docs/simulator.md lists them";
                return Err(Failure(404, message.to_owned()));
            }
        }
        Ok(json!({}))
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure(500, error.to_string()))
}

fn found<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure(404, "no such connection".to_owned()))
}

fn shown(control: &Control, id: &str) -> Result<Value, Failure> {
    to_json(&found(control.connection(id))?)
}

fn clock(control: &Control) -> Value {
    let since = control.now().duration_since(UNIX_EPOCH);
    json!({"now": since.unwrap_or_default().as_secs_f64()})
}

fn fault_counts(control: &Control) -> Value {
    let faults = control.faults().into_iter();
    faults
        .map(|(fault, matched, fired)| {
            let text = fault.text.unwrap_or_else(|| format!("{:?}", fault.kind));
            json!({"fault": text, "matched": matched, "fired": fired})
        })
        .collect()
}

fn create(control: &Control, new: NewConnection) -> Result<Value, Failure> {
    let id = control.create_connection(
        new.project.as_deref(),
        new.id.as_deref(),
        new.domain.as_deref().unwrap_or("portal.acme.example"),
        new.profile_name.as_deref().unwrap_or("newcomer"),
    )?;
    if !new.members.is_empty() {
        control.set_connection(&id, Value::Object(new.members));
    }
    shown(control, &id)
}
