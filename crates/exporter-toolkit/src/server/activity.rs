//! What one connection has done, since when, and when it has had its time.

use std::time::{Duration, Instant};

use super::limits::Limits;

/// When draining, a connection without a request gets this long to say goodbye.
pub(super) const GOODBYE: Duration = Duration::from_millis(500);

/// HTTP/2 keeps what its peer grants no room for, and does not tell: so long after
/// a part of a response the next one may come.
const LINGER: Duration = Duration::from_secs(2);

/// What is no longer carries no response, bytes.
const CONTROL: usize = 128;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Has sent nothing.
    Silent,
    /// Has sent something that was not enough.
    Dripping,
    /// Has done a step of its TLS handshake and sent nothing since.
    Begun,
    /// Has sent at least one whole request head.
    Proven,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    SlowHead,
    Idle,
    Stalled,
    Overdue,
    Goodbye,
}

/// One connection. Methods that return a stage say that it has changed.
pub(super) struct Activity {
    stage: Stage,
    /// HTTP/2: bytes between requests are no beginning of a head.
    multiplexed: bool,
    /// Since when we listen in vain: on a busy machine its task may begin late.
    quiet_since: Option<Instant>,
    /// Since when there is no request: accepting, or the end of the last one.
    waiting_since: Instant,
    /// First byte of a head that is not whole yet.
    head_since: Option<Instant>,
    blocked: Option<Blocked>,
    /// When a part of a response went last.
    sent: Option<Instant>,
    last_exchange: u64,
    /// Requests under way.
    exchanges: Vec<Exchange>,
}

/// The peer's window is full.
struct Blocked {
    since: Instant,
    /// When it last took a byte.
    moved: Instant,
    written: usize,
}

struct Exchange {
    id: u64,
    started: Instant,
    /// `None` while the protocol is waiting for us.
    offered: Option<Offered>,
}

