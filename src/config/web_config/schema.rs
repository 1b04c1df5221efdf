//! The YAML as written.
//!
//! An absent key, an empty value and `null` mean the same, as they do in the
//! Go toolkit. Numbers and truth values are taken as text where text is wanted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::{Error, Spanned};

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
        .map_err(|error| problem(&error))
}

/// Says it without any value of the file.
fn problem(error: &Error) -> Problem {
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
        Error::SerdeInvalidType { expected, .. } => Problem::new(format_args!(
            "expected {}",
            match expected.as_str() {
                "struct File" | "struct Tls" | "struct Http" | "struct RateLimit" | "a map" =>
                    "keys and values",
                "a sequence" => "a list",
                "a string" => "a text",
                other => other,
            }
        )),
        Error::InvalidScalar { ty, .. } => Problem::new(format_args!(
            "expected {}",
            if *ty == "bool" { "true or false" } else { ty }
        )),
        Error::Budget { .. } => Problem::new("the file is too large or too complex"),
        Error::MultipleDocuments { .. } => {
            Problem::new("the file holds more than one YAML document")
        }
        Error::Unexpected { .. } => Problem::new("a value of another kind is expected here"),
        _ => Problem::new("the file is not valid YAML here"),
    };
    match error.location() {
        Some(location) => problem.at(location),
        None => problem,
    }
}

/// A key for a message, however strange it is.
fn shown(key: &str) -> String {
    const LONGEST: usize = 64;
    key.chars()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
