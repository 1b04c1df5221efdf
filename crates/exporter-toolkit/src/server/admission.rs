//! Places for connections: who may stay, who goes first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::activity::{Activity, GOODBYE, Stage};
use super::limits::Limits;

/// What a new connection gets to send its first byte, before it may have to go
/// for another one. The byte comes right behind the handshake of TCP, however
/// far its sender is; with more, a crowd of the silent would hold up the queue.
const GRACE: Duration = Duration::from_millis(20);

/// The same for each step of a TLS handshake, which takes a round trip.
const STEP_GRACE: Duration = Duration::from_millis(200);

/// Whoever has taken nothing of a waiting response for this long goes first.
const STALLED: Duration = Duration::from_secs(2);

/// The places of one server.
pub(super) struct Admission {
    limits: Limits,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    last_id: u64,
    /// By stage and then by id, which is by age.
    slots: [BTreeMap<u64, Arc<Slot>>; 4],
    draining: Option<Instant>,
}

/// One connection's place.
pub(super) struct Slot {
    id: u64,
    admission: Arc<Admission>,
    evict: CancellationToken,
    activity: Mutex<Activity>,
    /// Requests of it that hold a permit of a [`RequestLimit`](super::RequestLimit).
    permits: AtomicUsize,
}

/// What becomes of a new connection.
pub(super) enum Admitted {
    Placed(Arc<Slot>),
    /// All are answering.
    Refused,
    /// To be asked again after this time.
    Later(Duration),
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            places: Mutex::default(),
        }
    }

    /// A place for a new connection, for which another may have to go.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Admitted {
        let mut places = self.places.lock();
        if places.fresh() >= self.limits.fresh_connections
            && let Err(wait) = places.evict_fresh(now)
        {
            return Admitted::Later(wait);
        }
        if places.fresh() + places.of(Stage::Proven).len() >= self.limits.connections {
            match places.make_room(now) {
                Ok(true) => {}
                Ok(false) => return Admitted::Refused,
                Err(wait) => return Admitted::Later(wait),
            }
        }
        places.last_id += 1;
        let id = places.last_id;
        let slot = Arc::new(Slot {
            id,
            admission: Arc::clone(self),
            evict: CancellationToken::new(),
            activity: Mutex::new(Activity::new(now)),
            permits: AtomicUsize::new(0),
        });
        places.of(Stage::Silent).insert(id, Arc::clone(&slot));
        Admitted::Placed(slot)
    }

    /// Closes the connection that will be missed least, if there is one.
    /// Whether there was one.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        self.places.lock().make_room(now).unwrap_or(false)
    }

    /// Closes the connection that holds a permit and has been stalled longest.
    /// Whether there was one.
    pub(super) fn evict_stalled_holder(&self, now: Instant) -> bool {
        let holds = |slot: &Slot| slot.permits.load(Ordering::Relaxed) > 0;
        self.places.lock().evict_stalled(now, holds)
    }

    fn move_to(&self, stage: Stage, id: u64) {
        let mut places = self.places.lock();
        // Absent when it was told to go a moment ago.
        if let Some(slot) = places.take(id) {
            places.of(stage).insert(id, slot);
        }
    }

    pub(super) fn release(&self, id: u64) {
        self.places.lock().take(id);
    }

    /// From `now` on nobody may idle.
    pub(super) fn drain(&self, now: Instant) {
        self.places.lock().draining = Some(now);
    }

    /// Tells everyone to go; how many there were.
    pub(super) fn evict_all(&self) -> usize {
        let places = self.places.lock();
        let slots = places.slots.iter().flat_map(BTreeMap::values);
        slots.map(|slot| slot.evict.cancel()).count()
    }

    /// Closes whoever has had its time, for ever.
    pub(super) async fn sweep(self: Arc<Self>) {
        let limits = &self.limits;
        let of_a_head = limits.header_timeout.min(limits.idle_timeout);
        let of_a_body = limits.write_stall.min(limits.response);
        let shortest = of_a_head.min(of_a_body).min(GOODBYE);
        let mut tick = tokio::time::interval((shortest / 4).max(Duration::from_millis(5)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.sweep_once(Instant::now());
        }
    }

    fn sweep_once(&self, now: Instant) {
        let mut places = self.places.lock();
        let draining = places.draining;
        for slots in &mut places.slots {
            slots.retain(|_, slot| {
                let verdict = slot.activity().verdict(now, &self.limits, draining);
                if let Some(reason) = verdict {
                    tracing::debug!(?reason, "connection closed");
                    slot.evict.cancel();
                }
                verdict.is_none()
            });
        }
    }
}

