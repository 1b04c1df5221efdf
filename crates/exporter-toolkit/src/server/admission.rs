//! Places for connections: who may stay, who goes first, who has had his time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::Limits;

/// When draining, a connection without a request gets this long to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// What every connection gets to begin its first head, before it may have to
/// go for another one. A scraper's comes within a round trip.
const GRACE: Duration = Duration::from_millis(200);

/// The places of one server.
pub(super) struct Admission {
    limits: Limits,
    places: Mutex<Places>,
}

/// Connections by id, which is by age.
#[derive(Default)]
struct Places {
    last_id: u64,
    /// Fresh, and has sent nothing since its last step, if any.
    silent: BTreeMap<u64, Arc<Connection>>,
    /// Fresh, and has sent something that was not enough.
    dripping: BTreeMap<u64, Arc<Connection>>,
    /// Has sent at least one whole request head.
    proven: BTreeMap<u64, Arc<Connection>>,
    draining: Option<Instant>,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Silent,
    Dripping,
    Proven,
}

/// One connection as the places see it.
pub(super) struct Connection {
    id: u64,
    admission: Arc<Admission>,
    evict: CancellationToken,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// HTTP/2: bytes between requests are no beginning of a head.
    multiplexed: bool,
    /// Since when we listen to it: on a busy machine its task may begin late.
    heard_since: Option<Instant>,
    /// Since when there is no request: accepting, or the end of the last one.
    waiting_since: Instant,
    /// First byte of a head that is not whole yet.
    head_since: Option<Instant>,
    /// The peer's window is full, since then.
    blocked: Option<Blocked>,
    last_exchange: u64,
    /// Requests under way.
    exchanges: Vec<Exchange>,
}

struct Blocked {
    since: Instant,
    written: usize,
}

struct Exchange {
    id: u64,
    started: Instant,
    /// When the protocol must have come back for more of the body. `None`
    /// while it is waiting for us.
    expected: Option<Instant>,
}

/// What becomes of a new connection.
pub(super) enum Admitted {
    Placed(Arc<Connection>),
    /// All are answering.
    Refused,
    /// To be asked again after this time.
    Later(Duration),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    SlowHead,
    Idle,
    Stalled,
    Overdue,
    Goodbye,
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: Mutex::default(),
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // Every change of the maps is a single call, so they are whole.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, for which another may have to go.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Admitted {
        let mut places = self.places();
        if places.fresh() >= self.limits.fresh_connections
            && let Err(wait) = places.evict_fresh(now)
        {
            return Admitted::Later(wait);
        }
        if places.fresh() + places.proven.len() >= self.limits.connections {
            match places.make_room(now) {
                Ok(true) => {}
                Ok(false) => return Admitted::Refused,
                Err(wait) => return Admitted::Later(wait),
            }
        }
        places.last_id += 1;
        let id = places.last_id;
        let connection = Arc::new(Connection {
            id,
            admission: Arc::clone(self),
            evict: CancellationToken::new(),
            state: Mutex::new(State {
                stage: Stage::Silent,
                multiplexed: false,
                heard_since: None,
                waiting_since: now,
                head_since: None,
                blocked: None,
                last_exchange: 0,
                exchanges: Vec::new(),
            }),
        });
        places.silent.insert(id, Arc::clone(&connection));
        Admitted::Placed(connection)
    }

    /// Closes the connection that will be missed least, if there is one.
    /// Whether there was one.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        self.places().make_room(now).unwrap_or(false)
    }

    fn move_to(&self, stage: Stage, id: u64) {
        let mut places = self.places();
        // Absent when it was told to go a moment ago.
        if let Some(connection) = places.take(id) {
            places.of(stage).insert(id, connection);
        }
    }

    pub(super) fn release(&self, id: u64) {
        self.places().take(id);
    }

    /// From `now` on nobody may idle.
    pub(super) fn drain(&self, now: Instant) {
        self.places().draining = Some(now);
    }

    /// Tells everyone to go; how many there were.
    pub(super) fn evict_all(&self) -> usize {
        let places = self.places();
        let fresh = places.silent.values().chain(places.dripping.values());
        let all = fresh.chain(places.proven.values());
        all.map(|connection| connection.evict.cancel()).count()
    }

    /// Closes whoever has had his time, for ever.
    pub(super) async fn sweep(self: Arc<Self>) {
        let shortest = [
            self.limits.header_timeout,
            self.limits.idle_timeout,
            self.limits.write_stall,
            self.limits.response,
            GOODBYE,
        ]
        .into_iter()
        .min()
        .unwrap_or(GOODBYE);
        let mut tick = tokio::time::interval((shortest / 4).max(Duration::from_millis(5)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.sweep_once(Instant::now());
        }
    }

    fn sweep_once(&self, now: Instant) {
        let mut places = self.places();
        let draining = places.draining;
        let mut close = |_: &u64, connection: &mut Arc<Connection>| {
            let verdict = connection.state().verdict(now, &self.limits, draining);
            if let Some(reason) = verdict {
                tracing::debug!(?reason, "connection closed");
                connection.evict.cancel();
            }
            verdict.is_none()
        };
        places.silent.retain(&mut close);
        places.dripping.retain(&mut close);
        places.proven.retain(&mut close);
    }
}

