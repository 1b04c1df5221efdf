//! The same fleet through the `prometheus` crate: gauges filled one by one as
//! the contract words it, and the crate's own encoder.

use crate::model::{
    AccountView, AuthStatus, ClockOffset, Connection, ErrorCode, EventOutcome, EventSlot,
    EventType, FlowStatus, FlowStep, FlowType, History, PendingInput, Plan, Timestamp,
};
use prometheus::{IntCounter, TextEncoder};

use super::fixture::NOW;
use super::gauges::Gauges;
use super::hostile::visible;
use super::random::{RandomScope, World};
use crate::exposition::Own;

/// Text 0.0.4 of a fleet with every collector, states all or only the active
/// ones.
pub(crate) fn text(world: &World, own: &Own, all: bool) -> String {
    let mut gauges = Gauges::default();
    if let Some((success, took)) = own.probe {
        gauges.maybe("probe_success", &[], flag(Some(success)));
        let took = took.as_secs_f64();
        gauges.set("probe_duration_seconds", &[], took);
    } else {
        fill_exporter(&mut gauges, own);
        for account in &world.accounts {
            fill_account(&mut gauges, account);
        }
    }
    for scope in &world.scopes {
        fill_scope(&mut gauges, scope, all, own.probe.is_none());
    }
    TextEncoder::new()
        .encode_to_string(&gauges.registry.gather())
        .unwrap()
}

fn fill_exporter(gauges: &mut Gauges, own: &Own) {
    if let Some((succeeded, at)) = own.config_load {
        let name = |rest: &str| format!("kernel_auth_exporter_config_last_reload_{rest}");
        gauges.maybe(&name("successful"), &[], flag(Some(succeeded)));
        gauges.set(&name("success_timestamp_seconds"), &[], at.as_seconds());
    }
    gauges.maybe(
        "kernel_auth_timeline_pending_connections",
        &[],
        own.timelines_pending.map(|count| count as f64),
    );
    for (what, value) in [
        ("collections", own.ceilings.map(|(most, _)| most)),
        ("probe_requests", own.ceilings.map(|(_, most)| most)),
    ] {
        let name = format!("kernel_auth_exporter_max_{what}_per_minute");
        gauges.maybe(&name, &[], value.map(|value| value as f64));
    }
    if let Some(count) = own.log_dropped {
        let name = "kernel_auth_exporter_log_dropped_lines_total";
        let counter = IntCounter::new(name, "Help.").unwrap();
        counter.inc_by(count);
        gauges.registry.register(Box::new(counter)).unwrap();
    }
}

fn fill_account(gauges: &mut Gauges, view: &AccountView) {
    let account = visible(view.account.as_deref().unwrap_or_default());
    let labels = [("account", account.as_str())];
    let org = &view.org;
    for (name, value) in [
        ("api_ratelimit_limit", view.ratelimit_limit),
        ("api_ratelimit_remaining", view.ratelimit_remaining),
        ("org_connections_used", org.connections_used),
        ("org_connections_limit", org.connections_limit),
        ("org_concurrent_sessions_used", org.sessions_used),
        ("org_concurrent_sessions_limit", org.sessions_limit),
        (
            "org_min_health_check_interval_seconds",
            org.min_health_check_interval,
        ),
        ("org_connections_unseen", org.connections_unseen),
    ] {
        let value = value.map(|value| value as f64);
        gauges.maybe(&format!("kernel_auth_{name}"), &labels, value);
    }
    gauges.maybe(
        "kernel_auth_api_clock_offset_seconds",
        &labels,
        view.clock.map(ClockOffset::as_seconds),
    );
    gauges.maybe(
        "kernel_auth_api_key_expires_timestamp_seconds",
        &labels,
        org.key_expires.map(Timestamp::as_seconds),
    );
    if let Some(plan) = org.plan {
        let plan = match plan {
            Plan::Free => "FREE",
            Plan::Hobbyist => "HOBBYIST",
            Plan::StartUp => "START_UP",
            Plan::Enterprise => "ENTERPRISE",
            Plan::Other => "other",
        };
        let labels = [labels[0], ("plan", plan)];
        gauges.set("kernel_auth_org_plan_info", &labels, 1.0);
    }
}

