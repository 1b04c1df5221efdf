//! YAML as a tree in which every node knows its place.
//!
//! A tree, and not structs that serde fills: the keys are those of the table,
//! and a message names the whole path of a key and what stands there instead.
//! Scalars stay the text that stands in the file: an id such as `12e4567` is
//! not a number.

use std::fmt;

use exporter_toolkit::yaml::{Placed, Text};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value and where it stands; an empty one has none.
pub(super) type Node = Placed<Value>;

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// Taken for a number or a truth value: only the source has its spelling.
    Resolved(String),
    List(Vec<Node>),
    Map(Vec<(Text, Node)>),
}

/// What it is, for messages.
pub(super) fn kind(node: &Node) -> &'static str {
    match node.value() {
        None => "nothing",
        Some(Value::Text(_) | Value::Resolved(_)) => "a single value",
        Some(Value::List(_)) => "a list",
        Some(Value::Map(_)) => "a mapping",
    }
}

/// The scalar as it is written in `source`, of which `node` was parsed.
pub(super) fn text<'a>(node: &'a Node, source: &'a str) -> Option<&'a str> {
    match node.value()? {
        Value::Text(text) => Some(text),
        Value::Resolved(text) => Some(node.spelling(source).unwrap_or(text)),
        _ => None,
    }
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
    use exporter_toolkit::yaml::{Place, from_str};
    use proptest::prelude::*;

    /// The texts of a map of scalars.
    fn texts(yaml: &str) -> Vec<String> {
        let root: Node = from_str(yaml).expect("right");
        let Some(Value::Map(entries)) = root.value() else {
            panic!("not a map: {yaml}");
        };
        let text = |(_, node): &(_, Node)| text(node, yaml).expect("a scalar").to_owned();
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
        let root: Node = from_str("\u{e4}: {b: [x, 7]}\n").expect("right");
        let Some(Value::Map(entries)) = root.value() else {
            panic!("not a map");
        };
        let Some(Value::Map(inner)) = entries[0].1.value() else {
            panic!("not a map");
        };
        let place = |place: Option<Place>| place.map(|place| place.to_string());
        assert_eq!(place(inner[0].0.place()).as_deref(), Some("1:5"));
        let Some(Value::List(items)) = inner[0].1.value() else {
            panic!("not a list");
        };
        assert_eq!(place(items[1].place()).as_deref(), Some("1:12"));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            let line = format!("a{level}: &a{level} [{aliases}]\n");
            text.push_str(&line);
        }
        assert!(from_str::<Node>(&text).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ -~\n\u{e4}]{0,60}") {
            let _ = from_str::<Node>(&text);
        }

        #[test]
        fn plain_ids_survive(id in "[0-9a-zA-Z_][0-9a-zA-Z_.+]{0,30}") {
            prop_assume!(!matches!(id.to_lowercase().as_str(), "null"));
            prop_assert_eq!(texts(&format!("a: {id}")), [id]);
        }

        #[test]
        fn messages_hold_nothing_of_the_text(before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            if let Err(problem) = from_str::<Node>(&format!("{before}Zq9secretZq9{after}")) {
                prop_assert!(!problem.to_string().contains("Zq9secretZq9"));
            }
        }
    }
}
