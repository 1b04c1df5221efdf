//! Connections that went missing from a whole list: which of them to ask for
//! by id, and which have their turn later. Pure.

use std::collections::HashSet;

use super::assemble::Held;
use super::gathered::Gathered;
use super::rows;
use crate::kernel::Error;
use crate::model::Selection;

/// Connections asked for by id, per collection and scope, because a whole list
/// does not have them any more.
pub(super) const PER_COLLECTION: usize = 25;

/// What is missing, in the order in which to ask.
pub(super) struct Missing {
    /// To be asked for now.
    pub(super) now: Vec<Box<str>>,
    /// Not before the next collection: they stay as they are until then.
    pub(super) later: HashSet<Box<str>>,
    /// Absent from two whole lists in a row, and too many to be asked for: gone.
    pub(super) gone: HashSet<Box<str>>,
    /// Where to go on the next time.
    pub(super) cursor: usize,
}

impl Missing {
    /// What `gathered`, sorted, lacks of what was there `before`, or of what
    /// the configuration names. It goes around from `cursor` on, so that those
    /// that the list forgets again and again do not keep the others from their
    /// turn. `absent`: what the whole list before lacked and nobody asked for.
    pub(super) fn from(
        selection: &Selection,
        gathered: &Gathered,
        before: Option<&Held>,
        absent: &HashSet<Box<str>>,
        cursor: usize,
    ) -> Self {
        let mut all = if gathered.listed {
            names(selection, gathered, before)
        } else {
            Vec::new()
        };
        let start = cursor.checked_rem(all.len()).unwrap_or(0);
        all.rotate_left(start);
        let rest = all.split_off(all.len().min(PER_COLLECTION));
        let (gone, later) = rest.into_iter().partition(|id| absent.contains(id));
        Self {
            cursor: start + all.len(),
            now: all,
            later,
            gone,
        }
    }

    /// Where no more of those that were asked for are gone than are there, those
    /// lists were cut short: what they lacked could not be read, for which `fail`
    /// is the reason. Those that have their turn later are lacked too, unless they
    /// stay until then: `keeps` says so.
    pub(super) fn judge(&self, gathered: &mut Gathered, keeps: bool, fail: impl FnOnce() -> Error) {
        let asked = |id: &str| self.now.iter().any(|other| **other == *id);
        let gone = gathered.gone.iter().filter(|id| asked(id)).count();
        let there = gathered.connections.iter();
        let there = there.filter(|row| asked(&row.labels.id())).count();
        let later = self.later.iter().filter(|_| !keeps);
        let lacked: Vec<_> = self.gone.iter().chain(later).cloned().collect();
        if !lacked.is_empty() && gone <= there {
            gathered.failed.extend(lacked);
            gathered.failure.get_or_insert_with(fail);
        }
    }

    /// What this list did not have and nobody has asked for.
    pub(super) fn absent(&self) -> HashSet<Box<str>> {
        self.later.union(&self.gone).cloned().collect()
    }
}

fn names(selection: &Selection, gathered: &Gathered, before: Option<&Held>) -> Vec<Box<str>> {
    match selection {
        Selection::Every { .. } => before
            .iter()
            .flat_map(|before| rows::missing(&before.snapshot.connections, &gathered.connections))
            .map(|row| row.labels.id())
            .map(Box::from)
            .collect(),
        Selection::Ids(ids) => {
            let here: HashSet<_> = gathered
                .connections
                .iter()
                .map(|row| row.labels.id())
                .collect();
            let gone = |id: &str| {
                let known = before.and_then(|before| before.snapshot.found.get(id));
                known == Some(&false)
            };
            ids.iter()
                .filter(|id| !here.contains(&***id) && !gone(id))
                .cloned()
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Selection {
        Selection::ids((0..count).map(|id| format!("{id:03}").into()).collect())
    }

    #[test]
    fn everybody_has_a_turn() {
        let selection = ids(60);
        let gathered = Gathered {
            listed: true,
            ..Gathered::default()
        };
        let mut cursor = 0;
        let mut asked = HashSet::new();
        for _ in 0..3 {
            let missing = Missing::from(&selection, &gathered, None, &HashSet::new(), cursor);
            assert_eq!(missing.now.len() + missing.later.len(), 60);
            assert_eq!(missing.now.len(), PER_COLLECTION);
            asked.extend(missing.now);
            cursor = missing.cursor;
        }
        assert_eq!(asked.len(), 60);
    }

    #[test]
    fn who_is_absent_twice_and_has_no_turn_is_gone() {
        let gathered = Gathered {
            listed: true,
            ..Gathered::default()
        };
        let first = Missing::from(&ids(60), &gathered, None, &HashSet::new(), 0);
        assert!(first.gone.is_empty());
        let absent = first.absent();
        let second = Missing::from(&ids(60), &gathered, None, &absent, first.cursor);
        // Twenty-five have been asked for, the next have their turn now.
        assert_eq!((second.now.len(), second.gone.len()), (25, 10));
        assert_eq!(second.later.len(), 25, "known of a moment ago");
        assert!(second.gone.is_subset(&absent));
    }

    #[test]
    fn without_a_whole_list_nothing_is_missing() {
        let missing = Missing::from(&ids(3), &Gathered::default(), None, &HashSet::new(), 7);
        assert!(missing.now.is_empty() && missing.later.is_empty());
    }
}
