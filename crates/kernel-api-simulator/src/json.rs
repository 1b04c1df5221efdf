//! Writes JSON straight into a buffer: pages of it, without a tree between.

use super::clock::Micros;
use super::connection::TimeStyle;

/// Writes `text` as a JSON string.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut clean = 0;
    for (position, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean..position]);
        clean = position + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[clean..]);
    out.push('"');
}

/// Writes a point in time in one of the forms that RFC 3339 allows.
pub(crate) fn time(out: &mut String, style: TimeStyle, time: Micros) {
    use std::fmt::Write as _;
    // The range of the library is some ten thousand years on either side.
    let Ok(stamp) = jiff::Timestamp::from_microsecond(time) else {
        out.push_str("null");
        return;
    };
    // Writing to a string does not fail.
    let _ = match style {
        TimeStyle::Seconds => write!(out, "\"{stamp:.0}\""),
        TimeStyle::Millis => write!(out, "\"{stamp:.3}\""),
        TimeStyle::Micros => write!(out, "\"{stamp:.6}\""),
        TimeStyle::Offset => {
            let offset = jiff::tz::Offset::from_seconds(19_800).unwrap_or(jiff::tz::Offset::UTC);
            write!(out, "\"{:.3}\"", stamp.display_with_offset(offset))
        }
    };
}

/// The same as a value, to the millisecond.
pub(crate) fn stamp(time: Micros) -> serde_json::Value {
    let mut text = String::new();
    self::time(&mut text, TimeStyle::Millis, time);
    text.trim_matches('"').into()
}

/// An object being written.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    /// Absent values are written as `null`, not left out.
    nulls: bool,
    style: TimeStyle,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn open(out: &'a mut String, nulls: bool, style: TimeStyle) -> Self {
        out.push('{');
        Self {
            out,
            nulls,
            style,
            empty: true,
        }
    }

    pub(crate) fn close(self) {
        self.out.push('}');
    }

    /// Writes the name; the caller writes the value. Names need no escaping.
    pub(crate) fn name(&mut self, name: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub(crate) fn null(&mut self, name: &str) {
        if self.nulls {
            self.name(name).push_str("null");
        }
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        string(self.name(name), value);
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.null(name),
        }
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name)
            .push_str(if value { "true" } else { "false" });
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        let mut buffer = itoa::Buffer::new();
        self.name(name).push_str(buffer.format(value));
    }

    pub(crate) fn time(&mut self, name: &str, value: Option<Micros>) {
        match value {
            Some(value) => {
                let style = self.style;
                time(self.name(name), style, value);
            }
            None => self.null(name),
        }
    }

    /// Writes a value that is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.name(name).push_str(value),
            None => self.null(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_read_back(text in any::<String>()) {
            let mut out = String::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }

        #[test]
        fn times_read_back_to_what_the_style_can_show(
            time in 0_i64..4_000_000_000_000_000,
        ) {
            for (style, quantum) in [
                (TimeStyle::Seconds, 1_000_000),
                (TimeStyle::Millis, 1_000),
                (TimeStyle::Micros, 1),
                (TimeStyle::Offset, 1_000),
            ] {
                let time = time / quantum * quantum;
                let mut out = String::new();
                super::time(&mut out, style, time);
                let stamp: jiff::Timestamp = out.trim_matches('"').parse().unwrap();
                prop_assert_eq!(stamp.as_microsecond(), time, "{}", out);
            }
        }
    }
}