/// A part of a body that is with the protocol.
struct Offered {
    since: Instant,
    /// When the protocol must have come back for more.
    due: Option<Instant>,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            stage: Stage::Silent,
            multiplexed: false,
            quiet_since: None,
            waiting_since: now,
            head_since: None,
            blocked: None,
            sent: None,
            last_exchange: 0,
            exchanges: Vec::new(),
        }
    }

    /// Its task has begun to listen.
    pub(super) fn listening(&mut self, now: Instant) {
        self.quiet_since.get_or_insert(now);
    }

    /// Bytes came.
    pub(super) fn read(&mut self, now: Instant) -> Option<Stage> {
        if self.exchanges.is_empty() && !self.multiplexed {
            self.head_since.get_or_insert(now);
        }
        match self.stage {
            Stage::Silent | Stage::Begun => Some(self.become_stage(Stage::Dripping)),
            Stage::Dripping | Stage::Proven => None,
        }
    }

    /// A step towards the first head is done, such as a message of a TLS
    /// handshake: what came until now was no dripping.
    pub(super) fn progressed(&mut self, now: Instant) -> Option<Stage> {
        self.quiet_since = Some(now);
        (self.stage == Stage::Dripping).then(|| self.become_stage(Stage::Begun))
    }

    fn become_stage(&mut self, stage: Stage) -> Stage {
        self.stage = stage;
        stage
    }

    /// The peer takes no more for now.
    pub(super) fn write_blocked(&mut self, now: Instant) {
        self.blocked.get_or_insert(Blocked {
            since: now,
            moved: now,
            written: 0,
        });
    }

    /// Bytes went.
    pub(super) fn wrote(&mut self, bytes: usize, now: Instant) {
        if bytes > CONTROL {
            self.sent = Some(now);
        }
        if let Some(blocked) = &mut self.blocked
            && bytes > 0
        {
            blocked.moved = now;
            blocked.written += bytes;
            if blocked.written >= Limits::STALL_PROGRESS {
                self.blocked = None;
            }
        }
    }

    /// Everything went.
    pub(super) fn flushed(&mut self) {
        self.blocked = None;
    }

    /// A request head is whole. Returns the exchange's id.
    pub(super) fn begin(&mut self, multiplexed: bool, now: Instant) -> (u64, Option<Stage>) {
        self.multiplexed = multiplexed;
        self.head_since = None;
        self.last_exchange += 1;
        self.exchanges.push(Exchange {
            id: self.last_exchange,
            started: now,
            offered: None,
        });
        let proven = (self.stage != Stage::Proven).then(|| self.become_stage(Stage::Proven));
        (self.last_exchange, proven)
    }

    /// The protocol asks for more of a body: it is our turn.
    pub(super) fn asked(&mut self, exchange: u64) {
        self.offer(exchange, None);
    }

    /// The protocol took `bytes` of a body and should be back within `patience`
    /// for each [`Limits::STALL_PROGRESS`] of them.
    ///
    /// Only HTTP/2 needs this: there a peer stops one response by granting no
    /// window for it, which the socket does not show.
    pub(super) fn took(&mut self, exchange: u64, bytes: usize, patience: Duration, now: Instant) {
        let portions = u32::try_from(bytes / Limits::STALL_PROGRESS).unwrap_or(u32::MAX);
        let wait = patience.saturating_mul(portions.saturating_add(1));
        let offered = Offered {
            since: now,
            due: now.checked_add(wait),
        };
        self.offer(exchange, Some(offered));
    }

    fn offer(&mut self, id: u64, offered: Option<Offered>) {
        if let Some(exchange) = self.exchanges.iter_mut().find(|each| each.id == id) {
            exchange.offered = offered;
        }
    }

    /// The response has been handed over whole, or given up.
    pub(super) fn finish(&mut self, exchange: u64, now: Instant) {
        self.exchanges.retain(|each| each.id != exchange);
        self.waiting_since = now;
        self.head_since = None;
    }

    /// How long it has had for its next word, since its task could hear it.
    pub(super) fn quiet_for(&self, now: Instant) -> Duration {
        let since = self.quiet_since;
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Since when nobody waits for this connection; `None` while one does.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.exchanges.is_empty() && self.blocked.is_none()).then_some(self.waiting_since)
    }

    /// Since when the peer has taken nothing of what it was offered. `None`
    /// while nothing is on offer, such as while a handler is at work.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        let offered = self.exchanges.iter().flat_map(|each| &each.offered);
        let blocked = self.blocked.iter().map(|blocked| blocked.moved);
        offered.map(|each| each.since).chain(blocked).min()
    }

    pub(super) fn verdict(
        &self,
        now: Instant,
        limits: &Limits,
        draining: Option<Instant>,
    ) -> Option<Verdict> {
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
            let lingers = self.multiplexed && self.sent.is_some_and(|at| !over(at, LINGER));
            return if draining.is_some_and(|since| over(since, GOODBYE)) && !lingers {
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
            let due = exchange.offered.as_ref().and_then(|offered| offered.due);
            let overdue = over(exchange.started, limits.response).then_some(Verdict::Overdue);
            overdue.or_else(|| (now >= due?).then_some(Verdict::Stalled))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_own_time() {
        let limits = Limits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(100),
            write_stall: Duration::from_secs(30),
            response: Duration::from_mins(5),
            ..Limits::default()
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut activity = Activity::new(start);

        // A first head, however busy its sender, counts from accepting.
        activity.read(at(9));
        assert_eq!(activity.verdict(at(9), &limits, None), None);
        assert_eq!(
            activity.verdict(at(10), &limits, None),
            Some(Verdict::SlowHead)
        );

        // A handler may take its time, up to the bound of a response.
        let (exchange, _) = activity.begin(false, at(10));
        assert_eq!(activity.verdict(at(309), &limits, None), None);
        assert_eq!(
            activity.verdict(at(310), &limits, None),
            Some(Verdict::Overdue)
        );
        assert_eq!(activity.stalled_since(), None);

        // A body that is not fetched: one portion and a part of the next.
        let bytes = Limits::STALL_PROGRESS + 1;
        activity.took(exchange, bytes, limits.write_stall, at(20));
        assert_eq!(activity.stalled_since(), Some(at(20)));
        assert_eq!(activity.verdict(at(79), &limits, None), None);
        assert_eq!(
            activity.verdict(at(80), &limits, None),
            Some(Verdict::Stalled)
        );
        activity.asked(exchange);
        assert_eq!(activity.verdict(at(80), &limits, None), None);
        assert_eq!(activity.stalled_since(), None);

        // A full window, with and without progress.
        activity.write_blocked(at(90));
        activity.wrote(Limits::STALL_PROGRESS - 1, at(100));
        assert_eq!(activity.stalled_since(), Some(at(100)));
        assert_eq!(activity.verdict(at(119), &limits, None), None);
        assert_eq!(
            activity.verdict(at(120), &limits, None),
            Some(Verdict::Stalled)
        );
        activity.wrote(1, at(120));
        assert_eq!(activity.verdict(at(120), &limits, None), None);

        // Also after the handler is done with it.
        activity.write_blocked(at(130));
        activity.finish(exchange, at(131));
        assert_eq!(activity.idle_since(), None);
        assert_eq!(
            activity.verdict(at(160), &limits, None),
            Some(Verdict::Stalled)
        );
        activity.flushed();

        // Idle, then a second head that is slow.
        assert_eq!(activity.idle_since(), Some(at(131)));
        assert_eq!(activity.verdict(at(230), &limits, None), None);
        assert_eq!(
            activity.verdict(at(231), &limits, None),
            Some(Verdict::Idle)
        );
        activity.read(at(200));
        activity.read(at(205));
        assert_eq!(activity.verdict(at(209), &limits, None), None);
        assert_eq!(
            activity.verdict(at(210), &limits, None),
            Some(Verdict::SlowHead)
        );
    }

    #[test]
    fn what_http2_still_sends_ends_before_goodbye() {
        let limits = Limits::default();
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        for (multiplexed, bytes, ends) in
            [(true, 9_000, 3_000), (true, 17, 500), (false, 9_000, 500)]
        {
            let mut activity = Activity::new(start);
            let (exchange, _) = activity.begin(multiplexed, start);
            activity.finish(exchange, start);
            activity.wrote(bytes, after(1_000));
            let verdict = |at: u64| activity.verdict(after(at), &limits, Some(start));
            assert_eq!(verdict(ends.max(1_000) - 1).is_some(), ends < 1_000);
            assert_eq!(verdict(ends.max(1_000)), Some(Verdict::Goodbye));
        }
    }
}
