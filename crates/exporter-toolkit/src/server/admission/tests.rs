use super::*;

fn admission(connections: usize, fresh_connections: usize) -> Arc<Admission> {
    Arc::new(Admission::new(Limits {
        connections,
        fresh_connections,
        ..Limits::default()
    }))
}

fn admit(places: &Arc<Admission>, now: Instant) -> Option<Arc<Connection>> {
    match places.admit(now) {
        Admitted::Placed(connection) => {
            connection.listening(now);
            Some(connection)
        }
        Admitted::Refused | Admitted::Later(_) => None,
    }
}

fn gone(connection: &Connection) -> bool {
    connection.evict.is_cancelled()
}

#[test]
fn slow_heads_push_out_each_other_and_nobody_else() {
    let places = admission(10, 3);
    let start = Instant::now();
    let scraper = admit(&places, start).expect("room");
    let exchange = scraper.begin(false, start);
    scraper.finish(exchange, start);
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
    handshake.progressed();
    for _ in 0..1000 {
        admit(&places, start).expect("room").read(start);
    }
    assert!(!gone(&newcomer));
    assert!(!gone(&handshake));
    assert_eq!(places.places().fresh(), 3);
}

#[test]
fn the_longest_idle_goes_before_fresh_ones_and_busy_ones_stay() {
    let places = admission(4, 4);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let connections: Vec<_> = (0..4)
        .map(|_| admit(&places, start).expect("room"))
        .collect();
    let [busy, late, early, fresh] = &connections[..] else {
        unreachable!("four were admitted")
    };
    busy.begin(false, start);
    late.finish(late.begin(false, start), at(20));
    early.finish(early.begin(false, start), at(10));
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
fn everyone_gets_his_grace() {
    let places = admission(10, 1);
    let start = Instant::now();
    let first = admit(&places, start).expect("room");
    let early = places.admit(start + GRACE / 4);
    assert!(matches!(early, Admitted::Later(wait) if wait == GRACE / 4 * 3));
    assert!(!gone(&first));
    assert!(admit(&places, start + GRACE).is_some());
    assert!(gone(&first));
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
fn each_phase_has_its_own_time() {
    let limits = Limits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(100),
        write_stall: Duration::from_secs(30),
        response: Duration::from_mins(5),
        ..Limits::default()
    };
    let places = Arc::new(Admission::new(limits.clone()));
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let connection = admit(&places, start).expect("room");
    let verdict = |now| connection.state().verdict(now, &limits, None);

    // A first head, however busy its sender, counts from accepting.
    connection.read(at(9));
    assert_eq!(verdict(at(9)), None);
    assert_eq!(verdict(at(10)), Some(Verdict::SlowHead));

    // A handler may take its time, up to the bound of a response.
    let exchange = connection.begin(false, at(10));
    assert_eq!(verdict(at(309)), None);
    assert_eq!(verdict(at(310)), Some(Verdict::Overdue));

    // A body that is not fetched: one portion and a part of the next.
    let bytes = Limits::STALL_PROGRESS + 1;
    connection.took(exchange, bytes, limits.write_stall, at(20));
    assert_eq!(verdict(at(79)), None);
    assert_eq!(verdict(at(80)), Some(Verdict::Stalled));
    connection.asked(exchange);
    assert_eq!(verdict(at(80)), None);

    // A full window, with and without progress.
    connection.write_blocked(at(90));
    connection.wrote(Limits::STALL_PROGRESS - 1);
    assert_eq!(verdict(at(119)), None);
    assert_eq!(verdict(at(120)), Some(Verdict::Stalled));
    connection.wrote(1);
    assert_eq!(verdict(at(120)), None);

    // Also after the handler is done with it.
    connection.write_blocked(at(130));
    connection.finish(exchange, at(131));
    assert_eq!(connection.state().idle_since(), None);
    assert_eq!(verdict(at(160)), Some(Verdict::Stalled));
    connection.flushed();

    // Idle, then a second head that is slow.
    assert_eq!(connection.state().idle_since(), Some(at(131)));
    assert_eq!(verdict(at(230)), None);
    assert_eq!(verdict(at(231)), Some(Verdict::Idle));
    connection.read(at(200));
    connection.read(at(205));
    assert_eq!(verdict(at(209)), None);
    assert_eq!(verdict(at(210)), Some(Verdict::SlowHead));
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