impl Places {
    fn of(&mut self, stage: Stage) -> &mut BTreeMap<u64, Arc<Connection>> {
        match stage {
            Stage::Silent => &mut self.silent,
            Stage::Dripping => &mut self.dripping,
            Stage::Proven => &mut self.proven,
        }
    }

    fn take(&mut self, id: u64) -> Option<Arc<Connection>> {
        [Stage::Silent, Stage::Dripping, Stage::Proven]
            .into_iter()
            .find_map(|stage| self.of(stage).remove(&id))
    }

    fn fresh(&self) -> usize {
        self.silent.len() + self.dripping.len()
    }

    /// The oldest that drips goes, or else the oldest that is silent and has
    /// had its grace; or says when that will be. `Ok(false)` without any.
    ///
    /// A scraper's head comes in one piece: it never drips for long, and while
    /// it is on its way the drippers go first.
    fn evict_fresh(&mut self, now: Instant) -> Result<bool, Duration> {
        let oldest = match self.dripping.pop_first() {
            Some((_, connection)) => connection,
            None => match self.silent.first_entry() {
                None => return Ok(false),
                Some(oldest) => {
                    let since = oldest.get().state().heard_since;
                    let age =
                        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
                    match GRACE.checked_sub(age) {
                        None | Some(Duration::ZERO) => oldest.remove(),
                        Some(wait) => return Err(wait),
                    }
                }
            },
        };
        oldest.evict.cancel();
        Ok(true)
    }

    /// The longest idle goes, or else a fresh one.
    fn make_room(&mut self, now: Instant) -> Result<bool, Duration> {
        let idle = self
            .proven
            .iter()
            .filter_map(|(id, connection)| Some((connection.state().idle_since()?, *id)))
            .min();
        let Some((_, id)) = idle else {
            return self.evict_fresh(now);
        };
        if let Some(connection) = self.proven.remove(&id) {
            connection.evict.cancel();
        }
        Ok(true)
    }
}

impl Connection {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Completes when the connection must end.
    pub(super) fn evicted(&self) -> WaitForCancellationFuture<'_> {
        self.evict.cancelled()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values that are each right on their own.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its task has begun to listen.
    pub(super) fn listening(&self, now: Instant) {
        self.state().heard_since.get_or_insert(now);
    }

