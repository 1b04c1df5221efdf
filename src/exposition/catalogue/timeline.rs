//! Families about what happened to connections, from their timelines.

use super::{
    ConnectionValue::{self, Events, Number},
    Family, Kind, Label, Source, Subject, Value,
};
use crate::model::{Collector, ErrorCode, EventOutcome, EventSlot, EventType};

const ATTEMPTS: Label = Label::of("type", &["login", "reauth"]);
const OUTCOMES: Label = Label::of("outcome", &["SUCCESS", "FAILED", "EXPIRED", "CANCELED"]);

const fn of_connection(
    kind: Kind,
    name: &'static str,
    help: &'static str,
    value: ConnectionValue,
) -> Family {
    let source = Source::Connection(value);
    Family::new(kind, name, Subject::Connection, help, source).collector(Collector::Timeline)
}

const fn of_fleet(kind: Kind, name: &'static str, help: &'static str, source: Source) -> Family {
    Family::new(kind, name, Subject::Exporter, help, source).collector(Collector::Timeline)
}

pub(super) const FAMILIES: &[Family] = &[
    of_connection(
        Kind::Gauge,
        "kernel_auth_connection_last_success_timestamp_seconds",
        "When a login, attended or not, last succeeded.",
        Number(|connection, _| {
            let history = connection.history.as_ref()?;
            history.last_success.map(Value::at)
        }),
    ),
    of_connection(
        Kind::Gauge,
        "kernel_auth_connection_last_success_age_seconds",
        "Seconds since a login, attended or not, last succeeded, on the API's clock.",
        Number(|connection, now| {
            let history = connection.history.as_ref()?;
            history.last_success.map(|at| Value::whole_seconds(at, now))
        }),
    ),
    of_connection(
        Kind::Gauge,
        "kernel_auth_connection_last_confirmed_timestamp_seconds",
        "When a health check last saw the connection logged in.",
        Number(|connection, _| {
            let history = connection.history.as_ref()?;
            history.last_confirmed.map(Value::at)
        }),
    ),
    of_connection(
        Kind::Counter,
        "kernel_auth_connection_events_total",
        "Logins and health checks that ended since the exporter started, each once. A health check without a result leaves no event.",
        Events(|connection, index| {
            let history = connection.history.as_ref()?;
            let outcomes = EventOutcome::ALL.len();
            let (kind, outcome) = (index / outcomes, index % outcomes);
            let slot = EventSlot::of(EventType::ALL[kind], EventOutcome::ALL[outcome])?;
            Some(history.count(slot))
        }),
    )
    .labels(&[
        Label::of("type", EventType::LABELS),
        Label::of("outcome", EventOutcome::LABELS),
    ]),
    of_fleet(
        Kind::Counter,
        "kernel_auth_flow_errors_total",
        "Login flows that failed since the exporter started, each once.",
        Source::Gathered,
    )
    .labels(&[ATTEMPTS, Label::of("error_code", ErrorCode::LABELS)]),
    of_fleet(
        Kind::Histogram,
        "kernel_auth_flow_duration_seconds",
        "How long login flows took that ended since the exporter started, where the API tells when they did.",
        Source::Gathered,
    )
    .labels(&[ATTEMPTS, OUTCOMES]),
    of_fleet(
        Kind::Gauge,
        "kernel_auth_timeline_pending_connections",
        "Connections whose timeline is still to be read.",
        Source::Own(|own| {
            let pending = u64::try_from(own.timelines_pending?).ok()?;
            Some(Value::Integer(pending))
        }),
    ),
];
