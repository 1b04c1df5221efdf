//! What happened to a connection, as its timeline tells.

use super::{EventOutcome, EventType, Timestamp};

/// A kind of event and how such an event can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventSlot(u8);

/// Outcomes of a login and of a health check.
const FLOW_OUTCOMES: u8 = 4;
const CHECK_OUTCOMES: u8 = 2;

impl EventSlot {
    /// How many there are.
    pub(crate) const COUNT: usize = (2 * FLOW_OUTCOMES + CHECK_OUTCOMES) as usize;

    /// `None` for an end that events of this kind do not have.
    pub(crate) fn of(kind: EventType, outcome: EventOutcome) -> Option<Self> {
        let outcome = outcome as u8;
        match kind {
            EventType::Login if outcome < FLOW_OUTCOMES => Some(Self(outcome)),
            EventType::Reauth if outcome < FLOW_OUTCOMES => Some(Self(FLOW_OUTCOMES + outcome)),
            EventType::HealthCheck if outcome >= FLOW_OUTCOMES => {
                Some(Self(FLOW_OUTCOMES + outcome))
            }
            _ => None,
        }
    }
}

/// What is known of a connection's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// When a login, attended or not, last succeeded.
    pub last_success: Option<Timestamp>,
    /// When a health check last saw it logged in.
    pub last_confirmed: Option<Timestamp>,
    counts: [u32; EventSlot::COUNT],
}

impl History {
    /// How many events ended so since the timeline was first read.
    pub(crate) fn count(&self, slot: EventSlot) -> u64 {
        u64::from(self.counts[usize::from(slot.0)])
    }

    /// Counts one more.
    pub(crate) fn add(&mut self, slot: EventSlot) {
        let count = &mut self.counts[usize::from(slot.0)];
        *count = count.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_pairs_have_a_place_each() {
        let mut places = Vec::new();
        for kind in EventType::ALL {
            for outcome in EventOutcome::ALL {
                places.extend(EventSlot::of(*kind, *outcome).map(|slot| usize::from(slot.0)));
            }
        }
        assert_eq!(places, (0..EventSlot::COUNT).collect::<Vec<_>>());
    }
}
