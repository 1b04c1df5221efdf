//! Lists of rows, by their escaped id. Pure.

use crate::model::Connection;

/// So many pages of a list in a row that have the same rows again are its end:
/// whatever the headers say, the next one will be like them.
pub(super) const FRUITLESS: u64 = 3;

/// Sorts by id; where an id comes twice, the later row wins.
pub(super) fn sort_and_deduplicate(connections: &mut Vec<Connection>) {
    // Stable, so that equal ids stay in the order of arrival.
    connections.sort_by(|a, b| a.labels.escaped_id().cmp(b.labels.escaped_id()));
    // Of equal neighbours the later one takes the earlier one's place.
    connections.dedup_by(|later, earlier| {
        let same = later.labels.escaped_id() == earlier.labels.escaped_id();
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
}

/// The connections of `before` that the sorted `connections` do not have, in
/// order.
pub(super) fn missing<'a>(
    before: &'a [Connection],
    connections: &'a [Connection],
) -> impl Iterator<Item = &'a Connection> {
    let mut rest = connections;
    before.iter().filter(move |old| {
        let id = old.labels.escaped_id();
        // The two hardly differ, so the next one is nearly always the one.
        while let [new, behind @ ..] = rest
            && new.labels.escaped_id() < id
        {
            rest = behind;
        }
        rest.first().is_none_or(|new| new.labels.escaped_id() != id)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::AuthStatus;
    use crate::tests::common::rows::listed;

    fn row(id: &str, status: &str) -> Connection {
        let body =
            format!(r#"[{{"id":"{id}","domain":"d","profile_name":"p","status":"{status}"}}]"#);
        listed(&body).remove(0)
    }

    fn ids(connections: &[Connection]) -> Vec<String> {
        connections
            .iter()
            .map(|row| row.labels.id().into_owned())
            .collect()
    }

    #[test]
    fn the_later_of_two_rows_wins() {
        let mut rows = vec![
            row("b", "AUTHENTICATED"),
            row("a", "AUTHENTICATED"),
            row("b", "NEEDS_AUTH"),
            row("b", "AUTHENTICATED"),
            row("a", "NEEDS_AUTH"),
        ];
        sort_and_deduplicate(&mut rows);
        assert_eq!(ids(&rows), ["a", "b"]);
        assert_eq!(rows[0].status, AuthStatus::NeedsAuth);
        assert_eq!(rows[1].status, AuthStatus::Authenticated);
    }

    proptest! {
        #[test]
        fn missing_is_the_difference_of_the_sets(
            before in proptest::collection::btree_set("[a-e]{1,2}", 0..12),
            after in proptest::collection::btree_set("[a-e]{1,2}", 0..12)
        ) {
            let rows = |ids: &std::collections::BTreeSet<String>| {
                ids.iter().map(|id| row(id, "NEEDS_AUTH")).collect::<Vec<_>>()
            };
            let (old, new) = (rows(&before), rows(&after));
            let missing: Vec<_> =
                missing(&old, &new).map(|row| row.labels.id().into_owned()).collect();
            let expected: Vec<_> = before.difference(&after).cloned().collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
