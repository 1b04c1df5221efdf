//! The same in every format, and the same as the `prometheus` crate writes.

use std::collections::BTreeSet;

use crate::exposition::{catalogue, render};
use crate::model::States;
use proptest::prelude::*;

use super::fixture::{self, FORMATS, NOW, options};
use super::{oracle, parser, random};
use crate::exposition::{Format, Options};

fn parsed(bytes: &[u8], format: Format) -> parser::Parsed {
    match format {
        Format::OpenMetrics100(_) => parser::open_metrics(bytes),
        Format::Text004 | Format::Text100(_) => parser::text(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn says_what_the_prometheus_crate_says(scopes in random::scopes(), all in any::<bool>()) {
        let states = if all { States::All } else { States::Active };
        let options = Options { states, ..Options::default() };
        let ours = parser::text(&render(&random::fleet(&scopes), &[], NOW, options));
        let theirs = parser::text(oracle::text(&scopes, all).as_bytes());
        prop_assert_eq!(&ours.samples, &theirs.samples);
        prop_assert_eq!(&ours.types, &theirs.types);
    }

    #[test]
    fn every_format_has_the_same_series(scopes in random::scopes()) {
        let (fleet, own) = (random::fleet(&scopes), fixture::own());
        let [first, rest @ ..] = FORMATS.map(|format| {
            parsed(&render(&fleet, &own, NOW, options(format)), format).samples
        });
        for samples in rest {
            prop_assert_eq!(&first, &samples);
        }
    }
}

#[test]
fn own_families_say_what_the_prometheus_crate_says() {
    let own = fixture::own();
    let ours = render(
        &crate::model::Fleet::default(),
        &own,
        NOW,
        options(Format::Text004),
    );
    // The crate writes whole bounds without a fraction.
    let theirs = prometheus::TextEncoder::new()
        .encode_to_string(&own)
        .unwrap();
    let bound = |text: &str| {
        text.split_once("le=\"")
            .map_or(text.to_owned(), |(before, after)| {
                let (bound, after) = after.split_once('"').unwrap();
                let fraction = if bound.contains(['.', 'I']) { "" } else { ".0" };
                format!("{before}le=\"{bound}{fraction}\"{after}")
            })
    };
    let theirs: String = theirs.lines().map(|line| bound(line) + "\n").collect();
    assert_eq!(parser::text(&ours), {
        let mut parsed = parser::text(theirs.as_bytes());
        // Theirs come by name, ours in the order of the catalogue.
        parsed.order = catalogue::families()
            .iter()
            .map(|family| family.name.to_owned())
            .filter(|name| parsed.types.contains_key(name))
            .collect();
        parsed
    });
}

#[test]
fn every_family_of_the_catalogue_is_there_with_its_head() {
    let (fleet, mut own) = (fixture::story(), fixture::own());
    own.extend(crate::exposition::probe_families(
        true,
        std::time::Duration::from_millis(12),
    ));
    for format in FORMATS {
        let parsed = parsed(&render(&fleet, &own, NOW, options(format)), format);
        let open_metrics = matches!(format, Format::OpenMetrics100(_));
        let mut expected = Vec::new();
        for family in catalogue::families() {
            if family.name.starts_with("process_") {
                continue;
            }
            let name = if open_metrics {
                family.open_metrics_name()
            } else {
                family.name
            };
            expected.push(name.to_owned());
            assert_eq!(parsed.types.get(name).unwrap(), family.kind.as_str());
            assert_eq!(parsed.helps.get(name).unwrap(), family.help);
            let unit = family.unit.filter(|_| open_metrics);
            assert_eq!(
                parsed.units.get(name).map(String::as_str),
                unit.map(catalogue::Unit::as_str)
            );
            for sample in family.sample_names() {
                assert!(parsed.count(&sample) > 0, "no {sample}");
            }
        }
        assert_eq!(parsed.order, expected, "the catalogue's order");
    }
}

#[test]
fn labels_are_those_of_the_catalogue() {
    let parsed = parser::text(&render(
        &fixture::story(),
        &fixture::own(),
        NOW,
        Options::default(),
    ));
    for (name, labels) in parsed.samples.keys() {
        let family = catalogue::families()
            .iter()
            .find(|family| family.sample_names().contains(name))
            .unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let known: BTreeSet<&str> = family.all_labels().map(|label| label.name).collect();
        for (label, value) in labels {
            if label == "le" {
                continue;
            }
            assert!(known.contains(label.as_str()), "{name}: {label}");
            let listed = family.all_labels().find(|listed| listed.name == label);
            if let Some(values) = listed.and_then(|listed| listed.values) {
                assert!(values.contains(&value.as_str()), "{name}: {label}={value}");
            }
        }
        for label in family.all_labels().filter(|label| !label.optional) {
            assert!(labels.contains_key(label.name), "{name}: no {}", label.name);
        }
    }
}

#[test]
fn text_1_0_0_is_the_text_of_0_0_4() {
    let (fleet, _) = fixture::hostile();
    let own = fixture::own();
    let [text004, text100, _] = FORMATS.map(|format| render(&fleet, &own, NOW, options(format)));
    assert!(text004 == text100);
}
