//! Logins that were counted for the whole fleet, so that each is once, however
//! many accounts see it.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;

/// Logins that are remembered.
const REMEMBERED: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct CountedFlows(Mutex<(HashSet<u64>, VecDeque<u64>)>);

impl CountedFlows {
    /// Whether this event of this connection was not asked about before.
    pub(super) fn is_new(&self, connection: &str, event: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (connection, event).hash(&mut hasher);
        let mark = hasher.finish();
        let mut known = self.0.lock();
        let (set, order) = &mut *known;
        if !set.insert(mark) {
            return false;
        }
        order.push_back(mark);
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            set.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_login_is_new_once_and_the_memory_is_bounded() {
        let flows = CountedFlows::default();
        assert!(flows.is_new("a", 1) && flows.is_new("b", 1) && !flows.is_new("a", 1));
        for event in 0..100_000 {
            flows.is_new("c", event);
        }
        assert_eq!(flows.0.lock().0.len(), REMEMBERED);
    }
}
