//! What happened, as the timelines and the ledger tell it.

use super::*;

/// The ledger as the timelines tell it.
fn told(control: &Control) -> BTreeMap<(String, String, String), u64> {
    let mut counts = BTreeMap::new();
    let begin = jiff::Timestamp::try_from(start()).unwrap();
    for truth in control.truth() {
        for event in control.timeline(&truth.id).unwrap() {
            let word = |name: &str| event.object[name].as_str().unwrap_or_default().to_owned();
            let kind = word("type");
            let end = if kind == "health_check" {
                word("timestamp")
            } else {
                word("completed_at")
            };
            if word("status") == "IN_PROGRESS" {
                assert_eq!(end, "", "a running event has no end");
                continue;
            }
            let ended = end.parse::<jiff::Timestamp>();
            if ended.is_ok_and(|ended| ended >= begin) {
                *counts
                    .entry((truth.id.clone(), kind, word("status")))
                    .or_default() += 1;
            }
        }
    }
    counts
}

#[tokio::test]
async fn the_ledger_equals_the_timelines() {
    let control = fleet(60).await;
    assert_eq!(control.ledger().counts, []);
    assert!(told(&control).is_empty());
    // Two days would outgrow the history of the busiest.
    for _ in 0..5 {
        control.advance(8 * HOUR + Duration::from_secs(77));
        let ledger = control.ledger();
        let booked: BTreeMap<_, _> = ledger
            .counts
            .iter()
            .map(|row| {
                let key = (row.id.as_str(), row.kind.as_str(), row.outcome.as_str());
                (
                    (key.0.to_owned(), key.1.to_owned(), key.2.to_owned()),
                    row.count,
                )
            })
            .collect();
        let told = told(&control);
        for (event, count) in &booked {
            assert_eq!(told.get(event), Some(count), "{event:?}");
        }
        assert_eq!(told.len(), booked.len());
        for kind in [EventKind::Login, EventKind::Reauth] {
            let coded = ledger.errors.iter().filter(|row| row.kind == kind);
            assert_eq!(
                coded.map(|row| row.count).sum::<u64>(),
                ledger.total(kind, EventStatus::Failed)
            );
            for outcome in [EventStatus::Success, EventStatus::Expired] {
                let timed = ledger
                    .durations
                    .iter()
                    .filter(|row| (row.kind, row.outcome) == (kind, outcome));
                assert_eq!(
                    timed.map(|row| row.count).sum::<u64>(),
                    ledger.total(kind, outcome)
                );
            }
        }
    }
    let ledger = control.ledger();
    for (kind, outcome) in [
        (EventKind::Login, EventStatus::Success),
        (EventKind::Login, EventStatus::Expired),
        (EventKind::Login, EventStatus::Canceled),
        (EventKind::Reauth, EventStatus::Success),
        (EventKind::Reauth, EventStatus::Failed),
        (EventKind::HealthCheck, EventStatus::Authenticated),
        (EventKind::HealthCheck, EventStatus::NeedsAuth),
    ] {
        assert!(ledger.total(kind, outcome) > 0, "{kind:?} {outcome:?}");
    }
}

