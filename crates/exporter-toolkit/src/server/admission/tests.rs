use super::*;

fn admission(connections: usize, fresh_connections: usize) -> Arc<Admission> {
    Arc::new(Admission::new(Limits {
        connections,
        fresh_connections,
        ..Limits::default()
    }))
}

fn admit(places: &Arc<Admission>, now: Instant) -> Option<Arc<Slot>> {
    match places.admit(now) {
        Admitted::Placed(slot) => {
            slot.activity().listening(now);
            Some(slot)
        }
        Admitted::Refused | Admitted::Later(_) => None,
    }
}

fn gone(slot: &Slot) -> bool {
    slot.evict.is_cancelled()
}

#[test]
fn slow_heads_push_out_each_other_and_nobody_else() {
    let places = admission(10, 3);
    let start = Instant::now();
    let scraper = admit(&places, start).expect("room");
    let exchange = scraper.begin(false, start);
    scraper.activity().finish(exchange, start);
    let slow: Vec<_> = (0..1000)
        .map(|number| admit(&places, start + number * GRACE).expect("room"))
        .collect();
    assert!(!gone(&scraper));
    assert_eq!(slow.iter().filter(|each| !gone(each)).count(), 3);
    assert!(slow[997..].iter().all(|each| !gone(each)));
}

#[test]
fn drippers_go_before_those_who_have_just_come() {
    let places = admission(10, 3);
    let start = Instant::now();
    let newcomer = admit(&places, start).expect("room");
    let handshake = admit(&places, start).expect("room");
    handshake.read(start);
    handshake.progressed(start);
    for _ in 0..1000 {
        admit(&places, start).expect("room").read(start);
    }
    assert!(!gone(&newcomer));
    assert!(!gone(&handshake));
    assert_eq!(places.places.lock().fresh(), 3);
}

#[test]
fn the_silent_go_before_those_in_a_handshake() {
    let places = admission(10, 2);
    let start = Instant::now();
    let handshake = admit(&places, start).expect("room");
    handshake.read(start);
    handshake.progressed(start);
    for number in (0u32..).take_while(|number| *number * GRACE < STEP_GRACE) {
        admit(&places, start + number * GRACE).expect("room");
    }
    assert!(!gone(&handshake));
}

#[test]
fn the_longest_idle_goes_before_fresh_ones_and_busy_ones_stay() {
    let places = admission(4, 4);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let slots: Vec<_> = (0..4)
        .map(|_| admit(&places, start).expect("room"))
        .collect();
    let [busy, late, early, fresh] = &slots[..] else {
        unreachable!("four were admitted")
    };
    busy.begin(false, start);
    for (slot, end) in [(late, at(20)), (early, at(10))] {
        let exchange = slot.begin(false, start);
        slot.activity().finish(exchange, end);
    }
    for (expected, name) in [(early, "early"), (late, "late"), (fresh, "fresh")] {
        assert!(!gone(expected), "{name}");
        let newcomer = admit(&places, at(30)).expect("room");
        assert!(gone(expected), "{name}");
        newcomer.begin(false, at(30));
    }
    assert!(!gone(busy));
    assert!(admit(&places, at(30)).is_none(), "all are busy");
}

#[test]
fn who_takes_nothing_goes_before_the_idle_and_a_slow_handler_stays() {
    let places = admission(4, 4);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let slots: Vec<_> = (0..4)
        .map(|_| admit(&places, start).expect("room"))
        .collect();
    let [waiting, reading, stalled, idle] = &slots[..] else {
        unreachable!("four were admitted")
    };
    for slot in [waiting, reading, stalled] {
        slot.begin(false, start);
        slot.permit_taken();
    }
    idle.begin(false, start);
    idle.activity().finish(1, start);
    for slot in [reading, stalled] {
        slot.activity().write_blocked(at(1));
    }
    assert!(!places.evict_stalled_holder(at(3)), "not for long enough");
    reading.activity().wrote(1, at(4));
    assert!(admit(&places, at(4)).is_some());
    assert!(gone(stalled) && !gone(idle));
    assert!(!places.evict_stalled_holder(at(5)), "nobody else stalls");
    assert!(places.evict_stalled_holder(at(7)));
    assert!(gone(reading) && !gone(waiting));
}

#[test]
fn everyone_gets_a_moment() {
    let places = admission(10, 1);
    let start = Instant::now();
    let first = admit(&places, start).expect("room");
    let early = places.admit(start + GRACE / 4);
    assert!(matches!(early, Admitted::Later(wait) if wait == GRACE / 4 * 3));
    assert!(!gone(&first));
    assert!(admit(&places, start + GRACE).is_some());
    assert!(gone(&first));
}

/// What a probe of `/-/healthy` waits for that comes behind them.
#[test]
fn five_thousand_silent_ones_hold_up_the_queue_for_less_than_half_a_second() {
    let limits = Limits::default();
    let places = admission(limits.connections, limits.fresh_connections);
    let start = Instant::now();
    let mut now = start;
    for _ in 0..5_000 {
        while let Admitted::Later(wait) = places.admit(now) {
            now += wait;
        }
        for slot in places
            .places
            .lock()
            .of(Stage::Silent)
            .values()
            .rev()
            .take(1)
        {
            slot.activity().listening(now);
        }
    }
    assert!(
        now - start < Duration::from_millis(500),
        "{:?}",
        now - start
    );
}

#[test]
fn a_released_place_is_free() {
    let places = admission(1, 1);
    let start = Instant::now();
    let first = admit(&places, start).expect("room");
    first.begin(false, start);
    assert!(admit(&places, start).is_none());
    places.release(first.id());
    assert!(admit(&places, start).is_some());
}

#[test]
fn draining_ends_the_idle_and_spares_the_busy() {
    let places = admission(4, 4);
    let start = Instant::now();
    let fresh = admit(&places, start).expect("room");
    let busy = admit(&places, start).expect("room");
    busy.begin(false, start);
    places.drain(start);
    places.sweep_once(start);
    assert!(!gone(&fresh));
    places.sweep_once(start + GOODBYE);
    assert!(gone(&fresh));
    assert!(!gone(&busy));
}
