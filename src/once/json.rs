//! The fleet for programs; `docs/once.schema.json` says what everything means.

use serde_json::{Value, json};

use crate::model::{
    Attention, Connection, CredentialKind, ErrorCode, Failure, Fleet, Flow, FlowStatus,
    HealthCheckUnavailable, History, PendingInput, ReauthReason, ScopeView, Settings, Snapshot,
    SsoProvider, Timestamp,
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

/// Without the members that are null: what the API does not say is left out.
fn said(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at?.rfc3339()
}

fn scope(view: &ScopeView) -> Value {
    let snapshot = view.snapshot.as_ref();
    let not_found = snapshot.iter().flat_map(|seen| seen.not_found());
    let not_found: Vec<&str> = not_found.collect();
    said(json!({
        "account": view.scope.account(),
        "project": view.scope.project(),
        "project_name": view.project_name.as_deref(),
        "up": view.is_up(),
        "failure": view.failure.as_deref().map(failure),
        "fetched_at": time(snapshot.map(|seen| seen.fetched_at)),
        "connections": snapshot.map(|seen| seen.connections.len()),
        "not_found": Some(not_found).filter(|ids| !ids.is_empty()),
    }))
}

fn failure(failure: &Failure) -> Value {
    said(json!({
        "reason": failure.reason.as_str(),
        "since": failure.since.rfc3339(),
        "message": failure.message,
    }))
}

fn connection(view: &ScopeView, snapshot: &Snapshot, row: &Connection, now: Timestamp) -> Value {
    // Ages are told on the API's clock.
    let now = snapshot.clock.apply(now);
    let flow = Some(&row.flow).filter(|flow| flow.status != FlowStatus::None);
    said(json!({
        "id": row.labels.id(),
        "account": view.scope.account(),
        "project": view.scope.project(),
        "domain": row.labels.domain(),
        "profile_name": row.labels.profile_name(),
        "attention": Attention::of(row, now).as_str(),
        "status": row.status.as_str(),
        "last_auth_check_at": time(row.checked_at()),
        "flow": flow.map(|flow| self::flow(flow, now)),
        "can_reauth": row.can_reauth,
        "can_reauth_reason": row.can_reauth_reason.map(ReauthReason::as_str),
        "settings": settings(&row.settings),
        "history": row.history.as_deref().map(history),
    }))
}

fn flow(flow: &Flow, now: Timestamp) -> Value {
    let live = flow.is_live(now);
    let inputs = PendingInput::ALL.iter();
    let inputs = inputs.map(|kind| (kind.as_str(), flow.pending[*kind as usize]));
    said(json!({
        "status": flow.status.as_str(),
        "step": flow.step.as_str(),
        "type": flow.kind.as_str(),
        "live": live,
        "expires_at": time(flow.expires_at),
        "error_code": flow.error().map(ErrorCode::as_str),
        "pending_inputs": live.then(|| said(inputs.collect())),
        "website_error": flow.website_error,
    }))
}

fn settings(settings: &Settings) -> Value {
    let unavailable = settings.health_check_unavailable;
    said(json!({
        "health_check_interval": settings.health_check_interval,
        "health_checks": settings.health_checks,
        "health_check_unavailable_reason": unavailable.map(HealthCheckUnavailable::as_str),
        "auto_reauth": settings.auto_reauth,
        "save_credentials": settings.save_credentials,
        "record_session": settings.record_session,
        "credential": settings.credential.map(CredentialKind::as_str),
        "allowed_domains": settings.allowed_domains,
        "sso_provider": settings.sso_provider.map(SsoProvider::as_str),
    }))
}

fn history(history: &History) -> Value {
    said(json!({
        "last_success_at": time(history.last_success),
        "last_confirmed_at": time(history.last_confirmed),
    }))
}
