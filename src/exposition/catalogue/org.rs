//! Families about an account's organisation and its key.

use super::{Family, Kind, Label, Put, Source, Subject, Value};
use crate::model::{AccountView, Collector, Plan};

const fn org(name: &'static str, help: &'static str, value: fn(&AccountView, Put<'_>)) -> Family {
    let source = Source::Account(value);
    Family::new(Kind::Gauge, name, Subject::Account, help, source).collector(Collector::Org)
}

pub(super) const FAMILIES: &[Family] = &[
    org(
        "kernel_auth_org_connections_used",
        "Connections that the organisation has.",
        |account, put| put("", account.org.connections_used.map(Value::Integer)),
    ),
    org(
        "kernel_auth_org_connections_limit",
        "Connections that the organisation may have; absent where there is no limit.",
        |account, put| put("", account.org.connections_limit.map(Value::Integer)),
    ),
    org(
        "kernel_auth_org_concurrent_sessions_used",
        "Browser sessions that the organisation runs.",
        |account, put| put("", account.org.sessions_used.map(Value::Integer)),
    ),
    org(
        "kernel_auth_org_concurrent_sessions_limit",
        "Browser sessions that the organisation may run at once; absent where there is no limit.",
        |account, put| put("", account.org.sessions_limit.map(Value::Integer)),
    ),
    org(
        "kernel_auth_org_min_health_check_interval_seconds",
        "Shortest interval between health checks that the plan allows.",
        |account, put| {
            put(
                "",
                account.org.min_health_check_interval.map(Value::Integer),
            );
        },
    ),
    Family::new(
        Kind::Gauge,
        "kernel_auth_org_plan_info",
        Subject::Account,
        "1, with the organisation's plan.",
        Source::Account(|account, put| {
            if let Some(plan) = account.org.plan {
                put(plan.as_str(), Some(Value::ONE));
            }
        }),
    )
    .collector(Collector::Org)
    .labels(&[Label::of("plan", Plan::LABELS)]),
    org(
        "kernel_auth_org_connections_unseen",
        "Connections that the organisation has and the exporter does not show; only where every connection of every project is to be shown.",
        |account, put| put("", account.org.connections_unseen.map(Value::Integer)),
    ),
    org(
        "kernel_auth_api_key_expires_timestamp_seconds",
        "When the API key in use expires; absent where it does not.",
        |account, put| put("", account.org.key_expires.map(Value::at)),
    ),
];
