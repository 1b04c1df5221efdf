//! What is scraped, sample by sample. Whether it is well written is for the
//! strict reader beside the tests of the exposition.

use std::collections::BTreeMap;

/// Metrics text.
pub(crate) struct Metrics {
    pub(crate) text: String,
}

impl Metrics {
    pub(crate) fn new(text: String) -> Self {
        Self { text }
    }

    /// Series and values, as written and in their order.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.rsplit_once(' ').expect("a sample has a value"))
    }

    /// Labels, as they stand between the braces, and values of this name's samples.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.samples().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            let labels = match labels.strip_prefix('{') {
                Some(labels) => labels.strip_suffix('}').expect("the end of the labels"),
                None if labels.is_empty() => labels,
                None => return None,
            };
            Some((labels, value.parse().expect("a number")))
        })
    }

    /// Whether this name has any sample.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }

    /// The value of the series that is written exactly so.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let mut found = self.samples().filter(|(written, _)| *written == series);
        let value = found.next()?.1.parse().expect("a number");
        assert_eq!(found.next(), None, "{series} is there twice");
        Some(value)
    }
}

/// Labels by name; values with a `"` in them are not for here.
pub(crate) fn labels(written: &str) -> BTreeMap<&str, &str> {
    let pairs = written.strip_suffix('"').unwrap_or(written).split("\",");
    pairs.filter_map(|pair| pair.split_once("=\"")).collect()
}
