//! A page of a list, and whether the next one follows it without a gap. Pure.

/// A page that was read, and what it says of the list.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) offset: u64,
    pub(super) rows: u64,
    /// The offset that comes next; `None`: this is the last page.
    pub(super) next: Option<u64>,
    /// Which rows it has, where pages overlap.
    pub(super) marks: Vec<Option<u64>>,
}

impl Seen {
    /// The offset that comes next, and whether this page has every row before.
    pub(super) fn next(&self) -> Option<(u64, bool)> {
        let next = self.next?;
        Some((next, next == self.offset + self.rows))
    }

    /// Whether rows may be on neither of two neighbours. Only a page without
    /// gaps can show it, whose last row is known.
    pub(super) fn lost_rows_before(&self, next: &Self) -> bool {
        let (Some((_, true)), Some(Some(last))) = (self.next(), self.marks.last()) else {
            return false;
        };
        !next.marks.contains(&Some(*last))
    }
}
