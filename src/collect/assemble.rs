//! Putting a snapshot together: what is new, what is kept, what has ended.
//! Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use tokio::time::Instant;

use super::gathered::Gathered;
use super::rows::{missing, sort_and_deduplicate};
use crate::model::{Selection, Snapshot};

/// Rows kept from before because their own answer could not be read or had: by
/// escaped id, when they were last seen.
pub(super) type Kept = HashMap<Box<str>, Instant>;

/// What the last collection that brought something left.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) snapshot: Arc<Snapshot>,
    /// When it was taken.
    pub(super) at: Instant,
    pub(super) kept: Kept,
}

/// Takes the connections out of `gathered`, sorted, and adds what is kept from
/// before. The caller knows when the snapshot was taken.
///
/// `unasked`: ids absent from a whole list that nobody has asked for yet; they
/// stay as they are until somebody has. `may_keep` tells whether a row last
/// seen then may still be shown.
pub(super) fn assemble(
    selection: &Selection,
    gathered: &mut Gathered,
    unasked: &HashSet<Box<str>>,
    before: Option<&Held>,
    may_keep: impl Fn(Instant) -> bool,
) -> (Snapshot, Kept) {
    let mut snapshot = Snapshot {
        connections: mem::take(&mut gathered.connections),
        ..Snapshot::default()
    };
    let mut kept = Kept::new();
    let unread = gathered.garbled.iter().chain(&gathered.failed);
    let unread: HashSet<Box<str>> = unread.cloned().collect();
    if let Some(before) = before {
        let mut old = Vec::new();
        for row in missing(&before.snapshot.connections, &snapshot.connections) {
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
                    let asked = before.snapshot.kept_since(row);
                    let asked = asked.unwrap_or(before.snapshot.fetched_at);
                    snapshot.kept.insert(escaped.into(), asked);
                    kept.insert(escaped.into(), seen);
                    old.push(row.clone());
                }
                None if !may_keep(before.at) => {}
                // Nobody has asked, so it is as old as before.
                None => {
                    snapshot
                        .kept
                        .insert(escaped.into(), before.snapshot.fetched_at);
                    old.push(row.clone());
                }
            }
        }
        if !old.is_empty() {
            snapshot.connections.extend(old);
            sort_and_deduplicate(&mut snapshot.connections);
        }
    }
    snapshot.found = found(selection, gathered, &snapshot, &unread, unasked, before);
    if let Selection::Ids(ids) = selection {
        snapshot.unanswered = ids.len() - snapshot.found.len();
    }
    (snapshot, kept)
}

/// For each configured id whether the API knows it, as far as it has said.
fn found(
    selection: &Selection,
    gathered: &Gathered,
    snapshot: &Snapshot,
    unread: &HashSet<Box<str>>,
    unasked: &HashSet<Box<str>>,
    before: Option<&Held>,
) -> BTreeMap<Box<str>, bool> {
    let Selection::Ids(ids) = selection else {
        return BTreeMap::new();
    };
    let here = snapshot.connections.iter().map(|row| row.labels.id());
    let here: HashSet<_> = here.collect();
    let gone: HashSet<&str> = gathered.gone.iter().map(|id| &**id).collect();
    let known = |id: &str| before?.snapshot.found.get(id).copied();
    let state = |id: &str| {
        if gone.contains(id) {
            Some(false)
        } else if unread.contains(id) || unasked.contains(id) {
            known(id)
        } else if here.contains(id) {
            Some(true)
        } else {
            // Absent from the list, and known to be gone from before.
            known(id).filter(|found| !found)
        }
    };
    ids.iter()
        .filter_map(|id| Some((id.clone(), state(id)?)))
        .collect()
}
