//! The same in every format, and the same as the `prometheus` crate writes.

use std::collections::BTreeSet;

use crate::exposition::{catalogue, render};
use crate::model::States;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::fixture::{self, FORMATS, NOW, options};
use super::{hostile, oracle, parser, random};
use crate::exposition::catalogue::Subject;
use crate::exposition::{Format, Options, Own};

fn parsed(bytes: &[u8], format: Format) -> parser::Parsed {
    match format {
        Format::OpenMetrics100(_) => parser::open_metrics(bytes),
        Format::Text004 | Format::Text100(_) => parser::text(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn says_what_the_prometheus_crate_says(
        world in random::world(), own in random::own(), all in any::<bool>()
    ) {
        let states = if all { States::All } else { States::Active };
        let options = Options { states, ..options(Format::Text004) };
        let ours = parser::text(&render(&world.fleet(), &own, NOW, options));
        let theirs = parser::text(oracle::text(&world, &own, all).as_bytes());
        prop_assert_eq!(&ours.samples, &theirs.samples);
        prop_assert_eq!(&ours.types, &theirs.types);
    }

    #[test]
    fn every_format_has_the_same_series(world in random::world()) {
        let (fleet, own) = (world.fleet(), fixture::own());
        let [first, rest @ ..] = FORMATS.map(|format| {
            parsed(&render(&fleet, &own, NOW, options(format)), format).samples
        });
        for samples in rest {
            prop_assert_eq!(&first, &samples);
        }
    }
}

/// The comparison above is worth what it meets.
#[test]
fn every_family_that_is_no_gathered_one_is_compared() {
    let mut runner = TestRunner::deterministic();
    let strategy = (random::world(), random::own());
    let mut met = BTreeSet::new();
    for _ in 0..200 {
        let (world, own) = strategy.new_tree(&mut runner).unwrap().current();
        let theirs = parser::text(oracle::text(&world, &own, true).as_bytes());
        met.extend(theirs.types.into_keys());
    }
    let listed = catalogue::families().iter();
    let expected: BTreeSet<String> = listed
        .filter(|family| !family.is_gathered())
        .map(|family| family.name.to_owned())
        .collect();
    assert_eq!(met, expected);
}

#[test]
fn gathered_families_say_what_the_prometheus_crate_says() {
    let own = Own {
        gathered: fixture::own().gathered,
        ..Own::default()
    };
    let ours = render(
        &crate::model::Fleet::default(),
        &own,
        NOW,
        options(Format::Text004),
    );
    // The crate writes whole bounds without a fraction.
    let theirs = prometheus::TextEncoder::new()
        .encode_to_string(&own.gathered)
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
    let fleet = fixture::story();
    for format in FORMATS {
        let written = |own: &Own| parsed(&render(&fleet, own, NOW, options(format)), format);
        let (scrape, probe) = (written(&fixture::own()), written(&fixture::probed()));
        let open_metrics = matches!(format, Format::OpenMetrics100(_));
        let (mut of_scrapes, mut of_probes) = (Vec::new(), Vec::new());
        for family in catalogue::families() {
            if family.name.starts_with("process_") {
                continue;
            }
            let (in_scrapes, in_probes) = match family.subject {
                Subject::Scope | Subject::Account | Subject::Exporter => (true, false),
                Subject::Connection | Subject::ConfiguredConnection => (true, true),
                Subject::Probe => (false, true),
            };
            let parsed = if in_scrapes { &scrape } else { &probe };
            let name = if open_metrics {
                family.open_metrics_name()
            } else {
                family.name
            };
            of_scrapes.extend(in_scrapes.then(|| name.to_owned()));
            of_probes.extend(in_probes.then(|| name.to_owned()));
            assert_eq!(parsed.types.get(name).unwrap(), family.kind.as_str());
            assert_eq!(parsed.helps.get(name).unwrap(), family.help);
            let unit = family.unit().unwrap_or_default();
            assert_eq!(
                parsed.units.get(name).map(String::as_str),
                open_metrics.then_some(unit)
            );
            for sample in family.sample_names() {
                assert!(parsed.count(&sample) > 0, "no {sample}");
            }
        }
        assert_eq!(scrape.order, of_scrapes, "the catalogue's order");
        assert_eq!(probe.order, of_probes, "the catalogue's order");
    }
}

#[test]
fn labels_are_those_of_the_catalogue() {
    let read = |own: &Own| {
        let text = render(&fixture::story(), own, NOW, options(Format::Text004));
        parser::text(&text).samples
    };
    let mut met = BTreeSet::new();
    let (scrape, probe) = (read(&fixture::own()), read(&fixture::probed()));
    for (name, labels) in scrape.keys().chain(probe.keys()) {
        let family = catalogue::families()
            .iter()
            .find(|family| family.sample_names().contains(name))
            .unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        met.insert(family.name);
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
    let listed = catalogue::families().iter().map(|family| family.name);
    let unmet: Vec<_> = listed.filter(|name| !met.contains(name)).collect();
    assert!(
        unmet.iter().all(|name| name.starts_with("process_")),
        "{unmet:?}"
    );
}

#[test]
fn text_1_0_0_is_the_text_of_0_0_4() {
    let (fleet, _) = hostile::hostile();
    let own = fixture::own();
    let [text004, text100, _] = FORMATS.map(|format| render(&fleet, &own, NOW, options(format)));
    assert!(text004 == text100);
}
