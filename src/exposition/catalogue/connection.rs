//! Families about one connection.

use super::{
    ConnectionValue::{self, Counts, Fact, Flag, Number, State},
    Family, Kind, Label, Source, Subject, Value,
};
use crate::model::{
    AuthStatus, Collector, CredentialKind, ErrorCode, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, PendingInput, ReauthReason, SsoProvider,
};

const fn gauge(
    collector: Collector,
    name: &'static str,
    help: &'static str,
    value: ConnectionValue,
) -> Family {
    let source = Source::Connection(value);
    Family::new(Kind::Gauge, name, Subject::Connection, help, source).collector(collector)
}

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        Collector::Status,
        "kernel_auth_connection_status",
        "Last known authentication status: 1 for the one that holds. An inconclusive health check leaves it as it was.",
        State(|connection| connection.status as usize),
    )
    .labels(&[Label::of("status", AuthStatus::LABELS)]),
    gauge(
        Collector::Auth,
        "kernel_auth_connection_last_auth_timestamp_seconds",
        "When the API last checked the connection (last_auth_at, a deprecated alias of last_auth_check_at). Not the time of a successful login: it moves with every check, whatever its outcome.",
        Number(|connection, _| connection.last_auth_at.map(Value::at)),
    ),
    gauge(
        Collector::Auth,
        "kernel_auth_connection_last_auth_age_seconds",
        "Seconds since the API last checked the connection (last_auth_at, a deprecated alias of last_auth_check_at), on the API's clock. Not the age of a successful login.",
        Number(|connection, now| {
            connection
                .last_auth_at
                .map(|at| Value::whole_seconds(at, now))
        }),
    ),
    gauge(
        Collector::Auth,
        "kernel_auth_connection_last_auth_check_timestamp_seconds",
        "When the latest health check was made, whatever its outcome.",
        Number(|connection, _| connection.last_auth_check_at.map(Value::at)),
    ),
    gauge(
        Collector::Auth,
        "kernel_auth_connection_last_auth_check_age_seconds",
        "Seconds since the latest health check, whatever its outcome, on the API's clock.",
        Number(|connection, now| {
            connection
                .last_auth_check_at
                .map(|at| Value::whole_seconds(at, now))
        }),
    ),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_status",
        "State of the most recent login flow: 1 for the one that holds. It stays after the flow has ended.",
        State(|connection| connection.flow.status as usize),
    )
    .labels(&[Label::of("flow_status", FlowStatus::LABELS)]),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_step",
        "Step of the most recent login flow: 1 for the one that holds. It stays after the flow has ended.",
        State(|connection| connection.flow.step as usize),
    )
    .labels(&[Label::of("flow_step", FlowStep::LABELS)]),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_type",
        "Kind of the most recent login flow: 1 for the one that holds. REAUTH does not mean that nobody was involved.",
        State(|connection| connection.flow.kind as usize),
    )
    .labels(&[Label::of("flow_type", FlowType::LABELS)]),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_expires_timestamp_seconds",
        "When the most recent login flow expires, or would have expired.",
        Number(|connection, _| connection.flow.expires_at.map(Value::at)),
    ),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_expires_in_seconds",
        "Seconds until the most recent login flow expires, on the API's clock; negative once past.",
        Number(|connection, now| {
            connection
                .flow
                .expires_at
                .map(|at| Value::whole_seconds(now, at))
        }),
    ),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_live",
        "1 while a login flow is IN_PROGRESS and not past its expiry, else 0.",
        Flag(|connection, now| Some(connection.flow.is_live(now))),
    ),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_error",
        "1, with why the most recent login flow failed; only while its status is FAILED.",
        Fact(|connection| Some(connection.flow.error()? as usize)),
    )
    .labels(&[Label::of("error_code", ErrorCode::LABELS)]),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_flow_pending_inputs",
        "How many inputs a live login flow asks a person for, by kind; only while it is live.",
        Counts(|connection, now, index| {
            let count = connection.flow.pending[index]?;
            connection.flow.is_live(now).then_some(u64::from(count))
        }),
    )
    .labels(&[Label::of("kind", PendingInput::LABELS)]),
    gauge(
        Collector::Flow,
        "kernel_auth_connection_website_error",
        "1 while the site shows an error in the most recent login flow, 0 where a flow is known and it does not.",
        Flag(|connection, _| connection.flow.website_error),
    ),
    gauge(
        Collector::Reauth,
        "kernel_auth_connection_can_reauth",
        "1 where the connection is eligible for an unattended login, else 0.",
        Flag(|connection, _| connection.can_reauth),
    ),
    gauge(
        Collector::Reauth,
        "kernel_auth_connection_can_reauth_reason",
        "1, with why the connection is eligible for an unattended login or is not. kernel_auth_connection_can_reauth tells which.",
        Fact(|connection| connection.can_reauth_reason.map(|reason| reason as usize)),
    )
    .labels(&[Label::of("reason", ReauthReason::LABELS)]),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_health_check_interval_seconds",
        "Configured seconds between scheduled health checks.",
        Number(|connection, _| {
            let interval = connection.settings.health_check_interval?;
            Some(Value::Integer(u64::from(interval)))
        }),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_health_checks_enabled",
        "1 where scheduled health checks are on, else 0.",
        Flag(|connection, _| connection.settings.health_checks),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_auto_reauth_enabled",
        "1 where unattended logins are permitted, else 0.",
        Flag(|connection, _| connection.settings.auto_reauth),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_save_credentials",
        "1 where credentials typed into a login flow are saved, else 0.",
        Flag(|connection, _| connection.settings.save_credentials),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_record_session",
        "1 where the browser sessions of login flows are recorded, else 0.",
        Flag(|connection, _| connection.settings.record_session),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_health_check_unavailable",
        "1, with why health checks cannot prove anything; absent where they can.",
        Fact(|connection| {
            connection
                .settings
                .health_check_unavailable
                .map(|reason| reason as usize)
        }),
    )
    .labels(&[Label::of("reason", HealthCheckUnavailable::LABELS)]),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_credential",
        "1, with the class of the attached credential. external_inert names a provider without a path and has no effect.",
        Fact(|connection| Some(connection.settings.credential? as usize)),
    )
    .labels(&[Label::of("kind", CredentialKind::LABELS)]),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_allowed_domains",
        "How many domains credentials may be typed into, where the API says; 0 means no restriction.",
        Number(|connection, _| {
            let count = connection.settings.allowed_domains?;
            Some(Value::Integer(u64::from(count)))
        }),
    ),
    gauge(
        Collector::Settings,
        "kernel_auth_connection_sso_provider",
        "1, with the provider that the connection logs in through, where the API names one.",
        Fact(|connection| Some(connection.settings.sso_provider? as usize)),
    )
    .labels(&[Label::of("provider", SsoProvider::LABELS)]),
];