    /// Bytes came.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.state();
        if state.exchanges.is_empty() && !state.multiplexed {
            state.head_since.get_or_insert(now);
        }
        if state.stage == Stage::Silent {
            state.stage = Stage::Dripping;
            drop(state);
            self.admission.move_to(Stage::Dripping, self.id);
        }
    }

    /// A step towards the first head is done, such as a message of a TLS
    /// handshake: what came until now was no dripping.
    pub(super) fn progressed(&self) {
        let mut state = self.state();
        if state.stage == Stage::Dripping {
            state.stage = Stage::Silent;
            drop(state);
            self.admission.move_to(Stage::Silent, self.id);
        }
    }

    /// The peer takes no more for now.
    pub(super) fn write_blocked(&self, now: Instant) {
        self.state().blocked.get_or_insert(Blocked {
            since: now,
            written: 0,
        });
    }

    /// Bytes went.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.state();
        if let Some(blocked) = &mut state.blocked {
            blocked.written += bytes;
            if blocked.written >= Limits::STALL_PROGRESS {
                state.blocked = None;
            }
        }
    }

    /// Everything went.
    pub(super) fn flushed(&self) {
        self.state().blocked = None;
    }

    /// A request head is whole. Returns the exchange's id.
    pub(super) fn begin(&self, multiplexed: bool, now: Instant) -> u64 {
        let (id, stage) = {
            let mut state = self.state();
            state.multiplexed = multiplexed;
            state.head_since = None;
            state.last_exchange += 1;
            let id = state.last_exchange;
            state.exchanges.push(Exchange {
                id,
                started: now,
                expected: None,
            });
            (id, std::mem::replace(&mut state.stage, Stage::Proven))
        };
        if stage != Stage::Proven {
            self.admission.move_to(Stage::Proven, self.id);
        }
        id
    }

    /// The protocol asks for more of a body: it is our turn.
    pub(super) fn asked(&self, exchange: u64) {
        self.expect(exchange, None);
    }

    /// The protocol took `bytes` of a body and should be back within `patience`
    /// for each [`Limits::STALL_PROGRESS`] of them.
    ///
    /// Only HTTP/2 needs this: there a peer stops one response by granting no
    /// window for it, which the socket does not show.
    pub(super) fn took(&self, exchange: u64, bytes: usize, patience: Duration, now: Instant) {
        let portions = u32::try_from(bytes / Limits::STALL_PROGRESS).unwrap_or(u32::MAX);
        let wait = patience.saturating_mul(portions.saturating_add(1));
        self.expect(exchange, now.checked_add(wait));
    }

    fn expect(&self, id: u64, expected: Option<Instant>) {
        let mut state = self.state();
        if let Some(exchange) = state.exchanges.iter_mut().find(|each| each.id == id) {
            exchange.expected = expected;
        }
    }

    /// The response has been handed over whole, or given up.
    pub(super) fn finish(&self, exchange: u64, now: Instant) {
        let mut state = self.state();
        state.exchanges.retain(|each| each.id != exchange);
        state.waiting_since = now;
        state.head_since = None;
    }
}

impl State {
    /// Since when nobody waits for this connection; `None` while one does.
    fn idle_since(&self) -> Option<Instant> {
        (self.exchanges.is_empty() && self.blocked.is_none()).then_some(self.waiting_since)
    }

    fn verdict(&self, now: Instant, limits: &Limits, draining: Option<Instant>) -> Option<Verdict> {
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        let blocked = self.blocked.as_ref();
        if blocked.is_some_and(|blocked| over(blocked.since, limits.write_stall)) {
            return Some(Verdict::Stalled);
        }
        if self.exchanges.is_empty() && blocked.is_none() {
            let head_since = if self.stage == Stage::Proven {
                self.head_since
            } else {
                Some(self.waiting_since)
            };
            return if draining.is_some_and(|since| over(since, GOODBYE)) {
                Some(Verdict::Goodbye)
            } else if head_since.is_some_and(|since| over(since, limits.header_timeout)) {
                Some(Verdict::SlowHead)
            } else if over(self.waiting_since, limits.idle_timeout) {
                Some(Verdict::Idle)
            } else {
                None
            };
        }
        self.exchanges.iter().find_map(|exchange| {
            if over(exchange.started, limits.response) {
                Some(Verdict::Overdue)
            } else if exchange.expected.is_some_and(|by| now >= by) {
                Some(Verdict::Stalled)
            } else {
                None
            }
        })
    }
}

#[cfg(test)]
mod tests;
