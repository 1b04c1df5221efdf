//! Log lines that strangers could make many of.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lets one line of a kind through, then none for a minute.
#[derive(Default)]
pub(super) struct Seldom {
    last: Mutex<Option<Instant>>,
}

impl Seldom {
    const PAUSE: Duration = Duration::from_mins(1);

    pub(super) fn may(&self, now: Instant) -> bool {
        let mut last = self.last.lock();
        if last.is_some_and(|last| now.saturating_duration_since(last) < Self::PAUSE) {
            return false;
        }
        *last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert!(seldom.may(start));
        assert!(!seldom.may(start + Duration::from_secs(59)));
        assert!(seldom.may(start + Duration::from_mins(1)));
        assert!(!seldom.may(start + Duration::from_secs(61)));
    }
}
