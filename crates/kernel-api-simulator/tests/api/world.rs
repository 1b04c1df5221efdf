//! The simulated world: that it is the same for the same seed, that it visits
//! every state there is, and that its ledger tells the truth.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kernel_api_simulator::{
    Auth, CheckOutcome, Control, Credential, ErrorCode, EventKind, EventStatus, EventStep,
    FlowKind, FlowStatus, FlowStep, Happening, Options, Reason, SENSITIVE_MARK, Simulator, Truth,
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_763_800_000_250)
}

/// A world whose clock moves by hand; its API is bound and not served.
async fn world(options: Options) -> Control {
    let options = Options {
        speed: 0.0,
        start: Some(start()),
        ..options
    };
    Simulator::bind("127.0.0.1:0", options)
        .await
        .unwrap()
        .control()
}

async fn fleet(connections: usize) -> Control {
    world(Options {
        connections,
        ..Options::default()
    })
    .await
}

/// Every value of one member over a fleet.
fn values(fleet: &[Truth], member: &str) -> BTreeSet<String> {
    let objects = fleet.iter().filter_map(|truth| truth.object.get(member));
    objects
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> BTreeSet<String> {
    all.iter().map(|value| word(*value).to_owned()).collect()
}

fn has_array(fleet: &[Truth], member: &str) -> bool {
    let mut found = fleet.iter().filter_map(|truth| truth.object.get(member));
    found.any(|value| value.as_array().is_some_and(|items| !items.is_empty()))
}

#[tokio::test]
async fn sixty_connections_take_every_value_of_every_member() {
    let control = fleet(60).await;
    let fleet = control.truth();
    assert_eq!(fleet.len(), 60);
    for (member, expected) in [
        ("status", words(Auth::ALL, Auth::as_str)),
        ("flow_status", words(FlowStatus::ALL, FlowStatus::as_str)),
        ("flow_step", words(FlowStep::ALL, FlowStep::as_str)),
        ("flow_type", words(FlowKind::ALL, FlowKind::as_str)),
        ("error_code", words(ErrorCode::ALL, ErrorCode::as_str)),
        ("can_reauth_reason", words(Reason::ALL, Reason::as_str)),
        (
            "health_check_unavailable_reason",
            BTreeSet::from(["no_auth_check_url".to_owned()]),
        ),
    ] {
        assert_eq!(values(&fleet, member), expected, "{member}");
    }
    let credentials: BTreeSet<String> = fleet.iter().map(|t| t.credential.clone()).collect();
    assert_eq!(credentials, words(Credential::ALL, Credential::as_str));
    for array in [
        "fields",
        "choices",
        "discovered_fields",
        "mfa_options",
        "sign_in_options",
        "pending_sso_buttons",
    ] {
        assert!(has_array(&fleet, array), "{array}");
    }
    let any = |condition: &dyn Fn(&Truth) -> bool| fleet.iter().any(condition);
    assert!(
        any(&|t| t.object.as_object().unwrap().len() == 6),
        "minimal"
    );
    assert!(
        any(&|t| t.object.get("flow_status") == Some(&Value::Null)),
        "null"
    );
    assert!(any(&|t| t.object.get("flow_status").is_none()), "absent");
    assert!(any(
        &|t| t.object.get("health_checks") == Some(&json!(false))
    ));
    assert!(any(&|t| t.object.get("auto_reauth") == Some(&json!(false))));
    for (mark, what) in [(".", "fraction"), ("+05:30", "offset")] {
        let found = |t: &Truth| {
            t.object["last_auth_check_at"]
                .as_str()
                .is_some_and(|time| time.contains(mark))
        };
        assert!(any(&found), "{what}");
    }
    assert!(
        any(&|t| t.status.as_deref() == Some("AUTHENTICATED")
            && t.flow_status.as_deref() == Some("FAILED")),
        "an old failure"
    );
    assert!(
        any(&is_stale),
        "a flow past its expiry that nobody has swept"
    );
    assert!(any(&|t| t.can_reauth == Some(true)) && any(&|t| t.can_reauth == Some(false)));
}

fn is_stale(truth: &Truth) -> bool {
    let now = start().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    truth.flow_status.as_deref() == Some("IN_PROGRESS")
        && truth.flow_expires_at.is_some_and(|at| at < now)
}

#[tokio::test]
async fn a_small_fleet_has_the_most_telling_connections() {
    let fleet = fleet(6).await.truth();
    assert_eq!(values(&fleet, "status").len(), 2);
    assert!(values(&fleet, "flow_status").is_superset(&BTreeSet::from([
        "IN_PROGRESS".to_owned(),
        "SUCCESS".to_owned(),
        "FAILED".to_owned(),
    ])));
}

#[tokio::test]
async fn names_are_unique_and_domains_are_few() {
    let fleet = fleet(2000).await.truth();
    let ids: BTreeSet<&str> = fleet.iter().map(|t| t.id.as_str()).collect();
    let pairs: BTreeSet<(&str, &str)> = fleet
        .iter()
        .map(|t| (t.domain.as_str(), t.profile_name.as_str()))
        .collect();
    let domains: BTreeSet<&str> = fleet.iter().map(|t| t.domain.as_str()).collect();
    assert_eq!((ids.len(), pairs.len()), (2000, 2000));
    assert!(domains.len() < 30);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world_however_time_is_cut() {
    let whole = fleet(80).await;
    let cut = fleet(80).await;
    assert_eq!(whole.truth(), cut.truth());
    whole.advance(24 * HOUR);
    for _ in 0..24 * 6 {
        cut.advance(HOUR / 6);
        // Looking must not change anything.
        cut.ledger();
    }
    assert_eq!(whole.truth(), cut.truth());
    assert_eq!(whole.ledger(), cut.ledger());
    let other = world(Options {
        connections: 80,
        seed: 2,
        ..Options::default()
    })
    .await;
    assert_ne!(fleet(80).await.truth(), other.truth());
}

#[tokio::test]
async fn a_stale_flow_is_swept_later() {
    let control = fleet(60).await;
    let stale = control.truth().into_iter().find(is_stale).unwrap();
    control.advance(Duration::from_mins(6));
    let swept = control.connection(&stale.id).unwrap();
    assert_eq!(swept.flow_expires_at, stale.flow_expires_at);
    assert_eq!(swept.flow_status.as_deref(), Some("EXPIRED"));
}

#[tokio::test]
async fn life_goes_on_and_every_value_is_met_again() {
    let control = fleet(60).await;
    let before: BTreeMap<String, Truth> = control
        .truth()
        .into_iter()
        .map(|t| (t.id.clone(), t))
        .collect();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut turned = [false; 2];
    // Past the first day nothing is left of how it began.
    control.advance(48 * HOUR);
    for _ in 0..2 * 24 * 4 {
        control.advance(Duration::from_mins(15));
        let fleet = control.truth();
        for member in [
            "status",
            "flow_status",
            "flow_step",
            "flow_type",
            "error_code",
        ] {
            seen.entry(member)
                .or_default()
                .extend(values(&fleet, member));
        }
        for truth in &fleet {
            let was = before[&truth.id].status.as_deref();
            match (was, truth.status.as_deref()) {
                (Some("AUTHENTICATED"), Some("NEEDS_AUTH")) => turned[0] = true,
                (Some("NEEDS_AUTH"), Some("AUTHENTICATED")) => turned[1] = true,
                _ => {}
            }
        }
    }
    assert_eq!(turned, [true, true]);
    for (member, expected) in [
        ("status", words(Auth::ALL, Auth::as_str)),
        ("flow_status", words(FlowStatus::ALL, FlowStatus::as_str)),
        ("flow_step", words(FlowStep::ALL, FlowStep::as_str)),
        ("flow_type", words(FlowKind::ALL, FlowKind::as_str)),
    ] {
        assert_eq!(seen[member], expected, "{member}");
    }
    assert!(seen["error_code"].len() >= 20, "{:?}", seen["error_code"]);
}

#[tokio::test]
async fn what_must_not_be_exported_is_marked() {
    let control = fleet(60).await;
    let mut marked = BTreeSet::new();
    for truth in control.truth() {
        let mut check = |name: &'static str, value: &Value| {
            if let Some(text) = value.as_str() {
                assert!(text.contains(SENSITIVE_MARK), "{name}: {text}");
                marked.insert(name);
            }
        };
        for name in [
            "hosted_url",
            "live_view_url",
            "browser_session_id",
            "interaction_id",
            "login_url",
            "post_login_url",
            "error_message",
            "website_error",
            "external_action_message",
            "proxy_id",
        ] {
            check(name, &truth.object[name]);
        }
        for name in ["name", "path", "provider"] {
            check(name, &truth.object["credential"][name]);
        }
        for name in [
            "fields",
            "choices",
            "discovered_fields",
            "mfa_options",
            "sign_in_options",
            "pending_sso_buttons",
        ] {
            for item in truth.object[name].as_array().into_iter().flatten() {
                check(name, &item["label"]);
            }
        }
    }
    assert_eq!(marked.len(), 10 + 3 + 6, "{marked:?}");
}

#[tokio::test]
async fn a_fleet_moves_before_ones_eyes() {
    let control = fleet(250).await;
    let look = || -> Vec<_> {
        let fleet = control.truth().into_iter();
        fleet.map(|t| (t.status, t.flow_step)).collect()
    };
    let mut before = look();
    let (mut out, mut waiting, mut back) = (0, 0, 0);
    // Five minutes, looked at every ten seconds.
    for _ in 0..30 {
        control.advance(Duration::from_secs(10));
        let now = look();
        for (was, is) in before.iter().zip(&now) {
            let status = [&was.0, &is.0].map(|status| status.as_deref());
            out += usize::from(status == [Some("AUTHENTICATED"), Some("NEEDS_AUTH")]);
            back += usize::from(status == [Some("NEEDS_AUTH"), Some("AUTHENTICATED")]);
            let step = [&was.1, &is.1].map(|step| step.as_deref() == Some("AWAITING_INPUT"));
            waiting += usize::from(step == [false, true]);
        }
        before = now;
    }
    assert!(
        out >= 3 && waiting >= 3 && back >= 3,
        "{out} {waiting} {back}"
    );
}

#[tokio::test]
async fn a_flow_runs_out_after_ten_minutes_of_waiting_or_twenty_in_all() {
    let control = fleet(0).await;
    let id = control
        .create_connection(None, None, "a.example", "p")
        .unwrap();
    let begin = start().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // The connection writes its times in whole seconds.
    let expires = || {
        let at = control.connection(&id).unwrap().flow_expires_at.unwrap();
        (at - begin as f64) / 60.0
    };
    let minutes = |minutes| control.advance(Duration::from_mins(minutes));
    let reach = |step| assert!(control.happen(&id, &Happening::FlowReaches(step)));
    control.happen(&id, &Happening::FlowStarts(FlowKind::Login));
    assert!((expires() - 20.0).abs() < 1e-9);
    minutes(3);
    reach(FlowStep::AwaitingInput);
    assert!((expires() - 13.0).abs() < 1e-9);
    minutes(5);
    reach(FlowStep::Submitting);
    assert!((expires() - 20.0).abs() < 1e-9);
    minutes(7);
    reach(FlowStep::AwaitingInput);
    assert!(
        (expires() - 20.0).abs() < 1e-9,
        "the whole flow has less left"
    );
}

#[tokio::test]
async fn no_flow_is_left_waiting_long_past_its_expiry() {
    let control = fleet(60).await;
    control.advance(24 * HOUR);
    let mut expired = 0;
    for truth in control.truth() {
        for event in control.timeline(&truth.id).unwrap() {
            if event.past || event.object["status"] != "EXPIRED" {
                continue;
            }
            let time = |name: &str| -> jiff::Timestamp {
                event.object[name].as_str().unwrap().parse().unwrap()
            };
            let took = time("completed_at").duration_since(time("timestamp"));
            // Twenty minutes, and up to eight until it is swept.
            assert!(took.as_mins() <= 28, "{}: {took}", truth.id);
            expired += 1;
        }
    }
    assert!(expired > 0);
}
