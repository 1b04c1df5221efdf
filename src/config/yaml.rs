//! YAML as a tree in which every node knows its place.
//!
//! A tree, and not structs that serde fills: the keys are those of the table,
//! and a message names the whole path of a key and what stands there instead.
//! Scalars stay the text that stands in the file: an id such as `12e4567` is
//! not a number.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::Position;

/// A value and where it stands.
pub(super) type Node = Spanned<Value>;

#[derive(Debug)]
pub(super) enum Value {
    Null,
    Text(String),
    /// Taken for a number or a truth value: only the source has its spelling.
    Resolved(String),
    List(Vec<Node>),
    Map(Vec<(Spanned<String>, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) | Self::Resolved(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The scalar as it is written in `source`, of which `node` was parsed.
    pub(super) fn text(node: &Node, source: &str) -> Option<String> {
        match &node.value {
            Self::Text(text) => Some(text.clone()),
            // An alias is spelt where it was defined.
            Self::Resolved(text) => {
                Some(slice(source, node.defined).unwrap_or_else(|| text.clone()))
            }
            _ => None,
        }
    }
}

/// Parses one document. Repeated keys are kept; the reader of a map refuses
/// them. Messages hold nothing of the text.
pub(super) fn parse(text: &str) -> Result<Node, (Option<Position>, String)> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| (error.location().map(position), refusal(&error)))
}

fn refusal(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let text = match error {
        Error::MultipleDocuments { .. } => "a second YAML document; only one is allowed",
        Error::Unexpected { .. } | Error::NullIntoString { .. } => {
            "not allowed here; keys are plain words"
        }
        // The parser's own words on syntax; they name signs, not values.
        Error::ExternalMessage { .. } | Error::Message { .. } => {
            let text = error.to_string();
            let end = text.rfind(" at line ").unwrap_or(text.len());
            return format!("not valid YAML: {}", text[..end].replace('\n', " "));
        }
        Error::UnknownAnchor { .. } => "an alias for an anchor that is not defined above it",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias that contains itself",
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "too large, too deep or too many aliases for a config file"
        }
        _ => "not valid YAML here",
    };
    text.to_owned()
}

pub(super) fn position(location: Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

fn slice(source: &str, location: Location) -> Option<String> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    let text = source.get(start..start.checked_add(length)?)?;
    let text = text.trim_matches(['"', '\'']).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

macro_rules! resolved {
    ($($visit:ident: $type:ty),+) => {$(
        fn $visit<E>(self, value: $type) -> Result<Value, E> {
            Ok(Value::Resolved(value.to_string()))
        }
    )+};
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    resolved!(
        visit_bool: bool, visit_i64: i64, visit_i128: i128,
        visit_u64: u64, visit_u128: u128, visit_f64: f64
    );

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The texts of a map of scalars.
    fn texts(yaml: &str) -> Vec<String> {
        let Value::Map(entries) = parse(yaml).unwrap().value else {
            panic!("not a map: {yaml}");
        };
        let text = |(_, node): &(_, Node)| Value::text(node, yaml).expect("a scalar");
        entries.iter().map(text).collect()
    }

    #[test]
    fn scalars_keep_their_spelling() {
        for (yaml, expected) in [
            ("a: 12e4567", "12e4567"),
            ("a: 1e5", "1e5"),
            ("a: 0123", "0123"),
            ("a: 1_0", "1_0"),
            ("a: 0x1F", "0x1F"),
            ("a: .inf", ".inf"),
            ("a: yes", "yes"),
            ("a: True # comment", "True"),
            ("a: '1e5'", "1e5"),
            ("a: !!str 1e5", "1e5"),
            ("a: !!float 1e5", "1e5"),
            ("a: &anchor 1e5", "1e5"),
            (
                "a: 123456789012345678901234567890123456789012345678",
                "123456789012345678901234567890123456789012345678",
            ),
            ("a: \"x\\ty\"", "x\ty"),
        ] {
            assert_eq!(texts(yaml), [expected], "{yaml}");
        }
        assert_eq!(texts("a: &x 1e5\nb: *x"), ["1e5", "1e5"]);
    }

    #[test]
    fn places_count_characters_from_one() {
        let root = parse("\u{e4}: {b: [x, 7]}\n").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("not a map");
        };
        let Value::Map(inner) = &entries[0].1.value else {
            panic!("not a map");
        };
        let place = |location| {
            let Position { line, column } = position(location);
            (line, column)
        };
        assert_eq!(place(inner[0].0.referenced), (1, 5));
        let Value::List(items) = &inner[0].1.value else {
            panic!("not a list");
        };
        assert_eq!(place(items[1].referenced), (1, 12));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            let line = format!("a{level}: &a{level} [{aliases}]\n");
            text.push_str(&line);
        }
        assert!(parse(&text).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ -~\n\u{e4}]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn plain_ids_survive(id in "[0-9a-zA-Z_][0-9a-zA-Z_.+]{0,30}") {
            prop_assume!(!matches!(id.to_lowercase().as_str(), "null"));
            prop_assert_eq!(texts(&format!("a: {id}")), [id]);
        }

        #[test]
        fn messages_hold_nothing_of_the_text(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            if let Err((_, problem)) = parse(&format!("{before}Zq9secretZq9{after}")) {
                prop_assert!(!problem.contains("Zq9secretZq9"));
            }
        }
    }
}
