//! What must hold of any bytes that come from outside. The fuzz targets in
//! `fuzz/` try it on bytes that they make up, the test below on those that are
//! kept there.

use std::path::Path;
use std::sync::Arc;

use exporter_toolkit::web_config::WebConfig;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{self, Flags};
use crate::exposition::{Format, Options, Own, negotiate, render};
use crate::kernel::{self, Decoder, Timeline};
use crate::model::{
    AccountView, Fleet, ProfileNameMode, Scope, ScopeView, Selection, Snapshot, Timestamp,
};
use crate::web;

type Target = fn(&[u8]);

/// Each by its name, as in `fuzz/fuzz_targets` and `fuzz/corpus`.
pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("accept", accept),
    ("config", config),
    ("headers", headers),
    ("list", list),
    ("query", query),
    ("timeline", timeline),
    ("web_config", web_config),
];

/// A page of connections, or one connection: what is read can be written.
fn list(body: &[u8]) {
    let (scope, selection) = (Scope::default(), Selection::default());
    let decoder = Decoder {
        scope: &scope,
        profile_names: ProfileNameMode::Keep,
        selection: &selection,
        marks: true,
    };
    for listing in [decoder.list(body), decoder.one(body)]
        .into_iter()
        .flatten()
    {
        assert!(listing.connections.len() + listing.malformed.len() <= listing.rows.max(1));
        let snapshot = Snapshot {
            connections: listing.connections,
            ..Snapshot::default()
        };
        let fleet = Arc::new(Fleet {
            accounts: vec![AccountView::default()],
            scopes: vec![ScopeView {
                scope: Arc::default(),
                project_name: None,
                failure: None,
                snapshot: Some(Arc::new(snapshot)),
            }],
        });
        for accept in [None, Some("application/openmetrics-text;version=1.0.0")] {
            let options = Options {
                format: negotiate::format(accept),
                ..Options::default()
            };
            let text = render(
                &fleet,
                &Own::default(),
                Timestamp::from_micros(60_000_000),
                options,
            );
            let text = String::from_utf8(text).expect("labels are text");
            // A line that begins otherwise has broken out of a label.
            let is_sound = |line: &str| line.starts_with("kernel_auth_") || line.starts_with("# ");
            assert!(text.lines().all(is_sound), "{text}");
        }
    }
}

fn timeline(body: &[u8]) {
    if let Ok(read) = Timeline::read(body) {
        assert!(read.events.len() + read.malformed <= body.len());
    }
}

/// The config file: a mistake is one line.
fn config(text: &[u8]) {
    in_file(text, |path| {
        let mut flags = Flags::default();
        flags.add("config.file", [path.into()]);
        let env = |name: &str| (name == "KERNEL_API_KEY").then(|| "sk_fuzz".into());
        match config::load(&flags, &env) {
            Ok(config) => is_a_line(&config.summary()),
            Err(error) => is_a_line(&error.to_string()),
        }
    });
}

/// The same of the web configuration.
fn web_config(text: &[u8]) {
    in_file(text, |path| {
        if let Err(error) = WebConfig::load(path) {
            is_a_line(&error.to_string());
        }
    });
}

fn in_file(text: &[u8], read: impl FnOnce(&Path)) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    read(file.path());
}

fn is_a_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// `Accept` and `Accept-Encoding`.
fn accept(value: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let text = value.to_str().ok();
    let kind = negotiate::format(text).content_type();
    assert!(text.is_some() || kind == Format::default().content_type());
    HeaderValue::try_from(kind).expect("visible ASCII");
    negotiate::gzip(text);
}

/// The query strings of pages and probes.
fn query(text: &[u8]) {
    if let Ok(text) = str::from_utf8(text) {
        web::fuzz(text);
    }
}

/// Lines of `name: value`, as an answer of the API has them.
fn headers(text: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    kernel::fuzz(&headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_holds() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        for (name, target) in TARGETS {
            assert!(kept.join(format!("fuzz_targets/{name}.rs")).exists());
            let inputs = std::fs::read_dir(kept.join("corpus").join(name)).unwrap();
            let mut tried = 0;
            for input in inputs {
                let input = std::fs::read(input.unwrap().path()).unwrap();
                // As it is, and cut off anywhere.
                for end in 0..=input.len() {
                    target(&input[..end]);
                }
                tried += 1;
            }
            assert!(tried > 0, "{name}");
        }
    }
}
