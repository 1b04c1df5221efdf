//! Headers that an operator may add to every response.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use crate::yaml::{Problem, Text};

/// The allow-list of exporter-toolkit, with the values where they are few.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

pub(super) fn parse(
    written: BTreeMap<String, Text>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
    let mut headers = Vec::with_capacity(written.len());
    for (name, text) in written {
        let problem = |what: String| text.problem("http_server_config.headers", what);
        let Some((name, values)) = ALLOWED.iter().find(|(allowed, _)| *allowed == name) else {
            let names: Vec<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
            return Err(problem(format!(
                "this header cannot be configured; those that can are {}",
                names.join(", ")
            )));
        };
        let value = text.text().unwrap_or_default();
        if !values.is_empty() && !values.contains(&value) {
            return Err(problem(format!(
                "invalid value for {name}; expected {}",
                values.join(" or ")
            )));
        }
        // "Unset if blank", as the toolkit documents.
        if value.is_empty() {
            continue;
        }
        let value = HeaderValue::from_str(value).map_err(|_| {
            problem(format!(
                "the value of {name} has characters that a header cannot carry"
            ))
        })?;
        // The names of the allow-list are lower-cased by this, as HTTP/2 wants.
        let name = HeaderName::from_bytes(name.as_bytes())
            .expect("every name of the allow-list is a valid header name");
        headers.push((name, value));
    }
    Ok(headers)
}