#[tokio::test]
async fn timelines_are_newest_first_with_ids_of_their_own_and_every_step() {
    let control = fleet(60).await;
    let mut ids = BTreeSet::new();
    let mut steps = BTreeSet::new();
    let mut count = 0;
    let watched: Vec<String> = control.truth().into_iter().take(24).map(|t| t.id).collect();
    for _ in 0..200 {
        control.advance(Duration::from_secs(61));
        for id in &watched {
            for event in control.timeline(id).unwrap().iter().take(3) {
                steps.extend(event.object["step"].as_str().map(str::to_owned));
            }
        }
    }
    for truth in control.truth() {
        let events = control.timeline(&truth.id).unwrap();
        let times: Vec<jiff::Timestamp> = events
            .iter()
            .map(|event| event.object["timestamp"].as_str().unwrap().parse().unwrap())
            .collect();
        assert!(
            times.is_sorted_by(|newer, older| newer >= older),
            "{}",
            truth.id
        );
        count += events.len();
        ids.extend(
            events
                .iter()
                .map(|e| e.object["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(ids.len(), count);
    assert_eq!(steps, words(EventStep::ALL, EventStep::as_str));
}

#[tokio::test]
async fn what_is_made_to_happen_is_told_and_booked() {
    let control = fleet(0).await;
    let id = control
        .create_connection(None, Some("ma_one"), "a.example", "p")
        .unwrap();
    assert!(
        control
            .create_connection(None, Some("ma_one"), "a.example", "p")
            .is_err()
    );
    let see = |member: &str| control.connection(&id).unwrap().object[member].clone();
    assert_eq!(see("status"), json!("NEEDS_AUTH"));
    assert_eq!(see("flow_status"), Value::Null);

    assert!(control.happen(&id, &Happening::FlowStarts(FlowKind::Login)));
    control.advance(Duration::from_secs(3));
    assert!(control.happen(&id, &Happening::FlowReaches(FlowStep::AwaitingInput)));
    assert_eq!(see("flow_step"), json!("AWAITING_INPUT"));
    control.advance(24 * HOUR);
    assert_eq!(see("flow_status"), json!("IN_PROGRESS"), "it stays");
    control.happen(&id, &Happening::FlowEnds(EventStatus::Success, None));
    assert_eq!(see("status"), json!("AUTHENTICATED"));

    let before = see("last_auth_check_at");
    control.happen(&id, &Happening::Check(CheckOutcome::Inconclusive));
    assert_ne!(see("last_auth_check_at"), before);
    assert_eq!(
        control.timeline(&id).unwrap().len(),
        1,
        "it leaves no event"
    );
    control.happen(&id, &Happening::Check(CheckOutcome::Confirmed));
    control.happen(&id, &Happening::FlowStarts(FlowKind::Reauth));
    let code = Some(ErrorCode::BotDetected);
    control.happen(&id, &Happening::FlowEnds(EventStatus::Failed, code));
    assert_eq!(see("error_code"), json!("bot_detected"));

    let ledger = control.ledger();
    let count = |kind, outcome| ledger.count(&id, kind, outcome);
    assert_eq!(count(EventKind::Login, EventStatus::Success), 1);
    assert_eq!(count(EventKind::HealthCheck, EventStatus::Authenticated), 1);
    assert_eq!(count(EventKind::Reauth, EventStatus::Failed), 1);
    assert!((ledger.durations[0].sum_seconds - 86_403.0).abs() < 1e-6);
    assert!(!control.happen("nobody", &Happening::FlowStarts(FlowKind::Login)));

    assert!(control.remove_connection(&id));
    assert_eq!(control.connection(&id), None);
    assert_eq!(
        control.ledger(),
        ledger,
        "the ledger outlives the connection"
    );
}

#[tokio::test]
async fn members_set_by_hand_stay_until_they_are_dropped() {
    let control = fleet(10).await;
    let id = control.truth()[0].id.clone();
    let natural = control.connection(&id).unwrap();
    assert!(control.set_connection(&id, json!({"status": "ODD", "flow_status": null})));
    control.advance(48 * HOUR);
    let held = control.connection(&id).unwrap();
    assert_eq!(held.status.as_deref(), Some("ODD"));
    assert_eq!(held.object["flow_status"], Value::Null);
    assert!(control.unset_connection(&id));
    let free = control.connection(&id).unwrap();
    assert_ne!(free.status.as_deref(), Some("ODD"));
    assert_ne!(
        free.last_auth_check_at, natural.last_auth_check_at,
        "time went on"
    );
}

#[tokio::test]
async fn history_is_bounded_and_the_ledger_is_not() {
    let control = fleet(0).await;
    let id = control
        .create_connection(None, None, "a.example", "p")
        .unwrap();
    for _ in 0..1500 {
        control.happen(&id, &Happening::Check(CheckOutcome::Confirmed));
        control.advance(Duration::from_secs(1));
    }
    assert_eq!(control.timeline(&id).unwrap().len(), 1000);
    let ledger = control.ledger();
    assert_eq!(
        ledger.count(&id, EventKind::HealthCheck, EventStatus::Authenticated),
        1500
    );
}
