//! What the API would say of a connection, for tests.

use serde::Serialize;
use serde_json::Value;

use super::connection::Connection;
use super::render;

/// One connection as the API would describe it now; times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the members are named as the API names them")]
pub struct Truth {
    pub id: String,
    /// Id of its project.
    pub project: String,
    pub domain: String,
    pub profile_name: String,
    pub status: Option<String>,
    pub flow_status: Option<String>,
    pub flow_step: Option<String>,
    pub flow_type: Option<String>,
    pub flow_expires_at: Option<f64>,
    pub last_auth_check_at: Option<f64>,
    pub error_code: Option<String>,
    pub can_reauth: Option<bool>,
    pub can_reauth_reason: Option<String>,
    /// The class of `credential`: `none`, `kernel`, `external_path`,
    /// `external_auto`, `external_inert`.
    pub credential: String,
    /// The whole object, as it is served.
    pub object: Value,
}

/// One event of a timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TruthEvent {
    /// Whether it started before the world did.
    pub past: bool,
    /// The whole object, as it is served.
    pub object: Value,
}

/// The connection as the API would describe it.
pub(crate) fn truth(connection: &Connection, project: &str) -> Truth {
    let mut text = String::with_capacity(2048);
    render::connection(&mut text, connection);
    let object: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let word = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| {
        let stamp: jiff::Timestamp = word(name)?.parse().ok()?;
        Some(stamp.as_microsecond() as f64 / 1e6)
    };
    let credential = object.get("credential");
    let has = |name: &str| credential.is_some_and(|credential| credential.get(name).is_some());
    let class = if has("name") {
        "kernel"
    } else if has("path") {
        "external_path"
    } else if has("auto") {
        "external_auto"
    } else if has("provider") {
        "external_inert"
    } else {
        "none"
    };
    Truth {
        id: connection.id.to_string(),
        project: project.to_owned(),
        domain: connection.domain.to_string(),
        profile_name: connection.profile.to_string(),
        status: word("status"),
        flow_status: word("flow_status"),
        flow_step: word("flow_step"),
        flow_type: word("flow_type"),
        flow_expires_at: time("flow_expires_at"),
        last_auth_check_at: time("last_auth_check_at"),
        error_code: word("error_code"),
        can_reauth: object.get("can_reauth").and_then(Value::as_bool),
        can_reauth_reason: word("can_reauth_reason"),
        credential: class.to_owned(),
        object,
    }
}
