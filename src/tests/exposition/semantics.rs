//! What each value means.

use std::sync::Arc;
use std::time::Duration;

use crate::exposition::{Options, Own, catalogue, render};
use crate::model::{
    AuthStatus, ClockOffset, Collector, Connection, ErrorCode, Failure, Fleet, FlowStatus,
    MAX_LABEL_BYTES, PendingInput, Scope, ScopeView, Snapshot, Timestamp,
};

use super::fixture::{self, NOW, active, every_collector, fleet_of, own, sparse};
use super::hostile;
use super::parser::{self, Parsed};
use crate::exposition::Format;

fn rendered(fleet: &Fleet) -> Parsed {
    parser::text(&render(fleet, &Own::default(), NOW, Options::default()))
}

fn one(change: impl FnOnce(&mut Connection)) -> Parsed {
    let mut connection = sparse(&Scope::default(), "id", "domain", Some("profile"));
    change(&mut connection);
    rendered(&fleet_of(vec![connection]))
}

const LABELS: [(&str, &str); 3] = [
    ("connection_id", "id"),
    ("domain", "domain"),
    ("profile_name", "profile"),
];

fn value(parsed: &Parsed, rest: &str) -> Option<f64> {
    parsed.value(&format!("kernel_auth_connection_{rest}"), &LABELS)
}

fn count(parsed: &Parsed, rest: &str) -> usize {
    parsed.count(&format!("kernel_auth_connection_{rest}"))
}

#[test]
fn what_the_api_leaves_out_is_left_out() {
    let parsed = one(|_| {});
    let mut present: Vec<&str> = parsed
        .types
        .keys()
        .filter_map(|name| name.strip_prefix("kernel_auth_connection_"))
        .collect();
    present.sort_unstable();
    assert_eq!(
        present,
        [
            "credential",
            "flow_live",
            "flow_status",
            "flow_step",
            "flow_type",
            "status"
        ]
    );
}

#[test]
fn every_state_has_a_series_and_one_holds() {
    for status in AuthStatus::ALL {
        let parsed = one(|connection| connection.status = *status);
        for other in AuthStatus::ALL {
            assert_eq!(
                parsed.value(
                    "kernel_auth_connection_status",
                    &[("status", other.as_str())]
                ),
                Some(if other == status { 1.0 } else { 0.0 })
            );
        }
    }
}

#[test]
fn active_states_leave_the_zeros_out() {
    let fleet = fixture::story();
    let options = fixture::options(Format::Text004);
    let all = parser::text(&render(&fleet, &Own::default(), NOW, options));
    let active = parser::text(&render(
        &fleet,
        &Own::default(),
        NOW,
        active(Format::Text004),
    ));
    let snapshots = fleet
        .scopes
        .iter()
        .filter_map(|scope| scope.snapshot.as_ref());
    let connections: usize = snapshots.map(|snapshot| snapshot.connections.len()).sum();
    let states = ["status", "flow_status", "flow_step", "flow_type"];
    for name in states.map(|rest| format!("kernel_auth_connection_{rest}")) {
        assert_eq!(active.count(&name), connections);
    }
    let expected = all.samples.iter().filter(|((name, _), bits)| {
        **bits != 0.0_f64.to_bits()
            || !states
                .iter()
                .chain(&["events_total"])
                .any(|rest| name.strip_prefix("kernel_auth_connection_") == Some(rest))
    });
    assert!(expected.eq(active.samples.iter()));
}

