//! What a scrape does at a scope and what it shows: fresh, shared, budgeted,
//! held or empty. Pure: state, clock and settings in, decision out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assemble::Held;
use super::settings::Settings;
use crate::model::{ErrorReason, Failure, ScrapeOutcome, Snapshot, Timestamp, WaitReason};

/// A scope at one moment.
pub(super) struct Showing<'a> {
    pub(super) held: Option<&'a Held>,
    /// Whether the last collection came whole.
    pub(super) up: bool,
    /// Whether what is held is from the last collection, whole or not.
    pub(super) collected: bool,
    pub(super) now: Instant,
    pub(super) settings: &'a Settings,
    /// How much older than `--kernel.hold` a snapshot gets in good order where
    /// the quota is short.
    pub(super) patience: Duration,
}

/// How a scrape comes by its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing to wait for.
    Ready(ScrapeOutcome),
    /// A collection is to be started.
    Start,
    /// One is under way.
    Join,
}

impl Showing<'_> {
    /// Decides what a scrape does here.
    ///
    /// `running`: a collection is under way. `out_of_quota`: not even one
    /// request can be sent now. `spent`: there were as many collections in this
    /// minute as there may be. `wait`: what a whole one would wait for.
    pub(super) fn part(
        &self,
        running: bool,
        out_of_quota: bool,
        spent: bool,
        wait: Option<WaitReason>,
    ) -> Part {
        let Some(held) = self.held else {
            return match (running, spent) {
                (true, _) => Part::Join,
                (false, true) => Part::Ready(ScrapeOutcome::Budgeted),
                (false, false) => Part::Start,
            };
        };
        if running {
            // One that waits for the quota takes minutes.
            return if out_of_quota {
                Part::Ready(ScrapeOutcome::Budgeted)
            } else {
                Part::Join
            };
        }
        let cache = self.settings.cache;
        if self.collected && !cache.is_zero() && self.age(held) <= cache {
            return Part::Ready(ScrapeOutcome::Shared);
        }
        if spent {
            return Part::Ready(ScrapeOutcome::Budgeted);
        }
        match wait {
            // One that has waited long enough begins all the same, at the pace
            // the quota allows; else a smaller neighbour always goes first, or a
            // probe that is refused in its stead.
            Some(_) if self.age(held) > self.patience => Part::Start,
            Some(WaitReason::RetryAfter) => Part::Ready(ScrapeOutcome::Held),
            Some(_) => Part::Ready(ScrapeOutcome::Budgeted),
            None => Part::Start,
        }
    }

    /// What is shown to a scrape that came by its data like this. `since`: a
    /// snapshot from then on is fresh, whatever may be held.
    pub(super) fn shown(
        &self,
        outcome: ScrapeOutcome,
        since: Instant,
    ) -> (Option<Arc<Snapshot>>, ScrapeOutcome) {
        let Settings { hold, cache, .. } = *self.settings;
        let bound = match outcome {
            // In good order, but for the quota.
            ScrapeOutcome::Budgeted if self.up => hold + self.patience,
            ScrapeOutcome::Shared => hold.max(cache),
            _ => hold,
        };
        let shown = self
            .held
            .filter(|held| held.at >= since || self.age(held) <= bound);
        let Some(shown) = shown else {
            return (None, ScrapeOutcome::Empty);
        };
        let outcome = match outcome {
            ScrapeOutcome::Fresh if !(self.up && shown.at >= since) => ScrapeOutcome::Held,
            ScrapeOutcome::Shared if !self.up => ScrapeOutcome::Held,
            outcome => outcome,
        };
        (Some(Arc::clone(&shown.snapshot)), outcome)
    }

    /// Whether no scrape from `since` on can show what is held, so that it need
    /// not be kept either.
    pub(super) fn is_spent(&self, since: Instant) -> bool {
        let longest = self.settings.hold.max(self.settings.cache) + self.patience;
        self.held
            .is_some_and(|held| held.at < since && self.age(held) > longest)
    }

    /// What the next collection is compared with. What was up is what the last
    /// one saw, however long ago; what is held while the API fails has its
    /// bound.
    pub(super) fn predecessor(&self) -> Option<&Held> {
        let longest = self.settings.hold.max(self.settings.cache);
        self.held
            .filter(|held| self.up || self.age(held) <= longest)
    }

    fn age(&self, held: &Held) -> Duration {
        self.now.saturating_duration_since(held.at)
    }
}

