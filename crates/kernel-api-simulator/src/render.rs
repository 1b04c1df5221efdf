//! The objects as the API writes them.

use super::clock::Micros;
use super::connection::{Arrays, Checks, Connection, Event, Form, Overlay};
use super::json::Object;
use super::pending;
use super::script::Pending;
use super::values::{Credential, ErrorCode, FlowStatus};

/// Part of every text that an exporter must not show anywhere: links, handles,
/// messages, names and labels. A test looks for it in everything that comes out.
pub const SENSITIVE_MARK: &str = "do-not-export";

/// Appends one connection, as `GET /auth/connections/{id}` gives it.
pub(crate) fn connection(out: &mut String, connection: &Connection) {
    match &connection.overlay {
        Overlay::None => write_connection(out, connection),
        Overlay::Verbatim(text) => out.push_str(text),
        Overlay::Members(members) => {
            let mut plain = String::with_capacity(2048);
            write_connection(&mut plain, connection);
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&plain).unwrap_or_default();
            object.extend(members.clone());
            out.push_str(&serde_json::Value::Object(object).to_string());
        }
    }
}

fn write_connection(out: &mut String, connection: &Connection) {
    let settings = &connection.settings;
    let full = settings.form == Form::Full;
    let mut object = Object::open(out, full, settings.times);
    object.text("id", &connection.id);
    object.text("profile_name", &connection.profile);
    object.text("domain", &connection.domain);
    object.text("status", connection.auth.as_str());
    object.flag("save_credentials", settings.save_credentials);
    object.flag("record_session", settings.record_session);
    if settings.form == Form::Minimal {
        object.close();
        return;
    }
    object.time("last_auth_check_at", connection.last_check);
    if full {
        object.time("last_auth_at", connection.last_check);
    }
    credential(&mut object, settings.credential, &connection.profile);
    match connection.can_reauth() {
        Some(value) => object.flag("can_reauth", value),
        None => object.null("can_reauth"),
    }
    let reason = settings.reason;
    object.optional(
        "can_reauth_reason",
        reason.map(super::values::Reason::as_str),
    );
    write_flow(&mut object, connection);
    object.number("health_check_interval", u64::from(settings.interval));
    object.flag("health_checks", settings.checks != Checks::Off);
    object.flag("auto_reauth", settings.auto_reauth);
    object.optional(
        "health_check_unavailable_reason",
        (settings.checks == Checks::NoUrl).then_some("no_auth_check_url"),
    );
    write_surroundings(&mut object, connection);
    object.close();
}

