//! Lines that others could make many of.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;

/// Lets one line of each kind through, then none for a minute. A kind is a place
/// in the code.
#[derive(Default)]
pub(super) struct Seldom {
    kinds: Mutex<HashMap<Identifier, Told>>,
}

struct Told {
    at: Instant,
    /// Not let through since.
    left_out: u64,
}

const PAUSE: Duration = Duration::from_mins(1);

impl Seldom {
    /// Whether a line of this kind may be written now, and how many were not
    /// since the last one.
    pub(super) fn may(&self, kind: Identifier, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Told {
            at: now,
            left_out: 0,
        };
        let Some(told) = kinds.get_mut(&kind) else {
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
        let kinds = [
            tracing::callsite!(name: "one", kind: tracing::metadata::Kind::EVENT, fields:),
            tracing::callsite!(name: "other", kind: tracing::metadata::Kind::EVENT, fields:),
        ];
        let [one, other] = kinds.map(tracing::callsite::Callsite::metadata);
        let [one, other] = [one.callsite(), other.callsite()];
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.may(one.clone(), at(0)), Some(0));
        assert_eq!(seldom.may(one.clone(), at(59)), None);
        assert_eq!(seldom.may(other, at(59)), Some(0));
        assert_eq!(seldom.may(one.clone(), at(59)), None);
        assert_eq!(seldom.may(one.clone(), at(60)), Some(2));
        assert_eq!(seldom.may(one, at(119)), None);
    }
}
