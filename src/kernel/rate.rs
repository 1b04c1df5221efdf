//! How many requests an account may send, and when: what a 429 asked for, the
//! share of the published limit, and what is left for the agents.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::WaitReason;

/// The limit is published "per minute".
const WINDOW: Duration = Duration::from_mins(1);

/// How long what was published still counts once nothing more is.
const KEPT: Duration = Duration::from_mins(2);

/// Sent requests that are remembered while no limit is known.
const REMEMBERED: usize = 4096;

/// How long the first request after a 429 keeps the others waiting, at most: of
/// those that all wait for the same moment most would be refused again.
const TRIAL: Duration = Duration::from_secs(5);

/// What one in this many of the limit is: left to the agents, whatever the
/// exporter's own share would still allow.
const RESERVE_DIVISOR: u64 = 10;

/// Requests of one account against the organisation's limit.
#[derive(Debug)]
pub(crate) struct Budget {
    share: f64,
    /// Shared with the budget that this one succeeds, and with those of the same
    /// organisation.
    state: Mutex<Arc<Mutex<State>>>,
}

#[derive(Debug, Default)]
struct State {
    blocked_until: Option<Instant>,
    /// `X-RateLimit-Limit`, and when it was last seen.
    limit: Option<(u64, Instant)>,
    /// `X-RateLimit-Remaining` as last seen, less what was sent since.
    remaining: Option<Remaining>,
    /// When requests were sent, oldest first, within the last minute.
    sent: VecDeque<Instant>,
    /// The latest answer was a 429, as far as is known.
    in_doubt: bool,
    /// One request finds out whether that is over; until then nobody else asks.
    trial: Option<Instant>,
    /// Until then what goes beside collections goes one by one: of several at once
    /// most would be refused again.
    careful_until: Option<Instant>,
    /// One of those is under way.
    one_aside: Option<Instant>,
    /// That it is over.
    freed: Arc<Notify>,
    /// Requests that wait, but for those that go aside.
    waiting: u64,
}

#[derive(Clone, Copy, Debug)]
struct Remaining {
    seen: u64,
    left: f64,
    at: Instant,
}

/// Why nothing may be sent now, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) until: Instant,
    pub(super) reason: WaitReason,
    /// For the request that goes first after a 429: it may be over before.
    pub(super) is_for_trial: bool,
}

/// Held by a request that waits for the budget.
pub(super) struct Waiting(Arc<Mutex<State>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

/// The state of the budget, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct RateView {
    /// `X-RateLimit-Limit` of the latest answer that had one, while that is not
    /// long ago.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining` of the same answer.
    pub remaining: Option<u64>,
    /// How long nothing is sent yet.
    pub blocked_for: Option<Duration>,
}

impl Budget {
    /// A budget of `share` (0–1] of what the API will publish. Nothing is
    /// limited before it has published anything.
    pub(crate) fn new(share: f64) -> Self {
        Self {
            share,
            state: Mutex::default(),
        }
    }

    /// The same share of the limit that `previous` has a share of.
    pub(super) fn succeeding(self, previous: &Self) -> Self {
        Self {
            share: self.share,
            state: Mutex::new(previous.shared()),
        }
    }

