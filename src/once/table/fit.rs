//! Which columns there is room for, and how wide each is.

use crate::model::vocabulary;

/// Between two columns.
pub(super) const GAP: usize = 2;

vocabulary! {
    /// The columns of the table by their heads, in the order in which they stand.
    Column {
        Status = "STATUS",
        Left = "LEFT",
        Profile = "PROFILE",
        Domain = "DOMAIN",
        Flow = "FLOW",
        Checked = "CHECKED",
        Relogin = "RE-LOGIN",
        Account = "ACCOUNT",
        Project = "PROJECT",
        Connection = "CONNECTION",
    }
}

impl Column {
    /// Those that may be left out, the one that is missed least first.
    const EXPENDABLE: &'static [Self] = &[
        Self::Relogin,
        Self::Checked,
        Self::Project,
        Self::Account,
        Self::Flow,
        Self::Connection,
    ];

    /// How narrow it may become; half an id is of no use, half a name is.
    const fn least(self) -> usize {
        match self {
            Self::Profile | Self::Flow | Self::Relogin => 16,
            Self::Domain => 20,
            Self::Account | Self::Project => 12,
            Self::Status | Self::Left | Self::Checked | Self::Connection => usize::MAX,
        }
    }
}

/// The columns that a terminal of `room` cells shows, of `columns` with the
/// width that each would have; what cannot be cut is left out, or stays too
/// wide where it must be there.
pub(super) fn fit(mut columns: Vec<(Column, usize)>, room: usize) -> Vec<(Column, usize)> {
    let least = |&(column, width): &(Column, usize)| width.min(column.least());
    for expendable in Column::EXPENDABLE {
        if total(columns.iter().map(least)) <= room {
            break;
        }
        columns.retain(|(column, _)| column != expendable);
    }
    // The widest gives first.
    while total(columns.iter().map(|(_, width)| *width)) > room {
        let widest = columns
            .iter_mut()
            .filter(|(column, width)| *width > column.least())
            .max_by_key(|(_, width)| *width);
        let Some((_, width)) = widest else { break };
        *width -= 1;
    }
    columns
}

fn total(widths: impl ExactSizeIterator<Item = usize>) -> usize {
    let gaps = GAP * widths.len().saturating_sub(1);
    widths.sum::<usize>() + gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wide_terminal_shows_all_and_a_narrow_one_what_is_needed_first() {
        let natural = vec![
            (Column::Status, 20),
            (Column::Left, 9),
            (Column::Profile, 18),
            (Column::Domain, 28),
            (Column::Flow, 33),
            (Column::Checked, 15),
            (Column::Relogin, 33),
            (Column::Connection, 24),
        ];
        assert_eq!(fit(natural.clone(), 200), natural);
        let shown = |room| -> Vec<Column> {
            let shown = fit(natural.clone(), room);
            shown.into_iter().map(|(column, _)| column).collect()
        };
        assert_eq!(shown(120).last(), Some(&Column::Connection));
        assert!(!shown(120).contains(&Column::Relogin));
        let few = [
            Column::Status,
            Column::Left,
            Column::Profile,
            Column::Domain,
        ];
        assert_eq!(shown(80), few);
        assert_eq!(shown(0), few);
    }

    proptest! {
        #[test]
        fn from_71_cells_on_it_fits(
            widths in proptest::collection::vec(1_usize..60, 10),
            room in 71_usize..300,
        ) {
            let columns = Column::ALL.iter().copied().zip(widths);
            // What cannot be cut is not wider than this.
            let columns = columns.map(|(column, width)| match column {
                Column::Status => (column, width.min(20)),
                Column::Left => (column, width.min(9)),
                _ => (column, width),
            });
            let fitted = fit(columns.collect(), room);
            prop_assert!(total(fitted.iter().map(|(_, width)| *width)) <= room);
            prop_assert!(fitted.iter().all(|(_, width)| *width > 0));
        }
    }
}
