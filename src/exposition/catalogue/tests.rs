use std::collections::HashSet;

use super::*;

#[test]
fn names_are_well_formed_and_unique() {
    let mut seen = HashSet::new();
    for family in families() {
        assert!(seen.insert(family.name), "{} twice", family.name);
        assert!(
            family
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()),
            "{}",
            family.name
        );
        assert_eq!(
            family.name.ends_with("_total"),
            family.kind == Kind::Counter,
            "{}",
            family.name
        );
        // A unit stands at the end, where it is found.
        for unit in ["seconds", "bytes"] {
            let named = family.name.split('_').any(|word| word == unit);
            assert_eq!(family.unit() == Some(unit), named, "{}", family.name);
        }
    }
}

#[test]
fn help_is_one_sentence_or_more() {
    for family in families() {
        assert!(family.help.ends_with('.'), "{}", family.name);
        assert!(!family.help.contains(['\n', '\\', '"']), "{}", family.name);
    }
}

#[test]
fn labels_are_unique_and_their_values_need_no_escape() {
    for family in families() {
        let mut names = HashSet::new();
        for label in family.all_labels() {
            assert!(
                names.insert(label.name),
                "{}: {} twice",
                family.name,
                label.name
            );
            for value in label.values.unwrap_or_default() {
                assert!(!value.contains(['\n', '\\', '"', '\0']), "{value}");
            }
        }
    }
}

#[test]
fn sources_match_subjects_and_labels() {
    for family in families() {
        let (subject, labels) = match family.source {
            Source::Connection(value) => (
                Subject::Connection,
                match value {
                    ConnectionValue::State(_)
                    | ConnectionValue::Fact(_)
                    | ConnectionValue::Counts(_) => 1,
                    ConnectionValue::Events(_) => 2,
                    ConnectionValue::Flag(_) | ConnectionValue::Number(_) => 0,
                },
            ),
            Source::Found => (Subject::ConfiguredConnection, 0),
            Source::Scope(_) => (Subject::Scope, family.labels.len().min(1)),
            Source::Account(_) => (Subject::Account, family.labels.len().min(1)),
            Source::Own(_) | Source::Gathered => continue,
        };
        assert_eq!(family.subject, subject, "{}", family.name);
        assert_eq!(family.labels.len(), labels, "{}", family.name);
        if family.subject == Subject::Connection {
            assert!(family.collector.is_some(), "{}", family.name);
            let mut values = family.labels.iter().map(|label| label.values);
            assert!(values.all(|known| known.is_some()), "{}", family.name);
        }
    }
}
