//! The array of `GET /auth/connections/{id}/timeline`. Handles, messages and
//! what the site said are not named here and so never read; an event's id is
//! kept as a hash, to know it again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::member::{JsonStr, Member};
use super::{DecodeError, Unknowns};
use crate::model::{ErrorCode, EventOutcome, EventType, Field, Timestamp};

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// A hash of its id.
    pub id: u64,
    /// `type`; `None`: one that this build does not know.
    pub kind: Option<EventType>,
    /// `timestamp`. The API does not say whether it is the start or the end.
    pub at: Timestamp,
    /// `completed_at`: missing for health checks and for old logins.
    pub completed_at: Option<Timestamp>,
    /// Where it stands.
    pub state: EventState,
    /// `error_code`.
    pub error_code: Option<ErrorCode>,
}

/// `status` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventState {
    /// `IN_PROGRESS`.
    Unfinished,
    /// It has ended.
    Ended(EventOutcome),
    /// A status that this build does not know; taken for an end.
    Unknown,
}

/// What one body held.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// In the order of the body, which is newest first.
    pub events: Vec<Event>,
    /// Events that cannot be read.
    pub malformed: usize,
    /// Values that this build does not know.
    pub unknown: Unknowns,
}

impl Timeline {
    /// Reads the body. One event that cannot be read does not lose the others, one
    /// that comes twice is one, and bytes that are not UTF-8 spoil the member they
    /// are in.
    pub(crate) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(body);
        let rows: Vec<&RawValue> = serde_json::from_str(&text)?;
        let mut timeline = Self::default();
        let mut seen = HashSet::new();
        for row in rows {
            let event = serde_json::from_str::<Row<'_>>(row.get())
                .ok()
                .and_then(|row| row.event(&mut timeline.unknown));
            match event {
                Some(event) if seen.insert(event.id) => timeline.events.push(event),
                Some(_) => {}
                None => timeline.malformed += 1,
            }
        }
        Ok(timeline)
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: JsonStr<'a>,
    #[serde(default, rename = "type")]
    kind: Member<EventType>,
    #[serde(default)]
    timestamp: Member<Timestamp>,
    #[serde(default)]
    completed_at: Member<Timestamp>,
    #[serde(default)]
    status: Member<WireStatus>,
    #[serde(default)]
    error_code: Member<ErrorCode>,
}

/// `status`, where it is known.
#[derive(Clone, Copy)]
pub(super) struct WireStatus(EventState);

impl super::member::FromWire<'_> for WireStatus {
    const STAND_IN: Option<Self> = Some(Self(EventState::Unknown));

    fn from_wire(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("IN_PROGRESS") {
            return Some(Self(EventState::Unfinished));
        }
        EventOutcome::from_wire(text).map(|outcome| Self(EventState::Ended(outcome)))
    }
}

impl Row<'_> {
    fn event(&self, unknown: &mut Unknowns) -> Option<Event> {
        let Member::Known(at) = self.timestamp else {
            return None;
        };
        if self.id.0.is_empty() || self.status.is_absent() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        self.id.0.hash(&mut hasher);
        let completed_at = match self.completed_at {
            Member::Known(at) => Some(at),
            Member::Absent | Member::Unknown(_) => None,
        };
        let status = self.status.read(Field::EventStatus, unknown);
        Some(Event {
            id: hasher.finish(),
            kind: self.kind.read(Field::EventType, unknown),
            at,
            completed_at,
            state: status.map_or(EventState::Unknown, |status| status.0),
            error_code: self.error_code.read(Field::ErrorCode, unknown),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_the_unreadable_are_counted() {
        let body = r#"[
            {"id":"a","type":"reauth","timestamp":"2026-11-22T10:00:00Z","status":"FAILED",
             "completed_at":"2026-11-22T10:00:30.5Z","error_code":"bot_detected","step":"SUBMITTING"},
            {"id":"b","type":"login","timestamp":"2026-11-22T09:00:00Z","status":"IN_PROGRESS"},
            {"id":"b","type":"login","timestamp":"2026-11-22T09:00:00Z","status":"IN_PROGRESS"},
            {"id":"c","type":"health_check","timestamp":"2026-11-22T08:00:00Z","status":"authenticated",
             "completed_at":null},
            {"id":"d","type":"dance","timestamp":"2026-11-22T08:00:00Z","status":"TIRED"},
            {"id":"e","type":"login","timestamp":"yesterday","status":"SUCCESS"},
            {"type":"login","timestamp":"2026-11-22T09:00:00Z","status":"SUCCESS"},
            {"id":"g","type":"caf~","timestamp":"2026-11-22T09:00:00Z","status":"SUCCESS",
             "error_message":"caf~"},
            {"id":"f","type":"login","timestamp":"2026-11-22T09:00:00Z","status":{}},
            7]"#;
        let body: Vec<u8> = body
            .bytes()
            .map(|byte| if byte == b'~' { 0xe9 } else { byte })
            .collect();
        let timeline = Timeline::read(&body).unwrap();
        assert_eq!(timeline.malformed, 3);
        let [failed, running, check, strange, garbled, odd] = timeline.events[..] else {
            panic!("{:?}", timeline.events);
        };
        assert_eq!(failed.kind, Some(EventType::Reauth));
        assert_eq!(failed.state, EventState::Ended(EventOutcome::Failed));
        assert_eq!(failed.error_code, Some(ErrorCode::BotDetected));
        let took = failed.completed_at.unwrap().as_micros() - failed.at.as_micros();
        assert_eq!(took, 30_500_000);
        assert_eq!(running.state, EventState::Unfinished);
        assert_eq!(check.state, EventState::Ended(EventOutcome::Authenticated));
        assert_eq!((strange.kind, strange.state), (None, EventState::Unknown));
        let fields: Vec<_> = timeline.unknown.iter().map(|(field, ..)| field).collect();
        assert_eq!(odd.state, EventState::Unknown);
        let ended = EventState::Ended(EventOutcome::Success);
        assert_eq!((garbled.kind, garbled.state), (None, ended));
        let (kind, status) = (Field::EventType, Field::EventStatus);
        assert_eq!(fields, [kind, kind, status, status]);
        assert!(Timeline::read(b"{}").is_err());
    }
}
