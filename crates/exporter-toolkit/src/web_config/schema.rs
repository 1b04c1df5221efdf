//! The YAML as written.
//!
//! An absent key, an empty value and `null` mean the same, as they do in the
//! Go toolkit. Numbers and truth values are taken as text where text is wanted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{Error, Location, Spanned};

use super::error::Problem;

/// A text and its place.
pub(super) type Text = Spanned<Option<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    pub(super) http_server_config: Option<Http>,
    pub(super) basic_auth_users: Option<BTreeMap<String, Text>>,
    pub(super) rate_limit: Option<RateLimit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) client_ca: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) key_file: Option<Text>,
    pub(super) client_ca_file: Option<Text>,
    pub(super) client_auth_type: Option<Text>,
    pub(super) client_allowed_sans: Option<Spanned<Option<Vec<Text>>>>,
    pub(super) cipher_suites: Option<Vec<Text>>,
    pub(super) curve_preferences: Option<Vec<Text>>,
    pub(super) min_version: Option<Text>,
    pub(super) max_version: Option<Text>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    pub(super) http2: Option<bool>,
    pub(super) headers: Option<BTreeMap<String, Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateLimit {
    pub(super) interval: Option<Text>,
    pub(super) burst: Option<Text>,
}

/// The text of a key that may be absent; empty is as good as absent.
pub(super) fn given(text: Option<&Text>) -> Option<(&str, &Text)> {
    let text = text?;
    let value = text.value.as_deref()?;
    (!value.is_empty()).then_some((value, text))
}

pub(super) fn parse(text: &str) -> Result<File, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
    };
    serde_saphyr::from_str_with_options::<Option<File>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| problem(&error, text))
}

/// Says it without any value of the file.
fn problem(error: &Error, text: &str) -> Problem {
    let problem = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => Problem::new(format_args!(
            "unknown key; known here are {}",
            expected.join(", ")
        ))
        .with_key(shown(field)),
        Error::DuplicateMappingKey { key, .. } => {
            let problem = Problem::new("the key is given twice");
            match key {
                Some(key) => problem.with_key(shown(key)),
                None => problem,
            }
        }
        Error::InvalidScalar { ty, .. } if *ty == "boolean" => {
            Problem::new("expected true or false")
        }
        Error::Unexpected { expected, .. } => Problem::new(match *expected {
            "mapping start" => "expected keys with values",
            "sequence start" => "expected a list",
            "string scalar" => "expected a text",
            _ => "a value of another kind is expected here",
        }),
        Error::SerdeInvalidType { .. } => Problem::new("a value of another kind is expected here"),
        Error::Budget { .. } => Problem::new("the file is too large or too complex"),
        Error::MultipleDocuments { .. } => {
            Problem::new("the file holds more than one YAML document")
        }
        _ => Problem::new("the file is not valid YAML here"),
    };
    let Some(location) = error.location() else {
        return problem;
    };
    let problem = match key_before(text, location) {
        Some(key) if !problem.has_key() => problem.with_key(key),
        _ => problem,
    };
    problem.at(location)
}

/// The key to whose value a place belongs, when both are on one line. Known
/// keys only: anything else might be a value.
fn key_before(text: &str, location: Location) -> Option<&'static str> {
    const KEYS: [&str; 21] = [
        "tls_server_config",
        "http_server_config",
        "basic_auth_users",
        "rate_limit",
        "cert",
        "key",
        "client_ca",
        "cert_file",
        "key_file",
        "client_ca_file",
        "client_auth_type",
        "client_allowed_sans",
        "cipher_suites",
        "curve_preferences",
        "min_version",
        "max_version",
        "prefer_server_cipher_suites",
        "http2",
        "headers",
        "interval",
        "burst",
    ];
    let line = usize::try_from(location.line().checked_sub(1)?).ok()?;
    let column = usize::try_from(location.column().checked_sub(1)?).ok()?;
    let before: String = text.lines().nth(line)?.chars().take(column).collect();
    let before = before.trim_end().strip_suffix(':')?;
    let key = before.rsplit([' ', '{', ',']).next()?;
    KEYS.into_iter().find(|known| *known == key)
}

/// A key for a message, however strange it is.
fn shown(key: &str) -> String {
    const LONGEST: usize = 64;
    key.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
