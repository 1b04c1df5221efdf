//! Lines that others could make many of.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lets one line of each kind through, then none for a minute. What a kind is,
/// says the caller.
#[derive(Default)]
pub(super) struct Seldom {
    kinds: Mutex<HashMap<u64, Told>>,
}

struct Told {
    at: Instant,
    /// Not let through since.
    left_out: u64,
}

const PAUSE: Duration = Duration::from_mins(1);

/// Kinds that are remembered; beyond, all are forgotten.
const KINDS: usize = 4096;

impl Seldom {
    /// Whether a line of this kind may be written now, and how many were not
    /// since the last one.
    pub(super) fn may(&self, kind: u64, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let new = Told {
            at: now,
            left_out: 0,
        };
        let Some(told) = kinds.get_mut(&kind) else {
            if kinds.len() >= KINDS {
                kinds.clear();
            }
            kinds.insert(kind, new);
            return Some(0);
        };
        if now.saturating_duration_since(told.at) < PAUSE {
            told.left_out += 1;
            return None;
        }
        let left_out = told.left_out;
        *told = new;
        Some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_of_each_kind() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.may(1, at(0)), Some(0));
        assert_eq!(seldom.may(1, at(59)), None);
        assert_eq!(seldom.may(2, at(59)), Some(0));
        assert_eq!(seldom.may(1, at(59)), None);
        assert_eq!(seldom.may(1, at(60)), Some(2));
        assert_eq!(seldom.may(1, at(119)), None);
        for kind in 0..=2 * KINDS as u64 {
            seldom.may(kind, at(119));
        }
        assert!(seldom.kinds.lock().len() <= KINDS);
    }
}