fn credential(object: &mut Object<'_>, kind: Credential, profile: &str) {
    match kind {
        Credential::None => object.null("credential"),
        Credential::Kernel => {
            let name = credential_name(profile);
            let out = object.name("credential");
            out.push_str("{\"name\":");
            super::json::string(out, &name);
            out.push('}');
        }
        Credential::ExternalPath => object.raw(
            "credential",
            Some(r#"{"provider":"do-not-export-vault","path":"Robots/do-not-export item"}"#),
        ),
        Credential::ExternalAuto => object.raw(
            "credential",
            Some(r#"{"provider":"do-not-export-vault","auto":true}"#),
        ),
        Credential::ExternalInert => {
            object.raw("credential", Some(r#"{"provider":"do-not-export-vault"}"#));
        }
    }
}

/// The name of the Kernel credential that a profile's connections use.
pub(crate) fn credential_name(profile: &str) -> String {
    format!("{profile}-{SENSITIVE_MARK}-login")
}

fn write_flow(object: &mut Object<'_>, connection: &Connection) {
    let flow = connection.flow.as_ref();
    object.optional("flow_status", flow.map(|flow| flow.status.as_str()));
    object.optional("flow_step", flow.map(|flow| flow.step.as_str()));
    object.optional("flow_type", flow.map(|flow| flow.kind.as_str()));
    object.time("flow_expires_at", flow.map(|flow| flow.expires));
    write_payload(object, connection);
    let live = flow.is_some_and(|flow| flow.status == FlowStatus::InProgress);
    if live {
        object.text(
            "browser_session_id",
            &format!("sess-{SENSITIVE_MARK}-{}", &connection.id),
        );
    } else {
        object.null("browser_session_id");
    }
}

/// What a flow asks for and complains of: the same on the object and in its
/// stream of events.
pub(crate) fn write_payload(object: &mut Object<'_>, connection: &Connection) {
    let flow = connection.flow.as_ref();
    let live = flow.filter(|flow| flow.status == FlowStatus::InProgress);
    let asked = live.map_or(Pending::Nothing, |flow| {
        flow.script.stages()[usize::from(flow.stage)].pending
    });
    let error = flow.and_then(|flow| flow.error);
    pending::write(object, asked, connection.settings.arrays);
    object.optional(
        "external_action_message",
        (asked == Pending::Push).then_some("Approve the sign-in on the phone (do-not-export)"),
    );
    object.optional("error_code", error.map(ErrorCode::as_str));
    object.optional(
        "error_message",
        error.map(|_| "The site refused the login of do-not-export@mail.example"),
    );
    object.optional(
        "website_error",
        error
            .filter(|code| *code == ErrorCode::CredentialsInvalid)
            .map(|_| "Wrong password (do-not-export)"),
    );
    match live {
        Some(flow) => {
            let id = &connection.id;
            let event = flow.event;
            object.text(
                "hosted_url",
                &format!("https://hosted.kernel.example/login/{id}?code={SENSITIVE_MARK}-{event}"),
            );
            object.text(
                "live_view_url",
                &format!("https://live.kernel.example/v/{SENSITIVE_MARK}-{id}"),
            );
            if asked == Pending::Nothing || connection.settings.arrays == Arrays::Legacy {
                object.null("interaction_id");
            } else {
                object.text(
                    "interaction_id",
                    &format!("ix-{SENSITIVE_MARK}-{event}-{}", flow.stage),
                );
            }
        }
        None => {
            for name in ["hosted_url", "live_view_url", "interaction_id"] {
                object.null(name);
            }
        }
    }
    if flow.is_some_and(|flow| flow.status == FlowStatus::Success) {
        object.text(
            "post_login_url",
            &format!("https://{}/home?for={SENSITIVE_MARK}", connection.domain),
        );
    } else {
        object.null("post_login_url");
    }
}

fn write_surroundings(object: &mut Object<'_>, connection: &Connection) {
    // Which optional members a connection has, from bits that do not change.
    let bits = connection.seed;
    let has = |bit: u32| bits >> bit & 1 == 1;
    if has(0) {
        object.text(
            "login_url",
            &format!(
                "https://{}/signin?tenant={SENSITIVE_MARK}",
                connection.domain
            ),
        );
    } else {
        object.null("login_url");
    }
    object.raw(
        "allowed_domains",
        has(1).then_some(r#"["sso.partner.example","login.partner.example"]"#),
    );
    object.optional(
        "sso_provider",
        (has(2) && has(3)).then_some(if has(4) {
            "microsoft"
        } else if has(0) {
            "github"
        } else {
            "google"
        }),
    );
    object.raw(
        "browser",
        has(5).then_some(
            [
                r#"{"stealth":true,"region":"us-east","proxy":{"mode":"default"}}"#,
                r#"{"stealth":true,"region":"eu-west","proxy":{"mode":"direct"}}"#,
                r#"{"stealth":false,"region":"us-west","proxy":{"id":"prx-do-not-export"}}"#,
                r#"{"stealth":true,"region":"ap-southeast","proxy":{"name":"do-not-export exit"},"telemetry":{"enabled":true}}"#,
            ][usize::from(has(6)) + 2 * usize::from(has(7))],
        ),
    );
    object.optional(
        "proxy_id",
        (has(8) && has(9)).then_some("prx-do-not-export"),
    );
    object.raw(
        "browser_telemetry",
        (has(10) && has(11)).then_some(r#"{"enabled":true,"storage":{"enabled":true}}"#),
    );
}

/// Appends one event of the timeline.
pub(crate) fn event(out: &mut String, connection: &Connection, event: &Event) {
    let full = connection.settings.form == Form::Full;
    let mut object = Object::open(out, full, connection.settings.times);
    object.text("id", &connection.event_id(event.number));
    object.text("type", event.kind.as_str());
    object.time("timestamp", Some(connection.quantise(event.timestamp)));
    object.text("status", event.status.as_str());
    let previous = event.previous;
    object.optional("previous_status", previous.map(super::values::Auth::as_str));
    object.optional("step", event.step.map(super::values::EventStep::as_str));
    let precise = |time: Option<Micros>| time.map(|time| connection.quantise(time));
    object.time("completed_at", precise(event.completed));
    object.time("updated_at", precise(event.updated));
    object.optional("error_code", event.error.map(ErrorCode::as_str));
    object.optional(
        "error_message",
        event
            .error
            .map(|_| "The site refused the login (do-not-export)"),
    );
    object.optional(
        "website_error",
        event
            .error
            .filter(|code| *code == ErrorCode::CredentialsInvalid)
            .map(|_| "Wrong password (do-not-export)"),
    );
    if event.step.is_some() {
        object.text(
            "browser_session_id",
            &format!("sess-{SENSITIVE_MARK}-{}", event.number),
        );
        if connection.settings.record_session {
            object.text(
                "replay_id",
                &format!("replay-{SENSITIVE_MARK}-{}", event.number),
            );
        } else {
            object.null("replay_id");
        }
        object.flag("telemetry_captured", connection.seed & 1 == 1);
    } else {
        for name in ["browser_session_id", "replay_id", "telemetry_captured"] {
            object.null(name);
        }
    }
    object.close();
}
