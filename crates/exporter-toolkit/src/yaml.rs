//! Strict YAML whose values know their place, and whose errors never repeat
//! one: a password can stand anywhere by mistake.
//!
//! Made for configuration files: a duplicate or unknown key is an error, one
//! document is the whole file, and numbers and truth values keep their spelling
//! where text is wanted. Without structs to fill, [`Placed::spelling`] has it.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, NonFiniteFloatPolicy, Spanned};

/// A place in a file, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl Place {
    fn of(location: Location) -> Option<Self> {
        // A location that is not known reads as line 0.
        (location.line() > 0).then(|| Self {
            line: location.line(),
            column: location.column(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and its place. An absent key, an empty value and `null` are the same.
#[derive(Clone)]
pub struct Placed<T> {
    value: Option<T>,
    place: Option<Place>,
    // Where an alias is spelt.
    defined: Location,
}

/// A text as it is spelled in the file.
pub type Text = Placed<String>;

impl<T> Placed<T> {
    /// The value, if one was given.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Where it stands; nowhere if it is absent.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What stands there in `source`, the text that was read, without quotes.
    pub fn spelling<'a>(&self, source: &'a str) -> Option<&'a str> {
        let span = self.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        let text = source.get(start..start.checked_add(length)?)?;
        Some(text.trim_matches(['"', '\'']).trim()).filter(|text| !text.is_empty())
    }

    /// `what` is wrong with it.
    pub fn problem(&self, key: impl Into<String>, what: impl fmt::Display) -> Problem {
        Problem {
            place: self.place,
            ..Problem::new(what).with_key(key)
        }
    }
}

impl Text {
    /// The text; an empty one is as good as none.
    pub fn text(&self) -> Option<&str> {
        self.value.as_deref().filter(|text| !text.is_empty())
    }
}

impl<T> Default for Placed<T> {
    fn default() -> Self {
        Self {
            value: None,
            place: None,
            defined: Location::UNKNOWN,
        }
    }
}

// Written by hand: the value may be a secret.
impl<T> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Option<T>>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            place: Place::of(spanned.referenced),
            defined: spanned.defined,
        })
    }
}

/// What is wrong, with which key, and where. Displays without the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: Option<Place>,
    key: Option<String>,
    what: String,
}

impl Problem {
    /// A problem of the whole file so far.
    pub fn new(what: impl fmt::Display) -> Self {
        Self {
            place: None,
            key: None,
            what: what.to_string(),
        }
    }

    /// With the key it concerns, as `section.key`.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Where it is, if it is in one place.
    pub fn place(&self) -> Option<Place> {
        self.place
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

/// Reads a whole file; an empty one is the default.
pub fn from_str<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    serde_saphyr::from_str_with_options::<Option<T>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| problem(&error, text))
}

fn problem(error: &Error, text: &str) -> Problem {
    let place = error.location().and_then(Place::of);
    let key = match error {
        Error::SerdeUnknownField { field, .. } => Some(field.as_str()),
        Error::DuplicateMappingKey { key, .. } => key.as_deref(),
        Error::Unexpected { .. } | Error::InvalidScalar { .. } | Error::SerdeInvalidType { .. } => {
            place.and_then(|place| key_before(text, place))
        }
        _ => None,
    };
    Problem {
        place,
        key: key.map(shown),
        what: what(error),
    }
}

fn what(error: &Error) -> String {
    let what = match error {
        Error::SerdeUnknownField { expected, .. } => {
            return format!("unknown key; known here are {}", expected.join(", "));
        }
        // The parser's own words on syntax; they name signs, not values.
        Error::ExternalMessage { .. } | Error::Message { .. } => {
            let text = error.to_string();
            let end = text.rfind(" at line ").unwrap_or(text.len());
            return format!("not valid YAML: {}", text[..end].replace('\n', " "));
        }
        Error::DuplicateMappingKey { .. } => "the key is given twice",
        Error::InvalidScalar { ty, .. } if *ty == "boolean" => "expected true or false",
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "expected keys with values",
            "sequence start" => "expected a list",
            "string scalar" => "expected a text",
            _ => "expected a value of another kind",
        },
        Error::SerdeInvalidType { .. } => "expected a value of another kind",
        Error::MultipleDocuments { .. } => "a second YAML document; only one is allowed",
        Error::UnknownAnchor { .. } => "no such anchor above; quote a text that begins with *",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias that contains itself",
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => "too large, too deep or too many aliases",
        _ => "not valid YAML here",
    };
    what.to_owned()
}

/// The key of a value, if it stands right before it.
fn key_before(text: &str, place: Place) -> Option<&str> {
    let line = text.lines().nth(usize::try_from(place.line - 1).ok()?)?;
    let column = usize::try_from(place.column - 1).ok()?;
    let end = line.char_indices().nth(column)?.0;
    let before = line[..end].trim_end().strip_suffix(':')?;
    let key = before.rsplit([' ', '{', ',']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// A key for a message, however strange it is.
fn shown(key: &str) -> String {
    const LONGEST: usize = 64;
    key.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct File {
        name: Text,
        names: Placed<Vec<Text>>,
    }

    fn read(text: &str) -> Result<File, String> {
        from_str(text).map_err(|error| match error.place() {
            Some(place) => format!("{place}: {error}"),
            None => error.to_string(),
        })
    }

    #[test]
    fn spelling_and_place_are_kept() {
        let file = read("names: [1e5, yes]\nname: 0123\n").expect("right");
        assert_eq!(file.name.text(), Some("0123"));
        let names = file.names.value().expect("given").iter();
        let names: Vec<_> = names.filter_map(Text::text).collect();
        assert_eq!(names, ["1e5", "yes"]);
        let problem = file.name.problem("name", "no");
        assert_eq!(problem.place(), Some(Place { line: 2, column: 7 }));
        assert_eq!(problem.to_string(), "name: no");
        assert!(!format!("{file:?}").contains("0123"));
    }

    #[test]
    fn absent_empty_and_null_are_one() {
        for text in ["", "name:", "name: ''", "name: null", "name: ~"] {
            assert_eq!(read(text).expect("right").name.text(), None, "{text}");
        }
    }

    #[test]
    fn errors_have_a_place_and_no_value() {
        for (text, expected) in [
            ("name: [S3cret]", "1:7: name: expected a text"),
            ("names: S3cret", "1:8: names: expected a list"),
            ("name: a\nname: b", "2:1: name: the key is given twice"),
            (
                "nam: a",
                "1:1: nam: unknown key; known here are name, names",
            ),
            (
                "name: a\n---\nname: b\n",
                "3:1: a second YAML document; only one is allowed",
            ),
        ] {
            assert_eq!(read(text).expect_err(text), expected, "{text}");
        }
    }
}
