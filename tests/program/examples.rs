//! The objects of the API's reference, and the least that an object can be, come
//! out as documented.

use std::collections::BTreeMap;
use std::fs;
use std::time::SystemTime;

use super::support::{Api, Metrics};

/// What the API serves: the healthy one, the sparse one without a credential,
/// the one that waits for a person, the failed one, the one that cannot be
/// verified, and one with the six members that are always there.
pub(crate) const OBJECTS: [&str; 6] = [
    include_str!("objects/healthy.json"),
    include_str!("objects/needs-auth.json"),
    include_str!("objects/waiting.json"),
    include_str!("objects/failed.json"),
    include_str!("objects/unverifiable.json"),
    include_str!("objects/minimal.json"),
];

/// On the API's clock, which stands still.
pub(crate) fn moment() -> SystemTime {
    let moment: jiff::Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    moment.try_into().unwrap()
}

/// Whether a series moves with the clock.
fn moves(series: &str) -> bool {
    let family = series.split('{').next().unwrap();
    family.ends_with("_age_seconds") || family.ends_with("_expires_in_seconds")
}

/// A time in seconds, `ago` seconds earlier, its fraction as it was written.
fn moved_back(value: &str, ago: i64) -> String {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let whole = whole.parse::<i64>().unwrap() - ago;
    if fraction.is_empty() {
        whole.to_string()
    } else {
        format!("{whole}.{fraction}")
    }
}

#[tokio::test]
async fn every_series_of_every_object_is_as_documented() {
    let (api, ago) = Api::of(&OBJECTS, moment()).await;
    let scrape = api.exporter(&[]).scrape().await;
    let mut actual = String::new();
    let mut ages = BTreeMap::new();
    for line in scrape.text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        if moves(series) {
            ages.insert(series.to_owned(), value.parse::<f64>().unwrap());
        } else if series.contains("connection_id=") || series.starts_with("kernel_auth_connections")
        {
            let is_time = series.contains("_timestamp_seconds{");
            let ago = if is_time { ago } else { 0 };
            let value = moved_back(value, ago);
            actual.extend([series, " ", &value, "\n"]);
        }
    }
    let path = "tests/program/objects/expected.txt";
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(path, &actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(path).unwrap(), "{path}");

    // Ages go with the API's clock, which `Date` tells in whole seconds; a
    // minute is more than the scrape took.
    let age = |family: &str, id: &str| {
        let start = format!("kernel_auth_connection_{family}{{connection_id=\"{id}\"");
        let mut found = ages.iter().filter(|(series, _)| series.starts_with(&start));
        found.next().map(|(_, age)| *age)
    };
    let [healthy, sparse, waiting, failed, unverifiable, minimal] = [
        "q7f2m9x4kd81zt3vbn6hw5ra",
        "w3c8j5y1pe60ur4xgs2tk9lo",
        "b5n0v7s2ah94mc6qiy8ef1dz",
        "t1k6z9d3wo52pn7bfx0rj4mu",
        "h8r4e2u6ng73yc1vjq9ws5ib",
        "minimal",
    ];
    for (id, checked, expires) in [
        (healthy, Some(1188.0), Some(-192_540.0)),
        (sparse, Some(7034.0), Some(-333_600.0)),
        (waiting, Some(299.0), Some(930.0)),
        (failed, Some(9900.0), Some(-8690.0)),
        (unverifiable, Some(1.0), None),
        (minimal, None, None),
    ] {
        for (family, expected, sign) in [
            ("last_auth_age_seconds", checked, 1.0),
            ("last_auth_check_age_seconds", checked, 1.0),
            ("flow_expires_in_seconds", expires, -1.0),
        ] {
            let late = age(family, id).zip(expected);
            let late = late.map(|(age, expected)| (age - expected) * sign);
            assert_eq!(
                age(family, id).is_some(),
                expected.is_some(),
                "{family} {id}"
            );
            assert!(
                late.is_none_or(|late| (-1.0..60.0).contains(&late)),
                "{family} {id} {late:?}"
            );
        }
    }
    assert_eq!(ages.len(), 14);
}

#[tokio::test]
async fn only_the_states_that_hold() {
    let (api, _) = Api::of(&OBJECTS, moment()).await;
    let all = api.exporter(&[]).scrape().await;
    let active = api.exporter(&["--metrics.states=active"]).scrape().await;
    // Families with one series for each state; the others stay as they are.
    let one_hot = |series: &str| {
        [
            "_connection_status{",
            "_flow_status{",
            "_flow_step{",
            "_flow_type{",
        ]
        .iter()
        .any(|family| series.contains(family))
    };
    let of_connections = |scrape: &Metrics, keep: fn(&str) -> bool| -> Vec<(String, String)> {
        let samples = scrape
            .samples()
            .filter(|(series, _)| series.contains("connection_id="));
        let samples =
            samples.filter(|(series, value)| !moves(series) && (!one_hot(series) || keep(value)));
        samples
            .map(|(series, value)| (series.to_owned(), value.to_owned()))
            .collect()
    };
    assert_eq!(
        of_connections(&active, |_| true),
        of_connections(&all, |value| value == "1")
    );
    assert!(active.text.len() < all.text.len());
}

#[tokio::test]
async fn the_name_of_a_profile_can_be_hidden() {
    let (api, _) = Api::of(&OBJECTS, moment()).await;
    for (mode, shown) in [("hash", true), ("drop", false)] {
        let flag = format!("--metrics.profile-name={mode}");
        let scrape = api.exporter(&[&flag]).scrape().await;
        for name in ["billing-bot", "user-4821", "crm-sync"] {
            assert!(!scrape.text.contains(name), "{mode}: {name}");
        }
        // The first 16 hex digits of the SHA-256 of `billing-bot`.
        let hashed = scrape.text.contains("profile_name=\"3bdd11e678bac82c\"");
        assert_eq!(hashed, shown, "{mode}");
        assert_eq!(scrape.text.contains("profile_name="), shown, "{mode}");
    }
}
