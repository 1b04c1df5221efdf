use http::HeaderValue;

use super::*;

fn seen(limit: u64, remaining: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    headers
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn without_published_limits_nothing_waits() {
    let (budget, now) = (Budget::new(0.5), Instant::now());
    assert!((0..10_000).all(|_| budget.take(now, false).is_ok()));
    assert_eq!(budget.pace(now, 1_000), Duration::ZERO);
}

#[tokio::test]
async fn what_is_not_published_any_more_is_forgotten() {
    let (budget, start) = (Budget::new(0.5), Instant::now());
    budget.saw(&seen(2, 1), start);
    budget.take(start, false).unwrap();
    budget.saw(&HeaderMap::new(), start + seconds(60));
    let view = budget.view(start + seconds(119));
    assert_eq!((view.limit, view.remaining), (Some(2), Some(1)));
    budget.take(start + seconds(119), false).unwrap();
    assert!(budget.take(start + seconds(119), false).is_err());
    assert_eq!(budget.view(start + KEPT), RateView::default());
    assert!((0..100).all(|_| budget.take(start + KEPT, false).is_ok()));
}

#[tokio::test]
async fn the_share_holds_in_every_minute() {
    let (budget, start) = (Budget::new(0.5), Instant::now());
    budget.saw(&seen(10, 1_000_000), start);
    let mut sent = Vec::new();
    for second in 0..600 {
        let now = start + seconds(second);
        budget.saw(&seen(10, 1_000_000), now);
        while budget.take(now, false).is_ok() {
            sent.push(now);
        }
    }
    assert_eq!(sent.len(), 50, "five a minute for ten minutes");
    for window in sent.windows(6) {
        assert!(window[5] - window[0] >= WINDOW);
    }
}

#[tokio::test]
async fn a_block_holds_until_it_has_passed_and_only_grows() {
    let (budget, now) = (Budget::new(0.5), Instant::now());
    budget.block(now + seconds(30));
    budget.block(now + seconds(5));
    let wait = budget.take(now + seconds(29), false).unwrap_err();
    assert_eq!(
        wait,
        Wait {
            until: now + seconds(30),
            reason: WaitReason::RetryAfter,
            is_for_trial: false,
        }
    );
    assert!(budget.view(now).blocked_for == Some(seconds(30)));
    assert!(budget.take(now + seconds(30), false).is_ok());
    assert_eq!(budget.view(now + seconds(31)).blocked_for, None);
}

#[tokio::test]
async fn the_last_tenth_is_left_to_the_agents() {
    let (budget, now) = (Budget::new(1.0), Instant::now());
    budget.saw(&seen(60, 8), now);
    assert!(budget.take(now, false).is_ok());
    assert!(budget.take(now, false).is_ok());
    // Six are left: the reserve. One more a second comes back.
    let wait = budget.take(now, false).unwrap_err();
    assert_eq!(
        wait,
        Wait {
            until: now + seconds(1),
            reason: WaitReason::Quota,
            is_for_trial: false,
        }
    );
    // Old news count for nothing.
    assert!(budget.take(now + WINDOW, false).is_ok());
}

#[tokio::test]
async fn a_collection_waits_for_as_much_as_it_needs() {
    let (budget, now) = (Budget::new(0.5), Instant::now());
    budget.saw(&seen(100, 100), now);
    for _ in 0..40 {
        budget.take(now, false).unwrap();
    }
    assert_eq!(budget.wait_for(now, 10), None);
    assert_eq!(
        budget.wait_for(now, 20).map(|wait| wait.until),
        Some(now + WINDOW)
    );
    // More than a minute's share can never be had at once: a whole minute's share must do.
    assert!(budget.wait_for(now, 500).is_some());
    assert_eq!(budget.wait_for(now + WINDOW, 500), None);
    assert_eq!(budget.pace(now, 50), Duration::ZERO);
    assert_eq!(budget.pace(now, 500), seconds(540));
}

#[tokio::test]
async fn budgets_that_join_are_one_with_all_that_was_sent() {
    let (one, other, now) = (Budget::new(0.5), Budget::new(0.5), Instant::now());
    other.saw(&seen(20, 1_000), now);
    for budget in [&one, &other] {
        for _ in 0..4 {
            budget.take(now, false).unwrap();
        }
    }
    other.join(&one);
    assert!(one.is_shared_with(&other));
    assert_eq!(one.view(now).limit, Some(20));
    assert!(one.take(now, false).is_ok() && other.take(now, false).is_ok());
    assert!(one.take(now, false).is_err() && other.take(now, false).is_err());
    other.join(&one);
    assert!(one.take(now + WINDOW, false).is_ok());
    other.leave();
    assert!(!one.is_shared_with(&other));
    assert_eq!(other.view(now), RateView::default());
}

#[tokio::test]
async fn a_tiny_limit_still_lets_one_request_through() {
    let (budget, now) = (Budget::new(0.1), Instant::now());
    budget.saw(&seen(1, 1), now);
    assert!(budget.take(now, false).is_ok());
    assert!(budget.take(now, false).is_err());
}

#[tokio::test]
async fn after_a_429_one_request_goes_first() {
    let (budget, start) = (Budget::new(0.5), Instant::now());
    budget.block(start + seconds(10));
    let over = start + seconds(10);
    budget.take(over, false).unwrap();
    let freed = budget.freed();
    let freed = freed.notified();
    let wait = budget.take(over, false).unwrap_err();
    assert!(wait.is_for_trial && wait.until == over + TRIAL);
    // What is lost on its way keeps nobody waiting for ever.
    budget.take(over + TRIAL, false).unwrap();
    assert!(budget.take(over + TRIAL, false).is_err());
    // Nor does what has no answer; and a collection goes before a probe.
    let waiting = budget.waiting();
    assert!(budget.take(over + TRIAL + TRIAL, true).is_err());
    budget.take(over + TRIAL + TRIAL, false).unwrap();
    drop(waiting);
    budget.not_refused();
    freed.await;
    assert!((0..10).all(|_| budget.take(over + TRIAL, false).is_ok()));
    // Refused again: the same again.
    budget.block(over + seconds(20));
    assert!(
        !budget
            .take(over + seconds(19), false)
            .unwrap_err()
            .is_for_trial
    );
    budget.take(over + seconds(20), false).unwrap();
    assert!(budget.take(over + seconds(20), false).is_err());
}

#[tokio::test]
async fn what_goes_aside_leaves_the_others_what_they_wait_for() {
    let (budget, start) = (Budget::new(0.5), Instant::now());
    budget.saw(&seen(10, 1_000_000), start);
    budget.take(start, false).unwrap();
    let waiting = [budget.waiting(), budget.waiting()];
    budget.take(start, true).unwrap();
    budget.take(start, true).unwrap();
    assert!(budget.take(start, true).is_err());
    budget.take(start, false).unwrap();
    drop(waiting);
    budget.take(start, true).unwrap();
}

#[tokio::test]
async fn for_a_minute_after_a_429_what_goes_aside_goes_one_by_one() {
    let (budget, start) = (Budget::new(0.5), Instant::now());
    budget.block(start);
    budget.take(start, false).unwrap();
    budget.not_refused();
    budget.take(start, true).unwrap();
    assert!(budget.take(start, true).unwrap_err().is_for_trial);
    // Collections go as they like.
    assert!((0..10).all(|_| budget.take(start, false).is_ok()));
    budget.not_refused();
    budget.take(start, true).unwrap();
    budget.take(start + TRIAL, true).unwrap();
    assert!((0..10).all(|_| budget.take(start + WINDOW + TRIAL, true).is_ok()));
}
