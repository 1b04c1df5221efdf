use super::*;

#[test]
fn contradictions_are_named() {
    let default = Options::default();
    assert_eq!(default.check(), Ok(()));
    for (wrong, flag) in [
        (
            Options {
                interval: PromDuration::from_secs(0),
                ..default.clone()
            },
            "--interval",
        ),
        (
            Options {
                interval: PromDuration::from_secs(61),
                ..default.clone()
            },
            "--interval",
        ),
        (
            Options {
                flow_awaiting_for: PromDuration::from_secs(121),
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
                burn_slow_share: "0.5".parse().expect("a share"),
                ..default.clone()
            },
            "--burn-slow-share",
        ),
    ] {
        let error = wrong.check().expect_err("a contradiction").to_string();
        assert!(error.starts_with(flag), "{error}");
    }
}
