//! What a request waits for before it is sent: a key that is worth sending, a
//! place among those in flight, room in the budget.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::{Instant, timeout_at};

use super::deadline::{Deadline, within};
use super::error::Problem;
use super::http::{Http, Slot};
use super::key::{First, Key};
use super::rate::Budget;
use crate::model::WaitReason;

/// How much later than others those go that go behind them, once the time is
/// over that a 429 asked for.
const BEHIND: Duration = Duration::from_secs(1);

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
    let is_behind = deadline.is_behind();
    let mut waiting = None;
    loop {
        if first.is_none() {
            *first = key.judged(deadline.epoch(), deadline.at()).await?;
        }
        let asked = Instant::now();
        let slot = within(deadline.at(), async { Ok(http.slot(is_behind).await) });
        let slot = slot.await.flatten()?;
        let now = Instant::now();
        if now > asked {
            let observer = &http.observer;
            observer.waited(WaitReason::Concurrency, now - asked);
        }
        let freed = budget.freed();
        let freed = freed.notified();
        let Err(wait) = budget.take(now, is_behind) else {
            let (key, generation) = key.current();
            return Ok((slot, key, generation));
        };
        drop(slot);
        // Nobody waits for the answer of one that is not sent yet.
        *first = None;
        let in_time = wait.until < deadline.at();
        match wait.reason {
            WaitReason::Quota if !(in_time || deadline.stretch(wait.until)) => {
                return Err(Problem::OverQuota);
            }
            WaitReason::Quota => {}
            _ if in_time || wait.is_for_trial => {}
            _ => return Err(Problem::Blocked),
        }
        if !is_behind {
            waiting.get_or_insert_with(|| budget.waiting());
        }
        let until = match wait.reason {
            WaitReason::RetryAfter if is_behind => wait.until + BEHIND,
            _ => wait.until,
        };
        // Over before, where the one that goes first was not refused.
        let _ = timeout_at(until.min(deadline.at().max(now)), freed).await;
        http.observer.waited(wait.reason, now.elapsed());
    }
}