#[test]
fn ages_are_as_of_rendering_on_the_clock_of_the_api() {
    let at = Timestamp::from_micros(NOW.as_micros() - 90_500_000);
    let connection = Connection {
        last_auth_at: Some(at),
        last_auth_check_at: Some(at),
        ..sparse(&Scope::default(), "id", "domain", Some("profile"))
    };
    let mut fleet = fleet_of(vec![connection]);
    let parsed = rendered(&fleet);
    assert_eq!(value(&parsed, "last_auth_age_seconds"), Some(90.0));
    assert_eq!(value(&parsed, "last_auth_check_age_seconds"), Some(90.0));
    assert_eq!(
        value(&parsed, "last_auth_timestamp_seconds"),
        Some(at.as_seconds())
    );

    let later = render(
        &fleet,
        &Own::default(),
        NOW.plus(Duration::from_secs(30)),
        Options::default(),
    );
    let later = parser::text(&later);
    assert_eq!(value(&later, "last_auth_age_seconds"), Some(120.0));
    assert_eq!(
        value(&later, "last_auth_timestamp_seconds"),
        value(&parsed, "last_auth_timestamp_seconds")
    );

    let snapshot = fleet.scopes[0].snapshot.as_mut().unwrap();
    Arc::make_mut(snapshot).clock = ClockOffset::between(NOW.plus(Duration::from_hours(1)), NOW);
    let skewed = rendered(&fleet);
    assert_eq!(value(&skewed, "last_auth_age_seconds"), Some(3690.0));
}

#[test]
fn a_flow_is_live_until_it_expires() {
    let live = |status, expires_at| {
        let parsed = one(|connection| {
            connection.flow.status = status;
            connection.flow.expires_at = expires_at;
            connection.flow.pending[PendingInput::Field as usize] = Some(2);
        });
        let pending = value(&parsed, "flow_pending_inputs");
        assert_eq!(pending.is_some(), value(&parsed, "flow_live") == Some(1.0));
        (
            value(&parsed, "flow_live"),
            pending,
            value(&parsed, "flow_expires_in_seconds"),
        )
    };
    let soon = NOW.plus(Duration::from_millis(1));
    let past = Timestamp::from_micros(NOW.as_micros() - 1_000);
    assert_eq!(
        live(FlowStatus::InProgress, Some(soon)),
        (Some(1.0), Some(2.0), Some(0.0))
    );
    assert_eq!(
        live(FlowStatus::InProgress, None),
        (Some(1.0), Some(2.0), None)
    );
    assert_eq!(
        live(FlowStatus::InProgress, Some(NOW)),
        (Some(0.0), None, Some(0.0))
    );
    assert_eq!(
        live(FlowStatus::InProgress, Some(past)),
        (Some(0.0), None, Some(-1.0))
    );
    assert_eq!(
        live(FlowStatus::Success, Some(soon)),
        (Some(0.0), None, Some(0.0))
    );
}

#[test]
fn an_error_belongs_to_a_failed_flow() {
    for status in FlowStatus::ALL {
        let parsed = one(|connection| {
            connection.flow.status = *status;
            connection.flow.error_code = Some(ErrorCode::BotDetected);
        });
        assert_eq!(
            parsed.value(
                "kernel_auth_connection_flow_error",
                &[("error_code", "bot_detected")]
            ),
            (*status == FlowStatus::Failed).then_some(1.0)
        );
        assert!(count(&parsed, "flow_error") <= 1);
    }
}

#[test]
fn a_kind_of_input_that_is_not_named_is_absent_and_none_asked_for_is_zero() {
    let parsed = one(|connection| {
        connection.flow.status = FlowStatus::InProgress;
        connection.flow.pending[PendingInput::Choice as usize] = Some(0);
    });
    assert_eq!(count(&parsed, "flow_pending_inputs"), 1);
    assert_eq!(value(&parsed, "flow_pending_inputs"), Some(0.0));
}

#[test]
fn a_switched_off_collector_leaves_no_trace() {
    let (fleet, own) = (fixture::story(), own());
    for off in Collector::ALL {
        let options = Options {
            collectors: every_collector().with(*off, false),
            ..Options::default()
        };
        let parsed = parser::text(&render(&fleet, &own, NOW, options));
        for family in catalogue::families() {
            if family.subject == catalogue::Subject::Connection {
                let on = family
                    .collector
                    .is_some_and(|of| options.collectors.has(of));
                assert_eq!(
                    parsed.types.contains_key(family.name),
                    on,
                    "{}",
                    family.name
                );
            }
        }
        assert!(parsed.types.contains_key("kernel_auth_up"));
    }
}