    /// Whether a request of one is a request of the other.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared(), &other.shared())
    }

    /// From now on the limit is that of `other`, and what was sent here lately
    /// counts there.
    pub(super) fn join(&self, other: &Self) {
        let theirs = other.shared();
        let ours = mem::replace(&mut *self.state.lock(), Arc::clone(&theirs));
        if Arc::ptr_eq(&ours, &theirs) {
            return;
        }
        let ours = mem::take(&mut *ours.lock());
        ours.freed.notify_waiters();
        let mut theirs = theirs.lock();
        theirs.trial = theirs.trial.max(ours.trial);
        theirs.careful_until = theirs.careful_until.max(ours.careful_until);
        theirs.blocked_until = theirs.blocked_until.max(ours.blocked_until);
        theirs.limit = theirs.limit.or(ours.limit);
        theirs.remaining = theirs.remaining.or(ours.remaining);
        theirs.in_doubt |= ours.in_doubt;
        theirs.sent.extend(ours.sent);
        theirs.sent.make_contiguous().sort_unstable();
    }

    /// From now on nothing of the limit is known, nor shared.
    pub(super) fn leave(&self) {
        let state = mem::take(&mut *self.state.lock());
        state.lock().freed.notify_waiters();
    }

    /// Takes one request out of the budget, or says how long to wait. One that
    /// goes aside leaves the others what they wait for.
    pub(super) fn take(&self, now: Instant, is_aside: bool) -> Result<(), Wait> {
        let shared = self.shared();
        let mut state = shared.lock();
        let others = if is_aside { state.waiting } else { 0 };
        if let Some(wait) = state.wait(now, self.share, 1 + others) {
            return Err(wait);
        }
        state.one_aside = state.one_aside.filter(|until| *until > now);
        // The first one after a 429 is a collection's where one waits.
        let is_for_others = state.in_doubt && others > 0;
        let others_first = is_for_others.then_some(now + TRIAL);
        if is_aside && let Some(until) = state.one_aside.or(others_first) {
            return Err(Wait {
                until,
                reason: WaitReason::RetryAfter,
                is_for_trial: true,
            });
        }
        if state.in_doubt {
            state.trial = Some(now + TRIAL);
        }
        if is_aside && state.careful_until.is_some_and(|until| until > now) {
            state.one_aside = Some(now + TRIAL);
        }
        if let Some(remaining) = &mut state.remaining {
            remaining.left -= 1.0;
        }
        let allowed = state
            .limit(now)
            .map_or(0, |limit| allowed(limit, self.share));
        let remembered = REMEMBERED.max(usize::try_from(allowed).unwrap_or(REMEMBERED));
        if state.sent.len() >= remembered {
            state.sent.pop_front();
        }
        state.sent.push_back(now);
        Ok(())
    }

    /// From now on a request waits.
    pub(super) fn waiting(&self) -> Waiting {
        let shared = self.shared();
        shared.lock().waiting += 1;
        Waiting(shared)
    }

    /// Tells when there is no need to wait any longer for the first request
    /// after a 429.
    pub(super) fn freed(&self) -> Arc<Notify> {
        Arc::clone(&self.shared().lock().freed)
    }

    /// How long to wait before `cost` requests can be sent in one go; as many
    /// as the budget can ever give, where `cost` is more.
    pub(super) fn wait_for(&self, now: Instant, cost: u64) -> Option<Wait> {
        self.shared().lock().wait(now, self.share, cost)
    }

    /// How long `cost` requests take at the pace the budget allows: zero where
    /// they fit into one minute.
    pub(super) fn pace(&self, now: Instant, cost: u64) -> Duration {
        let shared = self.shared();
        let state = shared.lock();
        let Some(allowed) = state.limit(now).map(|limit| allowed(limit, self.share)) else {
            return Duration::ZERO;
        };
        WINDOW
            * u32::try_from(cost.saturating_sub(1) / allowed)
                .unwrap_or(u32::MAX)
                .min(60)
    }

    /// Reads `X-RateLimit-Limit` and `X-RateLimit-Remaining` of an answer.
    pub(super) fn saw(&self, headers: &HeaderMap, now: Instant) {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let shared = self.shared();
        let mut state = shared.lock();
        if let Some(limit) = number("x-ratelimit-limit").filter(|limit| *limit > 0) {
            state.limit = Some((limit, now));
        }
        if let Some(seen) = number("x-ratelimit-remaining") {
            state.remaining = Some(Remaining {
                seen,
                left: seen as f64,
                at: now,
            });
        }
    }

    /// A request is over, and not with a 429: what hangs or breaks off is none.
    pub(super) fn not_refused(&self) {
        let shared = self.shared();
        let mut state = shared.lock();
        if state.trial.take().is_some() {
            state.in_doubt = false;
        }
        state.one_aside = None;
        state.freed.notify_waiters();
    }

    /// Sends nothing before `until`, and then one request first.
    pub(super) fn block(&self, until: Instant) {
        let shared = self.shared();
        let mut state = shared.lock();
        state.in_doubt = true;
        state.trial = None;
        state.one_aside = None;
        state.careful_until = Some(until + WINDOW);
        state.blocked_until = state.blocked_until.max(Some(until));
        // Not before then, which is another time than they wait for.
        state.freed.notify_waiters();
    }

    /// What people may want to see of it.
    pub(crate) fn view(&self, now: Instant) -> RateView {
        let shared = self.shared();
        let state = shared.lock();
        RateView {
            limit: state.limit(now),
            remaining: state
                .remaining
                .filter(|remaining| now.duration_since(remaining.at) < KEPT)
                .map(|remaining| remaining.seen),
            blocked_for: state
                .blocked_until
                .map(|until| until.saturating_duration_since(now))
                .filter(|span| !span.is_zero()),
        }
    }

    fn shared(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state.lock())
    }
}

