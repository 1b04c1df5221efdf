//! Values that this build does not know.

use std::collections::BTreeMap;

use crate::model::Field;

/// The longest one that is kept for the log, bytes.
const LONGEST: usize = 64;

/// Different values that are kept; of more, only the fields are told apart.
const VALUES: usize = 1024;

/// Values that this build does not know, and how often each came. Bounded,
/// whatever an API may send.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unknowns(BTreeMap<(Field, Box<str>), u64>);

impl Unknowns {
    pub(super) fn note(&mut self, field: Field, value: &str) {
        let value = value[..value.floor_char_boundary(LONGEST)].into();
        self.count((field, value), 1);
    }

    /// Adds those of another answer.
    pub(crate) fn add(&mut self, other: Self) {
        let others = other.0.into_iter();
        others.for_each(|(value, times)| self.count(value, times));
    }

    fn count(&mut self, mut value: (Field, Box<str>), times: u64) {
        if self.0.len() >= VALUES && !self.0.contains_key(&value) {
            value.1 = Box::default();
        }
        *self.0.entry(value).or_default() += times;
    }

    /// Each field and value, the latter bounded, and how often it came; the value
    /// is empty where there were too many.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Field, &str, u64)> {
        let all = self.0.iter();
        all.map(|((field, value), times)| (*field, &**value, *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_values_are_kept_and_all_are_counted() {
        let mut unknown = Unknowns::default();
        for number in 0..3 * VALUES {
            unknown.note(Field::Status, &format!("{number}{}", "x".repeat(100)));
            unknown.note(Field::Status, "SAME");
        }
        assert!(unknown.iter().all(|(_, value, _)| value.len() <= LONGEST));
        let same = unknown.iter().find(|(_, value, _)| *value == "SAME");
        assert_eq!(same, Some((Field::Status, "SAME", 3 * VALUES as u64)));
        let mut all = Unknowns::default();
        all.note(Field::Date, "now");
        all.add(unknown);
        assert!(all.iter().count() <= VALUES + 2);
        let times = all.iter().map(|(.., times)| times);
        assert_eq!(times.sum::<u64>(), 6 * VALUES as u64 + 1);
    }
}
