//! The fleet for programs; `docs/once.schema.json` says what everything means.

use serde_json::{Map, Value, json};

use crate::model::{
    Attention, Connection, Failure, Fleet, Flow, FlowStatus, History, PendingInput, Scope,
    ScopeView, Settings, Snapshot, Timestamp,
};

pub(super) fn render(fleet: &Fleet, now: Timestamp, whole: bool) -> Vec<u8> {
    let connections = fleet.connections();
    let connections = connections.map(|(view, snapshot, row)| connection(view, snapshot, row, now));
    let out = json!({
        "at": now.rfc3339(),
        "whole": whole,
        "scopes": fleet.scopes.iter().map(scope).collect::<Vec<_>>(),
        "connections": connections.collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_vec_pretty(&out).expect("names, numbers and lists of them");
    text.push(b'\n');
    text
}

/// What is there of these: what the API does not say is left out.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter();
    let there = there.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

fn time(at: Option<Timestamp>) -> Option<Value> {
    Some(json!(at?.rfc3339()?))
}

fn names(scope: &Scope) -> [(&'static str, Option<Value>); 2] {
    [
        ("account", scope.account().map(Value::from)),
        ("project", scope.project().map(Value::from)),
    ]
}

fn scope(view: &ScopeView) -> Value {
    let [account, project] = names(&view.scope);
    let snapshot = view.snapshot.as_ref();
    object([
        account,
        project,
        (
            "project_name",
            view.project_name.as_deref().map(Value::from),
        ),
        ("up", Some(json!(view.is_up()))),
        ("failure", view.failure.as_deref().map(failure)),
        ("fetched_at", time(snapshot.map(|seen| seen.fetched_at))),
        (
            "connections",
            snapshot.map(|seen| json!(seen.connections.len())),
        ),
    ])
}

fn failure(failure: &Failure) -> Value {
    object([
        ("reason", Some(json!(failure.reason.as_str()))),
        ("since", time(Some(failure.since))),
        ("message", Some(json!(failure.message))),
    ])
}

fn connection(view: &ScopeView, snapshot: &Snapshot, row: &Connection, now: Timestamp) -> Value {
    // Ages are told on the API's clock.
    let now = snapshot.clock.apply(now);
    let [account, project] = names(&view.scope);
    let text = |text: &str| Some(Value::from(text));
    object([
        ("id", text(&row.labels.id())),
        account,
        project,
        ("domain", text(&row.labels.domain())),
        (
            "profile_name",
            row.labels.profile_name().and_then(|name| text(&name)),
        ),
        ("attention", text(Attention::of(row, now).slug())),
        ("status", text(row.status.as_str())),
        ("last_auth_check_at", time(row.checked_at())),
        (
            "flow",
            (row.flow.status != FlowStatus::None).then(|| flow(&row.flow, now)),
        ),
        ("can_reauth", row.can_reauth.map(Value::from)),
        (
            "can_reauth_reason",
            row.can_reauth_reason
                .and_then(|reason| text(reason.as_str())),
        ),
        ("settings", Some(settings(&row.settings))),
        ("history", row.history.as_deref().map(history)),
    ])
}

fn flow(flow: &Flow, now: Timestamp) -> Value {
    let live = flow.is_live(now);
    let inputs = PendingInput::ALL.iter().zip(PendingInput::LABELS);
    let inputs = inputs
        .filter_map(|(kind, label)| Some(((*label).to_owned(), json!(flow.pending.of(*kind)?))));
    object([
        ("status", Some(json!(flow.status.as_str()))),
        ("step", Some(json!(flow.step.as_str()))),
        ("type", Some(json!(flow.kind.as_str()))),
        ("live", Some(json!(live))),
        ("expires_at", time(flow.expires_at)),
        ("error_code", flow.error().map(|code| json!(code.as_str()))),
        (
            "pending_inputs",
            live.then(|| Value::Object(inputs.collect())),
        ),
        ("website_error", flow.website_error.map(Value::from)),
    ])
}

fn settings(settings: &Settings) -> Value {
    let unavailable = settings.health_check_unavailable;
    object([
        (
            "health_check_interval",
            settings.health_check_interval.map(Value::from),
        ),
        ("health_checks", settings.health_checks.map(Value::from)),
        (
            "health_check_unavailable_reason",
            unavailable.map(|reason| json!(reason.as_str())),
        ),
        ("auto_reauth", settings.auto_reauth.map(Value::from)),
        (
            "save_credentials",
            settings.save_credentials.map(Value::from),
        ),
        ("record_session", settings.record_session.map(Value::from)),
        (
            "credential",
            settings.credential.map(|kind| json!(kind.as_str())),
        ),
        ("allowed_domains", settings.allowed_domains.map(Value::from)),
        (
            "sso_provider",
            settings
                .sso_provider
                .map(|provider| json!(provider.as_str())),
        ),
    ])
}

fn history(history: &History) -> Value {
    object([
        ("last_success_at", time(history.last_success)),
        ("last_confirmed_at", time(history.last_confirmed)),
    ])
}