fn fill_scope(gauges: &mut Gauges, scope: &RandomScope, all: bool, scrape: bool) {
    let account = visible(scope.account.as_deref().unwrap_or_default());
    let project = visible(scope.project.as_deref().unwrap_or_default());
    let place = [("project", project.as_str()), ("account", account.as_str())];
    if scrape {
        if scope.project.is_some() {
            let labels = [("project_name", project.as_str()), place[0], place[1]];
            gauges.set("kernel_auth_project_info", &labels, 1.0);
        }
        gauges.set("kernel_auth_up", &place, f64::from(u8::from(scope.up)));
        if scope.up {
            gauges.set("kernel_auth_unread_connections", &place, 0.0);
        } else {
            let labels = [("reason", "timeout"), place[0], place[1]];
            gauges.set("kernel_auth_failure_reason", &labels, 1.0);
        }
    }
    if !scope.seen {
        return;
    }
    let connections = scope.connections();
    if scrape {
        gauges.set(
            "kernel_auth_snapshot_timestamp_seconds",
            &place,
            NOW.as_seconds(),
        );
        gauges.set("kernel_auth_snapshot_duration_seconds", &place, 2.0);
        for status in AuthStatus::ALL {
            let count = connections.iter().filter(|of| of.status == *status).count();
            gauges.set(
                "kernel_auth_connections",
                &[place[0], place[1], ("status", status.as_str())],
                count as f64,
            );
        }
    }
    for (id, found) in &scope.found {
        let id = visible(id);
        let labels = [("connection_id", id.as_str()), place[0], place[1]];
        gauges.maybe("kernel_auth_connection_found", &labels, flag(Some(*found)));
    }
    let now = scope.clock().apply(NOW);
    for (random, connection) in scope.connections.iter().zip(&connections) {
        let names = [&random.id, &random.domain].map(|name| visible(name));
        let profile = visible(random.profile.as_deref().unwrap_or_default());
        let labels = [
            ("connection_id", names[0].as_str()),
            ("domain", names[1].as_str()),
            ("profile_name", profile.as_str()),
            place[0],
            place[1],
        ];
        fill(gauges, &labels, connection, now, all);
        if let Some(history) = &connection.history {
            fill_history(gauges, &labels, history, now, all);
        }
    }
}

fn fill_history(
    gauges: &mut Gauges,
    labels: &[(&str, &str)],
    history: &History,
    now: Timestamp,
    all: bool,
) {
    if let Some(at) = history.last_success {
        gauges.set(
            &name("last_success_timestamp_seconds"),
            labels,
            at.as_seconds(),
        );
        let age = whole(now.seconds_since(at));
        gauges.set(&name("last_success_age_seconds"), labels, age);
    }
    gauges.maybe(
        &name("last_confirmed_timestamp_seconds"),
        labels,
        history.last_confirmed.map(Timestamp::as_seconds),
    );
    for kind in EventType::ALL {
        for outcome in EventOutcome::ALL {
            let Some(slot) = EventSlot::of(*kind, *outcome) else {
                continue;
            };
            let count = history.count(slot);
            if all || count > 0 {
                let own = [("type", kind.as_str()), ("outcome", outcome.as_str())];
                gauges.events(&[labels, &own].concat(), count);
            }
        }
    }
}

fn fill(
    gauges: &mut Gauges,
    labels: &[(&str, &str)],
    connection: &Connection,
    now: Timestamp,
    all: bool,
) {
    let and = |more: (&'static str, &'static str)| [labels, &[more]].concat();

    for (rest, label, values, held) in [
        (
            "status",
            "status",
            AuthStatus::LABELS,
            connection.status.as_str(),
        ),
        (
            "flow_status",
            "flow_status",
            FlowStatus::LABELS,
            connection.flow.status.as_str(),
        ),
        (
            "flow_step",
            "flow_step",
            FlowStep::LABELS,
            connection.flow.step.as_str(),
        ),
        (
            "flow_type",
            "flow_type",
            FlowType::LABELS,
            connection.flow.kind.as_str(),
        ),
    ] {
        for value in values {
            if all || *value == held {
                let one = f64::from(u8::from(*value == held));
                gauges.set(&name(rest), &and((label, value)), one);
            }
        }
    }

    fill_times(gauges, labels, connection, now);
    fill_flow(gauges, labels, connection, now);
    fill_settings(gauges, labels, connection);
}

