//! What a request waits for before it is sent: its turn, a key that is worth
//! sending, a place among those in flight, room in the budget.

use std::time::Duration;

use http::HeaderValue;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::deadline::{Deadline, Turn, within};
use super::error::Problem;
use super::http::Http;
use super::key::{First, Key};
use super::rate::Budget;
use crate::model::WaitReason;

/// How much later than collections others go, once the time is over that a 429
/// asked for.
const ASIDE: Duration = Duration::from_secs(1);

/// The places that a request in flight holds.
pub(super) type Slot<'a> = (Option<SemaphorePermit<'a>>, SemaphorePermit<'a>);

/// Waits until a request may be sent: with its place among those in flight, to
/// be kept until it is answered, the key, and which key that is. `first` is held
/// by the one that finds out what the key is worth, while others wait for its
/// answer.
pub(super) async fn admit<'a>(
    http: &'a Http,
    key: &Key,
    budget: &Budget,
    deadline: &Deadline,
    first: &mut Option<First>,
) -> Result<(Slot<'a>, HeaderValue, u64), Problem> {
    let mut problem = Problem::Timeout;
    let mut place = None;
    let mut _waiting = None;
    loop {
        let turn = deadline.turn();
        if first.is_none() {
            *first = key.judged(deadline.epoch(), deadline.at()).await?;
        }
        let asked = Instant::now();
        if let Some(places) = http.places(turn).filter(|_| place.is_none()) {
            place = places.try_acquire().ok();
            if place.is_none() {
                // Nobody waits for who waits.
                *first = None;
                let free = within(deadline.at(), async { Ok(places.acquire().await.ok()) });
                place = free.await.flatten()?;
                http.observer
                    .waited(WaitReason::Concurrency, asked.elapsed());
                continue;
            }
        }
        let slot = within(deadline.at(), async { Ok(http.slot().await) });
        let slot = slot.await.flatten()?;
        let now = Instant::now();
        if now > asked {
            http.observer.waited(WaitReason::Concurrency, now - asked);
        }
        if now >= deadline.at() {
            return Err(problem);
        }
        let freed = budget.freed();
        let freed = freed.notified();
        let is_first = turn == Turn::First;
        let Err(wait) = budget.take(now, !is_first) else {
            let (key, generation) = key.current();
            return Ok(((place, slot), key, generation));
        };
        drop((place.take(), slot));
        // Nobody waits for the answer of one that is not sent yet.
        *first = None;
        let in_time = wait.until < deadline.at();
        match wait.reason {
            WaitReason::Quota if !(in_time || deadline.stretch(wait.until)) => {
                return Err(Problem::OverQuota);
            }
            WaitReason::Quota => problem = Problem::Timeout,
            _ if in_time || wait.is_for_trial => problem = Problem::Blocked,
            _ => return Err(Problem::Blocked),
        }
        // Also while it waits for a place afterwards.
        _waiting = is_first.then(|| budget.waiting());
        let until = match wait.reason {
            WaitReason::RetryAfter if !is_first => wait.until + ASIDE,
            _ => wait.until,
        };
        // Over before, where the one that goes first was not refused.
        let _ = timeout_at(until.min(deadline.at()), freed).await;
        http.observer.waited(wait.reason, now.elapsed());
    }
}
