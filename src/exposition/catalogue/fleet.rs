//! Families about accounts, projects and configured ids.

use super::{Family, Kind, Label, Source, Subject, Value};
use crate::model::{AuthStatus, ClockOffset, ErrorReason, Snapshot};

const fn gauge(name: &'static str, subject: Subject, help: &'static str, source: Source) -> Family {
    Family::new(Kind::Gauge, name, subject, help, source)
}

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "kernel_auth_up",
        Subject::Scope,
        "1 when the most recent collection came whole from the API, else 0. An earlier snapshot served to stay within cache or quota does not change it.",
        Source::Scope(|view, put| put("", Some(Value::flag(view.is_up())))),
    ),
    gauge(
        "kernel_auth_failure_reason",
        Subject::Scope,
        "Why the most recent collection did not come whole: exactly one series of value 1 while kernel_auth_up is 0, none while it is 1.",
        Source::Scope(|view, put| {
            if let Some(failure) = &view.failure {
                put(failure.reason.as_str(), Some(Value::ONE));
            }
        }),
    )
    .labels(&[Label::of("reason", ErrorReason::LABELS)]),
    gauge(
        "kernel_auth_unread_connections",
        Subject::Scope,
        "Connections that the most recent collection could not read, while it read at least as many; absent where it did not. Those that are known are shown as last seen, within --kernel.hold.",
        Source::Scope(|view, put| {
            let unread = view.failure.as_ref().map(|failure| failure.unread);
            put("", match unread {
                None => Some(Value::Integer(0)),
                Some(unread) => (unread > 0).then_some(Value::Integer(unread)),
            });
        }),
    ),
    gauge(
        "kernel_auth_project_info",
        Subject::Scope,
        "1, with what people call the project, where the exporter lists projects.",
        Source::Scope(|view, put| {
            if let Some(name) = &view.project_name {
                put(name, Some(Value::ONE));
            }
        }),
    )
    .labels(&[Label::open("project_name")]),
    gauge(
        "kernel_auth_snapshot_timestamp_seconds",
        Subject::Scope,
        "When the oldest page of the data shown was asked for, on the exporter's clock.",
        Source::Scope(|view, put| {
            let snapshot = view.snapshot.as_ref();
            put("", snapshot.map(|snapshot| Value::at(snapshot.fetched_at)));
        }),
    ),
    gauge(
        "kernel_auth_snapshot_duration_seconds",
        Subject::Scope,
        "How long the data shown took to fetch. Where the quota slows collections down, the data may be this much older than usual.",
        Source::Scope(|view, put| {
            let took = view.snapshot.as_ref().map(|snapshot| snapshot.took);
            put("", took.map(|took| Value::Float(took.as_secs_f64())));
        }),
    ),
    gauge(
        "kernel_auth_connections",
        Subject::Scope,
        "How many connections are exported, by status.",
        Source::Scope(|view, put| {
            let counts = view.snapshot.as_ref().map(|snapshot| tally(snapshot));
            for (status, count) in AuthStatus::LABELS.iter().zip(counts.iter().flatten()) {
                put(status, Some(Value::Integer(*count)));
            }
        }),
    )
    .labels(&[Label::of("status", AuthStatus::LABELS)]),
    gauge(
        "kernel_auth_connection_found",
        Subject::ConfiguredConnection,
        "For each connection that the configuration names by id: 1, or 0 when the API does not know it.",
        Source::Found,
    ),
    gauge(
        "kernel_auth_api_ratelimit_limit",
        Subject::Account,
        "Requests a minute that the API allows the organisation, where it says so.",
        Source::Account(|account, put| put("", account.ratelimit_limit.map(Value::Integer))),
    ),
    gauge(
        "kernel_auth_api_ratelimit_remaining",
        Subject::Account,
        "Requests that the API still allows the organisation in this minute, where it says so.",
        Source::Account(|account, put| put("", account.ratelimit_remaining.map(Value::Integer))),
    ),
    gauge(
        "kernel_auth_api_clock_offset_seconds",
        Subject::Account,
        "How far the API's clock is ahead of the exporter's; 0 within five seconds. Ages and remaining times are corrected by it.",
        Source::Account(|account, put| {
            let offset = account.clock.map(ClockOffset::as_seconds);
            put("", offset.map(Value::Float));
        }),
    ),
];

/// How many connections have each status, in the order of its labels.
fn tally(snapshot: &Snapshot) -> [u64; AuthStatus::LABELS.len()] {
    let mut counts = [0; AuthStatus::LABELS.len()];
    for connection in &snapshot.connections {
        counts[connection.status as usize] += 1;
    }
    counts
}
