//! Names, types and labels of the collectors `timeline` and `org`, kept so that
//! nothing else takes them. A family leaves this list for a real one when its
//! [`super::Source`] does.

use super::{Family, Kind, Label, Subject};
use crate::model::{Collector, ErrorCode};

const ATTEMPTS: Label = Label::of("type", &["login", "reauth"]);
const OUTCOMES: Label = Label::of("outcome", &["SUCCESS", "FAILED", "EXPIRED", "CANCELED"]);

const fn timeline(kind: Kind, name: &'static str, subject: Subject, help: &'static str) -> Family {
    Family::new(kind, name, subject, help).collector(Collector::Timeline)
}

const fn org(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, Subject::Account, help).collector(Collector::Org)
}

pub(super) const FAMILIES: &[Family] = &[
    timeline(
        Kind::Gauge,
        "kernel_auth_connection_last_success_timestamp_seconds",
        Subject::Connection,
        "When a login, attended or not, last succeeded.",
    ),
    timeline(
        Kind::Gauge,
        "kernel_auth_connection_last_success_age_seconds",
        Subject::Connection,
        "Seconds since a login, attended or not, last succeeded, on the API's clock.",
    ),
    timeline(
        Kind::Gauge,
        "kernel_auth_connection_last_confirmed_timestamp_seconds",
        Subject::Connection,
        "When a health check last saw the connection logged in.",
    ),
    timeline(
        Kind::Counter,
        "kernel_auth_connection_events_total",
        Subject::Connection,
        "Logins and health checks that ended since the exporter started, each once.",
    )
    .labels(&[
        Label::of("type", &["login", "reauth", "health_check"]),
        Label::of(
            "outcome",
            &[
                "SUCCESS",
                "FAILED",
                "EXPIRED",
                "CANCELED",
                "AUTHENTICATED",
                "NEEDS_AUTH",
            ],
        ),
    ]),
    timeline(
        Kind::Counter,
        "kernel_auth_flow_errors_total",
        Subject::Exporter,
        "Login flows that failed since the exporter started, each once.",
    )
    .labels(&[ATTEMPTS, Label::of("error_code", ErrorCode::LABELS)]),
    timeline(
        Kind::Histogram,
        "kernel_auth_flow_duration_seconds",
        Subject::Exporter,
        "How long login flows took that ended since the exporter started.",
    )
    .labels(&[ATTEMPTS, OUTCOMES]),
    timeline(
        Kind::Gauge,
        "kernel_auth_timeline_pending_connections",
        Subject::Exporter,
        "Connections whose timeline is still to be read.",
    ),
    org(
        "kernel_auth_org_connections_used",
        "Connections that the organisation has.",
    ),
    org(
        "kernel_auth_org_connections_limit",
        "Connections that the organisation may have; absent where there is no limit.",
    ),
    org(
        "kernel_auth_org_concurrent_sessions_used",
        "Browser sessions that the organisation runs.",
    ),
    org(
        "kernel_auth_org_concurrent_sessions_limit",
        "Browser sessions that the organisation may run at once; absent where there is no limit.",
    ),
    org(
        "kernel_auth_org_min_health_check_interval_seconds",
        "Shortest interval between health checks that the plan allows.",
    ),
    org(
        "kernel_auth_org_plan_info",
        "1, with the organisation's plan.",
    )
    .labels(&[Label::of(
        "plan",
        &["FREE", "HOBBYIST", "START_UP", "ENTERPRISE", "other"],
    )]),
    org(
        "kernel_auth_org_connections_unseen",
        "Connections that the organisation has and the exporter does not show.",
    ),
    org(
        "kernel_auth_api_key_expires_timestamp_seconds",
        "When the API key in use expires; absent where it does not.",
    ),
];