#[test]
fn scopes_have_the_labels_that_the_configuration_names() {
    let parsed = rendered(&fixture::story());
    let a = [("account", "production"), ("project", "proj_a")];
    let b = [("account", "production"), ("project", "proj_b")];
    assert_eq!(parsed.value("kernel_auth_up", &a), Some(1.0));
    assert_eq!(parsed.value("kernel_auth_up", &b), Some(0.0));
    let fetched = "kernel_auth_snapshot_timestamp_seconds";
    assert_eq!(parsed.value(fetched, &a), Some(NOW.as_seconds()));
    assert_eq!(parsed.value(fetched, &b), None);
    for (status, number) in [
        ("AUTHENTICATED", 1.0),
        ("NEEDS_AUTH", 2.0),
        ("UNKNOWN", 0.0),
    ] {
        assert_eq!(
            parsed.value("kernel_auth_connections", &[a[0], a[1], ("status", status)]),
            Some(number)
        );
    }
    assert_eq!(parsed.count("kernel_auth_connections"), 3);
    for (id, found) in [("q7f2m9", 1.0), ("gone", 0.0)] {
        assert_eq!(
            parsed.value(
                "kernel_auth_connection_found",
                &[a[0], a[1], ("connection_id", id)]
            ),
            Some(found)
        );
    }
    let account = [a[0]];
    for (name, expected) in [
        ("kernel_auth_api_ratelimit_limit", 250.0),
        ("kernel_auth_api_ratelimit_remaining", 231.0),
        ("kernel_auth_api_clock_offset_seconds", 60.0),
    ] {
        assert_eq!(parsed.value(name, &account), Some(expected));
    }

    let unnamed = String::from_utf8(render(
        &fleet_of(Vec::new()),
        &Own::default(),
        NOW,
        Options::default(),
    ))
    .unwrap();
    assert!(unnamed.contains("\nkernel_auth_up 1\n"), "{unnamed}");
    assert!(!unnamed.contains("{}"), "{unnamed}");
}

#[test]
fn hostile_names_are_read_back_and_bounded() {
    let (fleet, names) = hostile::hostile();
    let parsed = rendered(&fleet);
    for [id, domain, profile] in &names {
        assert_eq!(
            parsed.value(
                "kernel_auth_connection_flow_live",
                &[
                    ("connection_id", id),
                    ("domain", domain),
                    ("profile_name", profile),
                    ("account", "acc\"ount\\\n"),
                    ("project", "pro\nject"),
                ]
            ),
            Some(0.0),
            "{id} {domain} {profile}"
        );
        // A NUL becomes three bytes.
        let bound = 3 * MAX_LABEL_BYTES;
        assert!([id, domain, profile].iter().all(|name| name.len() <= bound));
    }
    assert_eq!(count(&parsed, "flow_live"), names.len());
}

#[test]
fn an_empty_fleet_is_a_text_too() {
    let nothing = Fleet::default();
    assert!(render(&nothing, &Own::default(), NOW, Options::default()).is_empty());
    let held = Fleet {
        scopes: vec![ScopeView {
            scope: Arc::default(),
            project_name: None,
            failure: Failure::unless(false),
            snapshot: None,
        }],
        ..Fleet::default()
    };
    assert_eq!(rendered(&held).samples.len(), 2);
    let empty = Snapshot {
        fetched_at: NOW,
        took: std::time::Duration::from_secs(2),
        ..Snapshot::default()
    };
    let seen = Fleet {
        scopes: vec![ScopeView {
            scope: Arc::default(),
            project_name: None,
            failure: None,
            snapshot: Some(Arc::new(empty)),
        }],
        ..Fleet::default()
    };
    assert_eq!(rendered(&seen).samples.len(), 7);
}

#[test]
fn the_furthest_times_are_written() {
    let furthest = [i64::MIN, i64::MAX].map(Timestamp::from_micros);
    for at in furthest {
        for now in furthest {
            let connection = Connection {
                last_auth_at: Some(at),
                ..sparse(&Scope::default(), "id", "domain", Some("profile"))
            };
            let text = render(
                &fleet_of(vec![connection]),
                &Own::default(),
                now,
                Options::default(),
            );
            let parsed = parser::text(&text);
            let seen = value(&parsed, "last_auth_timestamp_seconds");
            assert_eq!(seen, Some(at.as_seconds()));
        }
    }
}