/// Nothing is shown although nothing has failed: the collection is not over yet,
/// for what it may `wait`, and what was seen before is too old.
pub(super) fn nothing_in_time(wait: Option<WaitReason>, now: Timestamp) -> Failure {
    let (reason, message) = match wait {
        Some(WaitReason::RetryAfter) => (
            ErrorReason::RateLimited,
            "waiting, as the API asked with its last 429",
        ),
        Some(_) => (
            ErrorReason::Quota,
            "waiting, to stay within --kernel.quota-share of the rate limit",
        ),
        None => (ErrorReason::Timeout, "the collection did not end in time"),
    };
    Failure {
        reason,
        since: now,
        message: message.into(),
        unread: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::assemble::Kept;
    use crate::model::{ProfileNameMode, Timestamp};
    use ScrapeOutcome::{Budgeted, Empty, Fresh, Shared};

    const SECOND: Duration = Duration::from_secs(1);

    fn settings(cache: u32, hold: u32) -> Settings {
        Settings {
            timeout: 10 * SECOND,
            cache: cache * SECOND,
            hold: hold * SECOND,
            concurrency: 8,
            max_connections: 1,
            probe_requests: 1,
            profile_names: ProfileNameMode::Keep,
            timeline_requests: None,
            started: Timestamp::from_seconds(0),
            org: false,
        }
    }

    fn held(at: Instant) -> Held {
        let snapshot = Snapshot {
            ..Snapshot::default()
        };
        Held {
            snapshot: Arc::new(snapshot),
            at,
            kept: Kept::new(),
        }
    }

    /// What `ask` says of a scope whose snapshot is `age` seconds old.
    fn of<T>(
        age: Option<u32>,
        up: bool,
        settings: &Settings,
        ask: impl FnOnce(Showing<'_>) -> T,
    ) -> T {
        let start = Instant::now();
        let held = age.map(|_| held(start));
        ask(Showing {
            held: held.as_ref(),
            up,
            collected: up,
            now: start + age.unwrap_or(0) * SECOND,
            settings,
            patience: 60 * SECOND,
        })
    }

    #[tokio::test]
    async fn with_nothing_to_show_there_is_a_collection_within_the_ceiling() {
        let settings = settings(0, 300);
        let spent = Part::Ready(Budgeted);
        for (age, running, of_minute, part) in [
            (None, true, false, Part::Join),
            (None, true, true, Part::Join),
            (None, false, false, Part::Start),
            (None, false, true, spent),
            // However old, where the quota alone would not hold it back.
            (Some(299), false, true, spent),
            (Some(299), false, false, Part::Start),
        ] {
            let wait = Some(WaitReason::Quota);
            let asked = |showing: Showing<'_>| showing.part(running, running, of_minute, wait);
            assert_eq!(of(age, false, &settings, asked), part, "{age:?} {running}");
        }
    }

    #[tokio::test]
    async fn the_cache_shares_only_what_the_last_collection_brought() {
        let settings = settings(30, 300);
        let part = |age, up| {
            of(Some(age), up, &settings, |showing| {
                showing.part(false, false, false, None)
            })
        };
        assert_eq!(part(30, true), Part::Ready(Shared));
        assert_eq!(part(31, true), Part::Start);
        assert_eq!(part(1, false), Part::Start);
    }

    #[tokio::test]
    async fn a_429_is_waited_for_and_the_quota_only_so_long() {
        let settings = settings(0, 300);
        let part = |age, wait| {
            of(Some(age), true, &settings, |showing| {
                showing.part(false, false, false, Some(wait))
            })
        };
        let held = Part::Ready(ScrapeOutcome::Held);
        assert_eq!(part(60, WaitReason::RetryAfter), held);
        assert_eq!(part(61, WaitReason::RetryAfter), Part::Start);
        assert_eq!(part(60, WaitReason::Quota), Part::Ready(Budgeted));
        assert_eq!(part(61, WaitReason::Quota), Part::Start);
    }

    #[tokio::test]
    async fn what_is_held_has_its_bound_and_its_name() {
        let settings = settings(0, 300);
        let shown = |age, up, outcome| {
            of(Some(age), up, &settings, |showing| {
                let since = showing.now;
                let (snapshot, outcome) = showing.shown(outcome, since);
                (snapshot.is_some(), outcome)
            })
        };
        assert_eq!(shown(0, true, Fresh), (true, Fresh));
        assert_eq!(shown(1, true, Fresh), (true, ScrapeOutcome::Held));
        assert_eq!(shown(0, false, Fresh), (true, ScrapeOutcome::Held));
        assert_eq!(shown(0, false, Shared), (true, ScrapeOutcome::Held));
        assert_eq!(shown(300, false, Fresh), (true, ScrapeOutcome::Held));
        assert_eq!(shown(301, false, Fresh), (false, Empty));
        assert_eq!(shown(360, true, Budgeted), (true, Budgeted));
        assert_eq!(shown(361, true, Budgeted), (false, Empty));
        assert_eq!(shown(300, false, Budgeted), (true, Budgeted));
        assert_eq!(shown(301, false, Budgeted), (false, Empty));
    }

    #[tokio::test]
    async fn what_nobody_can_be_shown_is_spent() {
        let settings = settings(0, 300);
        let spent = |age| {
            of(Some(age), false, &settings, |showing| {
                showing.is_spent(showing.now)
            })
        };
        assert!(!spent(360) && spent(361));
        let predecessor = |age, up| {
            of(Some(age), up, &settings, |showing| {
                showing.predecessor().is_some()
            })
        };
        assert!(predecessor(1_000, true) && predecessor(300, false));
        assert!(!predecessor(301, false));
    }
}
