//! The same fleet through the `prometheus` crate: gauges filled one by one as
//! the contract words it, and the crate's own encoder.

use std::collections::BTreeMap;

use crate::model::{
    AuthStatus, Connection, ErrorCode, FlowStatus, FlowStep, FlowType, PendingInput, Timestamp,
};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

use super::fixture::{NOW, visible};
use super::random::RandomScope;

#[derive(Default)]
struct Gauges {
    registry: Registry,
    by_name: BTreeMap<String, GaugeVec>,
}

impl Gauges {
    fn set(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let registry = &self.registry;
        let gauge = self.by_name.entry(name.to_owned()).or_insert_with(|| {
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            let gauge = GaugeVec::new(Opts::new(name, "Help."), &names).unwrap();
            registry.register(Box::new(gauge.clone())).unwrap();
            gauge
        });
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        gauge.with_label_values(&values).set(value);
    }

    fn maybe(&mut self, name: &str, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, labels, value);
        }
    }
}

/// Text 0.0.4 of the scopes, states all or only the active ones.
pub(crate) fn text(scopes: &[RandomScope], all: bool) -> String {
    let mut gauges = Gauges::default();
    for scope in scopes {
        let account = visible(scope.account.as_deref().unwrap_or_default());
        let project = visible(scope.project.as_deref().unwrap_or_default());
        let place = [("project", project.as_str()), ("account", account.as_str())];
        gauges.set("kernel_auth_up", &place, f64::from(u8::from(scope.up)));
        if !scope.seen {
            continue;
        }
        gauges.set(
            "kernel_auth_snapshot_timestamp_seconds",
            &place,
            NOW.as_seconds(),
        );
        let connections = scope.connections();
        for status in AuthStatus::ALL {
            let count = connections.iter().filter(|of| of.status == *status).count();
            gauges.set(
                "kernel_auth_connections",
                &[place[0], place[1], ("status", status.as_str())],
                count as f64,
            );
        }
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
            fill(
                &mut gauges,
                &labels,
                connection,
                scope.clock().apply(NOW),
                all,
            );
        }
    }
    TextEncoder::new()
        .encode_to_string(&gauges.registry.gather())
        .unwrap()
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
                now.seconds_since(at),
            );
        }
    }
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
            at.seconds_since(now),
        );
    }
    let past = flow.expires_at.is_some_and(|at| at <= now);
    let live = flow.status == FlowStatus::InProgress && !past;
    gauges.maybe(&name("flow_live"), labels, flag(Some(live)));
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
                flow.pending.of(*kind).map(f64::from),
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
        &and(("kind", settings.credential.as_str())),
        1.0,
    );
}
