//! The truth about what happened: counters that an exporter's can be held
//! against.

use serde::Serialize;

use super::values::{ErrorCode, EventKind, EventStatus};

/// The kinds and outcomes that are counted, in the order of a tally.
pub(crate) const SLOTS: [(EventKind, EventStatus); 10] = [
    (EventKind::Login, EventStatus::Success),
    (EventKind::Login, EventStatus::Failed),
    (EventKind::Login, EventStatus::Expired),
    (EventKind::Login, EventStatus::Canceled),
    (EventKind::Reauth, EventStatus::Success),
    (EventKind::Reauth, EventStatus::Failed),
    (EventKind::Reauth, EventStatus::Expired),
    (EventKind::Reauth, EventStatus::Canceled),
    (EventKind::HealthCheck, EventStatus::Authenticated),
    (EventKind::HealthCheck, EventStatus::NeedsAuth),
];

/// Where an event is counted; `None` while it has not ended.
pub(crate) fn slot(kind: EventKind, status: EventStatus) -> Option<usize> {
    SLOTS.iter().position(|entry| *entry == (kind, status))
}

/// Events of one connection, which may be gone by now, that ended since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LedgerCount {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: EventKind,
    pub outcome: EventStatus,
    pub count: u64,
}

/// Failures of the fleet since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LedgerError {
    #[serde(rename = "type")]
    pub kind: EventKind,
    pub error_code: ErrorCode,
    pub count: u64,
}

/// How long the fleet's flows took since the start.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LedgerDuration {
    #[serde(rename = "type")]
    pub kind: EventKind,
    pub outcome: EventStatus,
    pub count: u64,
    /// Seconds from `timestamp` to `completed_at`, all together.
    pub sum_seconds: f64,
}

/// Everything that ended since the start. An inconclusive health check leaves
/// no event and is not counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ledger {
    pub counts: Vec<LedgerCount>,
    pub errors: Vec<LedgerError>,
    pub durations: Vec<LedgerDuration>,
}

impl Ledger {
    /// How often one connection had events of a kind that ended so.
    pub fn count(&self, id: &str, kind: EventKind, outcome: EventStatus) -> u64 {
        self.sum(|row| row.id == id && row.kind == kind && row.outcome == outcome)
    }

    /// How often the fleet had events of a kind that ended so.
    pub fn total(&self, kind: EventKind, outcome: EventStatus) -> u64 {
        self.sum(|row| row.kind == kind && row.outcome == outcome)
    }

    fn sum(&self, which: impl Fn(&LedgerCount) -> bool) -> u64 {
        let rows = self.counts.iter().filter(|row| which(row));
        rows.map(|row| row.count).sum()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// By `login`/`reauth`, then by code.
    errors: [[u64; ErrorCode::ALL.len()]; 2],
    /// By slot: how many and how long, microseconds.
    durations: [(u64, i64); 8],
}

impl Totals {
    /// Counts a flow's end.
    pub(crate) fn flow_ended(
        &mut self,
        kind: EventKind,
        status: EventStatus,
        error: Option<ErrorCode>,
        micros: i64,
    ) {
        if let Some(code) = error {
            self.errors[usize::from(kind == EventKind::Reauth)][code as usize] += 1;
        }
        if let Some(entry) = slot(kind, status).and_then(|slot| self.durations.get_mut(slot)) {
            entry.0 += 1;
            entry.1 += micros;
        }
    }

    pub(crate) fn errors(&self) -> Vec<LedgerError> {
        let kinds = [EventKind::Login, EventKind::Reauth];
        let rows = kinds.iter().zip(&self.errors).flat_map(|(kind, counts)| {
            let codes = ErrorCode::ALL.iter().zip(counts);
            codes.map(|(code, count)| LedgerError {
                kind: *kind,
                error_code: *code,
                count: *count,
            })
        });
        rows.filter(|row| row.count > 0).collect()
    }

    pub(crate) fn durations(&self) -> Vec<LedgerDuration> {
        let rows = SLOTS.iter().zip(&self.durations);
        rows.filter(|(_, (count, _))| *count > 0)
            .map(|((kind, outcome), (count, micros))| LedgerDuration {
                kind: *kind,
                outcome: *outcome,
                count: *count,
                sum_seconds: *micros as f64 / 1e6,
            })
            .collect()
    }
}
