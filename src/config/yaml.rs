//! YAML as a tree in which every node knows its place.
//!
//! Scalars stay the text that stands in the file: an id such as `12e4567` is
//! not a number. Settings are then read from text by the same functions
//! wherever they come from, and errors can name the place and the whole key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::{Position, Problem};

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) position: Position,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_position: Position,
    pub(crate) node: Node,
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Parses one document. Repeated keys are kept; the reader of a map refuses
/// them. Messages hold nothing of the text.
pub(crate) fn parse(text: &str) -> Result<Node, (Option<Position>, Problem)> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(root) => Ok(place(root, text)),
        Err(error) => Err(refusal(&error)),
    }
}

fn refusal(error: &serde_saphyr::Error) -> (Option<Position>, Problem) {
    use serde_saphyr::Error;
    let position = error.location().map(position);
    let problem = match error {
        Error::MultipleDocuments { .. } => Problem::fixed("a second YAML document; one is read"),
        Error::Unexpected { .. } | Error::NullIntoString { .. } => {
            Problem::fixed("not valid here: keys are plain words")
        }
        // The parser's own words on syntax; they name signs, not values.
        Error::ExternalMessage { .. } | Error::Message { .. } => {
            let text = error.to_string();
            let end = text.rfind(" at line ").unwrap_or(text.len());
            Problem::new(format!(
                "not valid YAML: {}",
                text[..end].replace('\n', " ")
            ))
        }
        Error::UnknownAnchor { .. } => Problem::fixed("an alias without an anchor before it"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Problem::fixed("an alias that contains itself")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            Problem::fixed("too large, too deep or too many aliases for a config file")
        }
        _ => Problem::fixed("not valid YAML here"),
    };
    (position, problem)
}

fn position(location: Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

/// A node as the deserializer sees it: without places, scalars resolved.
enum Raw {
    Null,
    Text(String),
    /// Resolved to a number or truth value: the source has the true spelling.
    Resolved(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn place(raw: Spanned<Raw>, source: &str) -> Node {
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(text) => Value::Text(text),
        // An alias is spelt where it was defined.
        Raw::Resolved(text) => Value::Text(slice(source, raw.defined).unwrap_or(text)),
        Raw::List(items) => {
            Value::List(items.into_iter().map(|item| place(item, source)).collect())
        }
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, node)| Entry {
                    key: key.value,
                    key_position: position(key.referenced),
                    node: place(node, source),
                })
                .collect(),
        ),
    };
    Node {
        value,
        position: position(raw.referenced),
    }
}

fn slice(source: &str, location: Location) -> Option<String> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    let text = source.get(start..start.checked_add(length)?)?;
    let text = text.trim_matches(['"', '\'']).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Resolved(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn only_value(text: &str) -> Value {
        let Value::Map(mut entries) = parse(text).unwrap().value else {
            panic!("not a map: {text}");
        };
        entries.remove(0).node.value
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
            match only_value(yaml) {
                Value::Text(text) => assert_eq!(text, expected, "{yaml}"),
                other => panic!("{yaml}: {other:?}"),
            }
        }
        let Value::Map(entries) = parse("a: &x 1e5\nb: *x").unwrap().value else {
            panic!("not a map");
        };
        assert!(matches!(&entries[1].node.value, Value::Text(text) if text == "1e5"));
    }

    #[test]
    fn places_count_characters_from_one() {
        let root = parse("\u{e4}: {b: [x, 7]}\n").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("not a map");
        };
        let Value::Map(inner) = &entries[0].node.value else {
            panic!("not a map");
        };
        assert_eq!(inner[0].key_position.to_string(), "1:5");
        let Value::List(items) = &inner[0].node.value else {
            panic!("not a list");
        };
        assert_eq!(items[1].position.to_string(), "1:12");
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
            match only_value(&format!("a: {id}")) {
                Value::Text(text) => prop_assert_eq!(text, id),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn messages_hold_nothing_of_the_text(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            if let Err((_, problem)) = parse(&format!("{before}Zq9secretZq9{after}")) {
                prop_assert!(!problem.to_string().contains("Zq9secretZq9"));
            }
        }
    }
}
