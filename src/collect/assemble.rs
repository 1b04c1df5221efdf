//! Putting a snapshot together: what is new, what is kept, what has ended.
//! Pure.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::gather::Gathered;
use crate::model::{Connection, Found, Selection, Snapshot};

/// Rows kept from before because their own answer could not be read or had: by
/// escaped id, when they were last seen.
pub(super) type Kept = HashMap<Box<str>, Instant>;

/// A snapshot in the making.
#[derive(Debug)]
pub(super) struct Assembled {
    /// Sorted by escaped id, each once.
    pub(super) connections: Vec<Connection>,
    pub(super) found: Vec<Found>,
    pub(super) kept: Kept,
}

/// What the last collection left, while it may still be shown.
pub(super) struct Before<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// When it was taken.
    pub(super) at: Instant,
    pub(super) kept: &'a Kept,
}

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

/// Merges `gathered` (sorted) with what is kept from before.
///
/// `unasked`: ids absent from a whole list that nobody has asked for yet; they
/// stay as they are until somebody has. `may_keep` tells whether a row last
/// seen then may still be shown.
pub(super) fn assemble(
    selection: &Selection,
    gathered: &mut Gathered,
    unasked: &HashSet<Box<str>>,
    before: Option<&Before<'_>>,
    may_keep: impl Fn(Instant) -> bool,
) -> Assembled {
    let mut connections = std::mem::take(&mut gathered.connections);
    let mut kept = Kept::new();
    let unread: HashSet<&str> = gathered
        .malformed
        .iter()
        .flatten()
        .chain(&gathered.failed)
        .map(|id| &**id)
        .collect();
    if let Some(before) = before {
        let fresh = connections.len();
        let mut old = Vec::new();
        for row in missing(&before.snapshot.connections, &connections) {
            let id = row.labels.id();
            let escaped = row.labels.escaped_id();
            // A row that was kept before stays so until somebody has seen it.
            let seen = match before.kept.get(escaped) {
                Some(seen) => Some(*seen),
                None => unread.contains(&*id).then_some(before.at),
            };
            match seen {
                _ if !unread.contains(&*id) && !unasked.contains(&*id) => {}
                Some(seen) if !may_keep(seen) => {}
                Some(seen) => {
                    kept.insert(escaped.into(), seen);
                    old.push(row.clone());
                }
                None => old.push(row.clone()),
            }
        }
        connections.extend(old);
        if connections.len() > fresh {
            sort_and_deduplicate(&mut connections);
        }
    }
    let found = found(selection, gathered, &connections, &unread, unasked, before);
    Assembled {
        connections,
        found,
        kept,
    }
}

/// For each configured id whether the API knows it, as far as it has said.
fn found(
    selection: &Selection,
    gathered: &Gathered,
    connections: &[Connection],
    unread: &HashSet<&str>,
    unasked: &HashSet<Box<str>>,
    before: Option<&Before<'_>>,
) -> Vec<Found> {
    let Selection::Ids(ids) = selection else {
        return Vec::new();
    };
    let here: HashSet<_> = connections.iter().map(|row| row.labels.id()).collect();
    let gone: HashSet<&str> = gathered.gone.iter().map(|id| &**id).collect();
    let known: HashMap<&str, bool> = before
        .iter()
        .flat_map(|before| &before.snapshot.found)
        .map(|entry| (&*entry.id, entry.found))
        .collect();
    let state = |id: &str| {
        if gone.contains(id) {
            Some(false)
        } else if unread.contains(id) || unasked.contains(id) {
            known.get(id).copied()
        } else if here.contains(id) {
            Some(true)
        } else {
            // Absent from the list, and known to be gone from before.
            known.get(id).copied().filter(|found| !found)
        }
    };
    ids.iter()
        .filter_map(|id| {
            Some(Found {
                id: id.clone(),
                found: state(id)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::Decoder;
    use crate::model::{AuthStatus, ProfileNameMode, Scope};

    fn row(id: &str, status: &str) -> Connection {
        let body =
            format!(r#"[{{"id":"{id}","domain":"d","profile_name":"p","status":"{status}"}}]"#);
        let (scope, selection) = (Scope::default(), Selection::default());
        Decoder {
            scope: &scope,
            profile_names: ProfileNameMode::Keep,
            selection: &selection,
        }
        .list(body.as_bytes())
        .unwrap()
        .connections
        .remove(0)
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