impl Places {
    fn of(&mut self, stage: Stage) -> &mut BTreeMap<u64, Arc<Slot>> {
        &mut self.slots[stage as usize]
    }

    fn take(&mut self, id: u64) -> Option<Arc<Slot>> {
        self.slots.iter_mut().find_map(|slots| slots.remove(&id))
    }

    fn fresh(&mut self) -> usize {
        let stages = [Stage::Silent, Stage::Dripping, Stage::Begun];
        stages.map(|stage| self.of(stage).len()).iter().sum()
    }

    /// The oldest that drips goes, or else the oldest that is quiet and has had
    /// its grace; or says when that will be. `Ok(false)` without any.
    ///
    /// A scraper's head comes in one piece: it never drips for long, and while
    /// it is on its way the drippers go first.
    fn evict_fresh(&mut self, now: Instant) -> Result<bool, Duration> {
        let mut soonest = None;
        for (stage, grace) in [
            (Stage::Dripping, Duration::ZERO),
            (Stage::Silent, GRACE),
            (Stage::Begun, STEP_GRACE),
        ] {
            let Some(oldest) = self.of(stage).first_entry() else {
                continue;
            };
            let wait = grace.saturating_sub(oldest.get().activity().quiet_for(now));
            if wait.is_zero() {
                oldest.remove().evict.cancel();
                return Ok(true);
            }
            soonest = Some(soonest.map_or(wait, |soonest: Duration| soonest.min(wait)));
        }
        soonest.map_or(Ok(false), Err)
    }

    /// The longest stalled goes, or else the longest idle, or else a fresh one.
    fn make_room(&mut self, now: Instant) -> Result<bool, Duration> {
        if self.evict_stalled(now, |_| true)
            || self.evict_longest(|slot| slot.activity().idle_since())
        {
            return Ok(true);
        }
        self.evict_fresh(now)
    }

    fn evict_stalled(&mut self, now: Instant, among: impl Fn(&Slot) -> bool) -> bool {
        self.evict_longest(|slot| {
            let since = slot.activity().stalled_since()?;
            let stalled = now.saturating_duration_since(since) > STALLED;
            (stalled && among(slot)).then_some(since)
        })
    }

    fn evict_longest(&mut self, since: impl Fn(&Slot) -> Option<Instant>) -> bool {
        let proven = self.of(Stage::Proven);
        let each = proven
            .iter()
            .filter_map(|(id, slot)| Some((since(slot)?, *id)));
        let Some((_, id)) = each.min() else {
            return false;
        };
        if let Some(slot) = proven.remove(&id) {
            slot.evict.cancel();
        }
        true
    }
}

impl Slot {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The places it is one of.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Completes when the connection must end.
    pub(super) fn evicted(&self) -> WaitForCancellationFuture<'_> {
        self.evict.cancelled()
    }

    /// What happens on it is told here, except for what changes its stage.
    pub(super) fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock()
    }

    fn moved(&self, stage: Option<Stage>) {
        if let Some(stage) = stage {
            self.admission.move_to(stage, self.id);
        }
    }

    /// See [`Activity::read`].
    pub(super) fn read(&self, now: Instant) {
        let stage = self.activity().read(now);
        self.moved(stage);
    }

    /// See [`Activity::progressed`].
    pub(super) fn progressed(&self, now: Instant) {
        let stage = self.activity().progressed(now);
        self.moved(stage);
    }

    /// See [`Activity::begin`].
    pub(super) fn begin(&self, multiplexed: bool, now: Instant) -> u64 {
        let (exchange, stage) = self.activity().begin(multiplexed, now);
        self.moved(stage);
        exchange
    }

    pub(super) fn permit_taken(&self) {
        self.permits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn permit_returned(&self) {
        self.permits.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
