//! An event as one line: logfmt or JSON, the same keys in both.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::Level;
use tracing::field::{Field, Visit};

use crate::config::LogFormat;
use crate::model::steers;
use crate::redact;

#[derive(Default, Hash)]
pub(super) struct Fields {
    pub(super) message: String,
    /// In the order in which the code names them.
    pub(super) others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    /// Whatever is text, and so whatever can come from outside, passes here.
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = redact::logged(value);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, Value::from(text));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }
}

pub(super) fn write(
    format: LogFormat,
    time: jiff::Timestamp,
    level: Level,
    fields: &Fields,
) -> String {
    let mut out = String::new();
    write_to(&mut out, format, time, level, fields).expect("a String takes any text");
    out
}

fn write_to(
    out: &mut String,
    format: LogFormat,
    time: jiff::Timestamp,
    level: Level,
    fields: &Fields,
) -> fmt::Result {
    let level = level.as_str().to_ascii_lowercase();
    match format {
        LogFormat::Logfmt => {
            write!(
                out,
                "ts={time:.3} level={level} msg={}",
                quoted(&fields.message)
            )?;
            for (name, value) in &fields.others {
                match value {
                    Value::String(text) if is_bare(text) => write!(out, " {name}={text}")?,
                    Value::String(text) => write!(out, " {name}={}", quoted(text))?,
                    other => write!(out, " {name}={other}")?,
                }
            }
            writeln!(out)
        }
        LogFormat::Json => {
            let start = format!("{time:.3}");
            write!(out, "{{\"ts\":{},\"level\":\"{level}\"", quoted(&start))?;
            write!(out, ",\"msg\":{}", quoted(&fields.message))?;
            for (name, value) in &fields.others {
                match value {
                    Value::String(text) => write!(out, ",{}:{}", quoted(name), quoted(text))?,
                    other => write!(out, ",{}:{other}", quoted(name))?,
                }
            }
            writeln!(out, "}}")
        }
    }
}

/// As a JSON string, which is how logfmt quotes too: no line break survives.
/// Signs that steer a terminal or turn the writing direction are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        if steers(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(quoted, "\\u{unit:04x}").expect("a String takes any text");
            }
        } else {
            quoted.push(c);
        }
    }
    quoted
}

fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !steers(c) && !matches!(c, '"' | '=' | '\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(format: LogFormat, message: &str, others: &[(&'static str, Value)]) -> String {
        let fields = Fields {
            message: message.to_owned(),
            others: others.to_vec(),
        };
        let time = "2026-11-22T10:00:00.1239Z".parse().unwrap();
        write(format, time, Level::INFO, &fields)
    }

    #[test]
    fn both_formats_have_the_same_keys() {
        let fields = [
            ("address", Value::from("http://127.0.0.1:10077")),
            ("count", Value::from(3)),
            ("error", Value::from("it \"broke\"\nbadly")),
        ];
        assert_eq!(
            line(LogFormat::Logfmt, "listening", &fields),
            "ts=2026-11-22T10:00:00.123Z level=info msg=\"listening\" \
             address=http://127.0.0.1:10077 count=3 error=\"it \\\"broke\\\"\\nbadly\"\n"
        );
        assert_eq!(
            line(LogFormat::Json, "listening", &fields),
            "{\"ts\":\"2026-11-22T10:00:00.123Z\",\"level\":\"info\",\"msg\":\"listening\",\
             \"address\":\"http://127.0.0.1:10077\",\"count\":3,\
             \"error\":\"it \\\"broke\\\"\\nbadly\"}\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_that_reads_back(
            text in "([ -~]|[\u{0}-\u{1f}\u{7f}-\u{9f}]|[\u{202e}\u{2028}\u{feff}\u{1f600}=\"\\\\]){0,20}",
        ) {
            let fields = [("field", Value::from(text.as_str()))];
            for format in [LogFormat::Logfmt, LogFormat::Json] {
                let line = line(format, &text, &fields);
                prop_assert!(line.ends_with('\n'));
                let line = line.trim_end_matches('\n');
                prop_assert!(!line.contains(steers), "{:?}", line);
                if format == LogFormat::Json {
                    let value: Value = serde_json::from_str(line).unwrap();
                    prop_assert_eq!(&value["msg"], text.as_str());
                    prop_assert_eq!(&value["field"], text.as_str());
                }
            }
        }
    }
}
