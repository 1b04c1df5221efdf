use proptest::prelude::*;

use super::*;

#[test]
fn contradictions_are_named() {
    let default = Options::default();
    assert_eq!(default.check(), Ok(()));
    for (wrong, flag) in [
        (
            Options {
                interval: Duration::from_secs(0),
                ..default.clone()
            },
            "--interval",
        ),
        (
            Options {
                interval: Duration::from_secs(61),
                ..default.clone()
            },
            "--interval",
        ),
        (
            Options {
                flow_awaiting_for: Duration::from_secs(121),
                ..default.clone()
            },
            "--flow-awaiting-for",
        ),
        (
            Options {
                key_expiry_critical_days: 14,
                ..default.clone()
            },
            "--key-expiry-critical-days",
        ),
        (
            Options {
                burn_slow_share: 0.5,
                ..default.clone()
            },
            "--burn-slow-share",
        ),
    ] {
        let error = wrong.check().expect_err("a contradiction");
        assert!(error.starts_with(flag), "{error}");
    }
}

proptest! {
    #[test]
    fn a_bridge_is_shorter_than_what_it_bridges(seconds in 41..10_000_u64) {
        let (span, interval) = (Duration::from_secs(seconds), Duration::from_secs(30));
        prop_assert!(bridged(span, interval) < span);
        prop_assert!(bridged(span, interval) >= interval);
        prop_assert!(bridged(span, interval) <= Duration::from_mins(2));
    }
}