fn name(rest: &str) -> String {
    format!("kernel_auth_connection_{rest}")
}

fn flag(value: Option<bool>) -> Option<f64> {
    value.map(|value| f64::from(u8::from(value)))
}

fn fill_times(
    gauges: &mut Gauges,
    labels: &[(&str, &str)],
    connection: &Connection,
    now: Timestamp,
) {
    let ages = [
        ("last_auth", connection.last_auth_at),
        ("last_auth_check", connection.last_auth_check_at),
    ];
    for (rest, at) in ages {
        if let Some(at) = at {
            gauges.set(
                &name(&format!("{rest}_timestamp_seconds")),
                labels,
                at.as_seconds(),
            );
            gauges.set(
                &name(&format!("{rest}_age_seconds")),
                labels,
                whole(now.seconds_since(at)),
            );
        }
    }
}

/// Rounded down, and never `-0`.
fn whole(seconds: f64) -> f64 {
    seconds.floor() + 0.0
}

fn fill_flow(
    gauges: &mut Gauges,
    labels: &[(&str, &str)],
    connection: &Connection,
    now: Timestamp,
) {
    let and = |more: (&'static str, &'static str)| [labels, &[more]].concat();
    let flow = &connection.flow;
    if let Some(at) = flow.expires_at {
        gauges.set(
            &name("flow_expires_timestamp_seconds"),
            labels,
            at.as_seconds(),
        );
        gauges.set(
            &name("flow_expires_in_seconds"),
            labels,
            whole(at.seconds_since(now)),
        );
    }
    let past = flow.expires_at.is_some_and(|at| at <= now);
    let live = flow.status == FlowStatus::InProgress && !past;
    gauges.maybe(&name("flow_live"), labels, flag(Some(live)));
    gauges.maybe(&name("website_error"), labels, flag(flow.website_error));
    if flow.status == FlowStatus::Failed
        && let Some(code) = flow.error_code.map(ErrorCode::as_str)
    {
        gauges.set(&name("flow_error"), &and(("error_code", code)), 1.0);
    }
    if live {
        for (kind, label) in PendingInput::ALL.iter().zip(PendingInput::LABELS) {
            gauges.maybe(
                &name("flow_pending_inputs"),
                &and(("kind", label)),
                flow.pending[*kind as usize].map(f64::from),
            );
        }
    }
}

fn fill_settings(gauges: &mut Gauges, labels: &[(&str, &str)], connection: &Connection) {
    let and = |more: (&'static str, &'static str)| [labels, &[more]].concat();
    gauges.maybe(&name("can_reauth"), labels, flag(connection.can_reauth));
    if let Some(reason) = connection.can_reauth_reason {
        gauges.set(
            &name("can_reauth_reason"),
            &and(("reason", reason.as_str())),
            1.0,
        );
    }

    let settings = &connection.settings;
    gauges.maybe(
        &name("health_check_interval_seconds"),
        labels,
        settings.health_check_interval.map(f64::from),
    );
    for (rest, value) in [
        ("health_checks_enabled", settings.health_checks),
        ("auto_reauth_enabled", settings.auto_reauth),
        ("save_credentials", settings.save_credentials),
        ("record_session", settings.record_session),
    ] {
        gauges.maybe(&name(rest), labels, flag(value));
    }
    if let Some(reason) = settings.health_check_unavailable {
        gauges.set(
            &name("health_check_unavailable"),
            &and(("reason", reason.as_str())),
            1.0,
        );
    }
    gauges.set(
        &name("credential"),
        &and(("kind", settings.credential.unwrap().as_str())),
        1.0,
    );
    gauges.maybe(
        &name("allowed_domains"),
        labels,
        settings.allowed_domains.map(f64::from),
    );
    if let Some(provider) = settings.sso_provider {
        gauges.set(
            &name("sso_provider"),
            &and(("provider", provider.as_str())),
            1.0,
        );
    }
}
