//! A reader of the text formats that forgives nothing.

use std::collections::{BTreeMap, BTreeSet};

/// A sample without the labels whose value is empty: Prometheus takes those for
/// absent.
pub(crate) type Series = (String, BTreeMap<String, String>);

/// What a text says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parsed {
    /// The bits of each value.
    pub(crate) samples: BTreeMap<Series, u64>,
    /// `# TYPE`, by family.
    pub(crate) types: BTreeMap<String, String>,
    /// `# HELP`, by family.
    pub(crate) helps: BTreeMap<String, String>,
    /// `# UNIT`, by family.
    pub(crate) units: BTreeMap<String, String>,
    /// Families in the order of their heads.
    pub(crate) order: Vec<String>,
}

impl Parsed {
    /// The value of the one sample of this name that has these labels among
    /// its own.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.samples.iter().filter(|((sample, of), _)| {
            sample == name
                && labels
                    .iter()
                    .all(|(name, value)| of.get(*name).is_some_and(|is| is == value))
        });
        let (_, bits) = found.next()?;
        assert_eq!(found.next(), None, "more than one {name}{labels:?}");
        Some(f64::from_bits(*bits))
    }

    /// How many samples have this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.samples.keys().filter(|(of, _)| of == name).count()
    }
}

/// Reads text 0.0.4 or 1.0.0.
pub(crate) fn text(bytes: &[u8]) -> Parsed {
    read(bytes, false)
}

/// Reads OpenMetrics 1.0.0.
pub(crate) fn open_metrics(bytes: &[u8]) -> Parsed {
    read(bytes, true)
}

fn read(bytes: &[u8], open_metrics: bool) -> Parsed {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "ends in the middle of a line"
    );
    assert!(!text.contains('\0'), "NUL");
    let mut lines: Vec<&str> = text.split_terminator('\n').collect();
    if open_metrics {
        assert_eq!(lines.pop(), Some("# EOF"));
    }
    let mut parsed = Parsed::default();
    let mut closed = BTreeSet::new();
    let mut current = String::new();
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (word, name, rest) = (
                words.next().unwrap(),
                words.next().unwrap().to_owned(),
                words.next().unwrap().to_owned(),
            );
            assert_name(&name);
            if name != current {
                assert!(!closed.contains(&name), "{name} is split");
                closed.insert(std::mem::replace(&mut current, name.clone()));
                parsed.order.push(name.clone());
            }
            let slot = match word {
                "HELP" => &mut parsed.helps,
                "TYPE" => &mut parsed.types,
                "UNIT" if open_metrics => &mut parsed.units,
                _ => panic!("unknown comment: {line}"),
            };
            assert_eq!(slot.insert(name, rest), None, "twice: {line}");
        } else {
            let (name, labels, value) = sample(line);
            let kind = parsed
                .types
                .get(&current)
                .unwrap_or_else(|| panic!("no TYPE before {line}"));
            let suffix = name
                .strip_prefix(current.as_str())
                .unwrap_or_else(|| panic!("{name} among {current}"));
            match (kind.as_str(), suffix) {
                ("gauge", "") | ("histogram", "_bucket" | "_sum" | "_count") => {}
                ("counter", "_total") if open_metrics => {}
                ("counter", "") if !open_metrics => {}
                _ => panic!("{name} is no sample of {kind} {current}"),
            }
            let series = (name, labels);
            assert_eq!(
                parsed.samples.insert(series, value.to_bits()),
                None,
                "twice: {line}"
            );
        }
    }
    parsed
}

fn assert_name(name: &str) {
    assert!(
        name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
            && name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '_'),
        "not a name: {name}"
    );
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let end = line.find(['{', ' ']).expect("a value");
    let name = line[..end].to_owned();
    assert_name(&name);
    let mut labels = BTreeMap::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label");
            assert_name(label);
            let (value, after) = label_value(after);
            assert!(
                labels.insert(label.to_owned(), value).is_none(),
                "{label} twice: {line}"
            );
            if let Some(after) = after.strip_prefix(',') {
                rest = after;
            } else {
                rest = after.strip_prefix('}').expect("the end of the labels");
                break;
            }
        }
        labels.retain(|_, value| !value.is_empty());
    }
    let value = rest.strip_prefix(' ').expect("one space");
    (name, labels, number(value))
}

fn label_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().expect("the end of the label") {
            '"' => return (value, chars.as_str()),
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some(char @ ('"' | '\\')) => char,
                other => panic!("no escape: {other:?}"),
            }),
            char => value.push(char),
        }
    }
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => {
            assert!(
                text.bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e')),
                "not a number: {text}"
            );
            text.parse().unwrap()
        }
    }
}