impl State {
    /// What is published per minute.
    fn limit(&self, now: Instant) -> Option<u64> {
        let (limit, seen) = self.limit?;
        (now.duration_since(seen) < KEPT).then_some(limit)
    }

    fn wait(&mut self, now: Instant, share: f64, cost: u64) -> Option<Wait> {
        self.blocked_until = self.blocked_until.filter(|until| *until > now);
        self.trial = self.trial.filter(|until| *until > now);
        if let Some(until) = self.blocked_until.or(self.trial) {
            return Some(Wait {
                until,
                reason: WaitReason::RetryAfter,
                is_for_trial: self.blocked_until.is_none(),
            });
        }
        while self
            .sent
            .front()
            .is_some_and(|sent| now.duration_since(*sent) >= WINDOW)
        {
            self.sent.pop_front();
        }
        let limit = self.limit(now)?;
        let allowed = allowed(limit, share);
        let cost = cost.clamp(1, allowed);
        let own = self.own_share(allowed, cost);
        let agents = self.reserve(now, limit, cost);
        own.max(agents)
            .filter(|until| *until > now)
            .map(|until| Wait {
                until,
                reason: WaitReason::Quota,
                is_for_trial: false,
            })
    }

    /// When enough of our own requests have left the window.
    fn own_share(&self, allowed: u64, cost: u64) -> Option<Instant> {
        let sent = self.sent.len() as u64;
        let over = (sent + cost).saturating_sub(allowed);
        let last = usize::try_from(over).unwrap_or(usize::MAX).checked_sub(1)?;
        self.sent
            .get(last.min(self.sent.len().saturating_sub(1)))
            .map(|sent| *sent + WINDOW)
    }

    /// When the reserve for the agents is no longer touched, if the bucket
    /// refills evenly. What was seen a minute ago says nothing any more.
    fn reserve(&self, now: Instant, limit: u64, cost: u64) -> Option<Instant> {
        let remaining = self.remaining?;
        let passed = now.duration_since(remaining.at);
        if passed >= WINDOW {
            return None;
        }
        let reserve = limit / RESERVE_DIVISOR;
        let wanted = (reserve + cost).min(limit) as f64;
        let per_second = limit as f64 / WINDOW.as_secs_f64();
        let left = remaining.left + passed.as_secs_f64() * per_second;
        if left >= wanted {
            return None;
        }
        let until = now + Duration::from_secs_f64((wanted - left) / per_second);
        Some(until.min(remaining.at + WINDOW))
    }
}

/// Requests a minute that `share` of a published `limit` is. Of a small one it
/// is still enough to ask at all.
pub(crate) fn allowed(limit: u64, share: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let allowed = (limit as f64 * share) as u64;
    allowed.max(1)
}

#[cfg(test)]
mod tests;
