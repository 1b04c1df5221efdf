//! What a scraper wants: `Accept` and `Accept-Encoding` (RFC 9110 section
//! 12.5), with the parameters of Prometheus' scrape protocol.
//!
//! A scraper is always answered: what cannot be met, or read, gets plain text
//! 0.0.4, as the protocol asks for.

use crate::model::vocabulary;

/// The longest header that is read, in bytes. Prometheus sends about 350.
const MAX_HEADER_BYTES: usize = 4096;

/// The most alternatives that are read.
const MAX_ALTERNATIVES: usize = 64;

/// A text format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    #[default]
    Text004,
    /// Prometheus text 1.0.0.
    Text100(Escaping),
    /// OpenMetrics 1.0.0.
    OpenMetrics100(Escaping),
}

vocabulary! {
    /// How names outside the classic alphabet are to be escaped. The exporter
    /// has none, so the text is the same for each; the answer must name it.
    #[derive(Default)]
    Escaping {
        /// Not at all.
        AllowUtf8 = "allow-utf-8",
        /// Replaced by underscores: what Prometheus takes for granted where
        /// nothing is said.
        #[default]
        Underscores = "underscores",
        /// Dots become `_dot_`.
        Dots = "dots",
        /// Characters become their numbers.
        Values = "values",
    }
}

impl Escaping {
    fn parse(text: &str) -> Option<Self> {
        // The protocol's document says it without the last hyphen.
        let text = if text == "allow-utf8" {
            "allow-utf-8"
        } else {
            text
        };
        let mut all = Self::ALL.iter().copied();
        all.find(|escaping| escaping.as_str() == text)
    }
}

impl Format {
    /// The value of `Content-Type`: visible ASCII.
    pub(crate) fn content_type(self) -> String {
        let [kind, subtype, version] = self.media();
        let media = format!("{kind}/{subtype}; version={version}; charset=utf-8");
        match self {
            Self::Text004 => media,
            Self::Text100(escaping) | Self::OpenMetrics100(escaping) => {
                format!("{media}; escaping={escaping}")
            }
        }
    }

    /// Type, subtype and version.
    const fn media(self) -> [&'static str; 3] {
        match self {
            Self::Text004 => ["text", "plain", "0.0.4"],
            Self::Text100(_) => ["text", "plain", "1.0.0"],
            Self::OpenMetrics100(_) => ["application", "openmetrics-text", "1.0.0"],
        }
    }

    pub(super) const fn is_open_metrics(self) -> bool {
        matches!(self, Self::OpenMetrics100(_))
    }
}

/// The format for the value of `Accept`: of those that the most specific range
/// gives the highest weight, the one named first.
pub(crate) fn format(accept: Option<&str>) -> Format {
    let ranges: Vec<Range<'_>> = alternatives(accept)
        .filter_map(|(index, text)| Range::parse(index, text))
        .collect();
    // In the order of preference where a scraper leaves the choice.
    let candidates = [|_| Format::Text004, Format::Text100, Format::OpenMetrics100];
    let mut best: Option<(u16, usize, Format)> = None;
    for candidate in candidates {
        let media = candidate(Escaping::default()).media();
        let most_specific = ranges
            .iter()
            .filter_map(|range| Some((range.matches(media)?, range)))
            .max_by_key(|(specificity, range)| (*specificity, range.weight));
        let Some((_, range)) = most_specific else {
            continue;
        };
        let better = best.is_none_or(|(weight, index, _)| {
            range.weight > weight || (range.weight == weight && range.index < index)
        });
        if range.weight > 0 && better {
            let format = candidate(range.escaping.unwrap_or_default());
            best = Some((range.weight, range.index, format));
        }
    }
    best.map_or(Format::default(), |(_, _, format)| format)
}

/// Whether to compress the answer to this `Accept-Encoding`: only for who asks
/// for it and does not like plain text better; a scraper that refuses both gets
/// it plain.
pub(crate) fn gzip(accept_encoding: Option<&str>) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for (_, text) in alternatives(accept_encoding) {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let Some(weight) = weight_among(parts) else {
            continue;
        };
        let slot = if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            &mut gzip
        } else if name.eq_ignore_ascii_case("identity") {
            &mut identity
        } else if name == "*" {
            &mut any
        } else {
            continue;
        };
        *slot = (*slot).max(Some(weight));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The members of a header's list, numbered; none of one that is too long.
fn alternatives(header: Option<&str>) -> impl Iterator<Item = (usize, &str)> {
    header
        .filter(|header| header.len() <= MAX_HEADER_BYTES)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .enumerate()
        .take(MAX_ALTERNATIVES)
}

/// What a scraper can read.
struct Range<'a> {
    index: usize,
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    escaping: Option<Escaping>,
    /// Thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    /// `None` for what is no media range or has no readable weight.
    fn parse(index: usize, text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = weight_among(parts.clone())?;
        let mut range = Self {
            index,
            kind,
            subtype,
            version: None,
            escaping: None,
            weight,
        };
        for (name, value) in parts.filter_map(parameter) {
            if name.eq_ignore_ascii_case("version") {
                range.version = Some(value);
            } else if name.eq_ignore_ascii_case("escaping") {
                range.escaping = Escaping::parse(value);
            }
        }
        Some(range)
    }

    /// How closely it names the media; `None` where it does not.
    fn matches(&self, [kind, subtype, version]: [&str; 3]) -> Option<u8> {
        if self.kind == "*" {
            return (self.subtype == "*").then_some(0);
        }
        if !self.kind.eq_ignore_ascii_case(kind) {
            return None;
        }
        if self.subtype == "*" {
            return Some(1);
        }
        if !self.subtype.eq_ignore_ascii_case(subtype) {
            return None;
        }
        match self.version {
            None => Some(2),
            Some(named) => (named == version).then_some(3),
        }
    }
}

fn parameter(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim(), value.trim().trim_matches('"')))
}

/// The weight among parameters in thousandths, 1000 where there is none;
/// `None` where it cannot be read.
fn weight_among<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let found = parameters
        .filter_map(parameter)
        .find(|(name, _)| name.eq_ignore_ascii_case("q"));
    match found {
        None => Some(1000),
        Some((_, text)) => weight(text),
    }
}

/// RFC 9110 section 12.4.2: `0` to `1` with at most three decimals.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
