//! The log: one line per event to stderr, logfmt or JSON, the same keys in
//! both: `ts`, `level`, `msg`, then the event's own fields.

mod capture;

pub(crate) use capture::capture;

use std::fmt::{self, Write as _};
use std::io;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Starts logging, once per process; later calls change nothing.
///
/// Our own events from the level that was asked for. Of the libraries warnings
/// at most: their debug output shows requests, and with them the key.
pub(crate) fn init(log: &Log) {
    let targets = Targets::new()
        .with_default(log.level.min(LevelFilter::WARN))
        .with_target("exporter_toolkit", log.level)
        // It warns for each frame that a stranger sends against the rules.
        .with_target("h2", log.level.min(LevelFilter::ERROR))
        .with_target("kernel_api_simulator", log.level)
        .with_target("kernel_auth_exporter", log.level);
    let layer = tracing_subscriber::fmt::layer()
        .event_format(Line(log.format))
        .with_writer(io::stderr)
        .with_filter(targets);
    // A test harness may have started logging already.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// One event as one line.
struct Line(LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        write_line(
            self.0,
            jiff::Timestamp::now(),
            *event.metadata().level(),
            &fields,
            writer,
        )
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    /// In the order in which the code names them.
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.others.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, Value::from(text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.put(field, Value::from(value));
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

fn write_line(
    format: LogFormat,
    time: jiff::Timestamp,
    level: Level,
    fields: &Fields,
    mut out: impl fmt::Write,
) -> fmt::Result {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    };
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
        if is_steering(c) {
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

fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !is_steering(c) && !matches!(c, '"' | '=' | '\\'))
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
        let mut out = String::new();
        write_line(format, time, Level::INFO, &fields, &mut out).unwrap();
        out
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
                prop_assert!(!line.contains(is_steering), "{:?}", line);
                if format == LogFormat::Json {
                    let value: Value = serde_json::from_str(line).unwrap();
                    prop_assert_eq!(&value["msg"], text.as_str());
                    prop_assert_eq!(&value["field"], text.as_str());
                }
            }
        }
    }
}
