//! Which connections the page shows. A large fleet is gone through once and
//! only the rows of one page are sorted.

use std::cmp::Ordering;

use super::query::Query;
use crate::model::{Attention, Connection, Fleet, ScopeView, Snapshot, Timestamp};

/// What is shown, and how many there are.
pub(super) struct Selected<'a> {
    /// How many connections there are in all, by level, in the order of
    /// [`Attention::ALL`].
    pub(super) counts: [usize; Attention::ALL.len()],
    /// How many match.
    pub(super) matching: usize,
    /// The page that is shown, from 1, and how many there are.
    pub(super) page: usize,
    pub(super) pages: usize,
    /// The connections of that page.
    pub(super) rows: Vec<Row<'a>>,
}

/// One connection that is shown.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) level: Attention,
    pub(super) view: &'a ScopeView,
    pub(super) snapshot: &'a Snapshot,
    pub(super) connection: &'a Connection,
}

impl<'a> Selected<'a> {
    /// The page of `fleet` that `query` asks for, the last one where there are
    /// fewer.
    pub(super) fn new(fleet: &'a Fleet, now: Timestamp, query: &Query, page_rows: usize) -> Self {
        let wanted = query.text.to_lowercase();
        let mut counts = [0; Attention::ALL.len()];
        let mut rows = Vec::new();
        for (view, snapshot, connection) in fleet.connections() {
            let level = Attention::of(connection, snapshot.clock.apply(now));
            counts[level as usize] += 1;
            let row = Row {
                level,
                view,
                snapshot,
                connection,
            };
            if query.level.is_none_or(|only| only == level) && row.has(&wanted) {
                rows.push(row);
            }
        }
        let matching = rows.len();
        let pages = matching.div_ceil(page_rows).max(1);
        let page = query.page.min(pages);
        let start = (page - 1) * page_rows;
        keep_sorted(&mut rows, start, page_rows);
        Self {
            counts,
            matching,
            page,
            pages,
            rows,
        }
    }

    /// How many need a level of attention.
    pub(super) fn count(&self, level: Attention) -> usize {
        self.counts[level as usize]
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> usize {
        self.counts.iter().sum()
    }
}

/// Leaves those rows that would be at `start` and the `count - 1` places after
/// it if all were sorted.
fn keep_sorted(rows: &mut Vec<Row<'_>>, mut start: usize, count: usize) {
    // Most of a large fleet is fine, and most pages show nothing of that: what
    // cannot be on the page is not compared.
    let mut sizes = [0; Attention::ALL.len()];
    for row in &*rows {
        sizes[row.level as usize] += 1;
    }
    let mut before = 0;
    let shown = sizes.map(|size| {
        let first = before;
        before += size;
        first < start.saturating_add(count) && before > start
    });
    let skipped: usize = sizes
        .iter()
        .zip(shown)
        .take_while(|(_, shown)| !shown)
        .map(|(size, _)| size)
        .sum();
    start = start.saturating_sub(skipped);
    rows.retain(|row| shown[row.level as usize]);
    if start > 0 && start < rows.len() {
        rows.select_nth_unstable_by(start, Row::order);
    }
    rows.drain(..start.min(rows.len()));
    if count < rows.len() {
        rows.select_nth_unstable_by(count, Row::order);
        rows.truncate(count);
    }
    rows.sort_unstable_by(Row::order);
    rows.shrink_to_fit();
}

impl Row<'_> {
    /// The most urgent first, of waiting flows the one that ends first; then by
    /// name.
    fn order(&self, other: &Self) -> Ordering {
        let end = |row: &Self| match (row.level, row.connection.flow.expires_at) {
            (Attention::Waiting, Some(at)) => at.as_micros(),
            _ => i64::MAX,
        };
        let names = |row: &Self| {
            let labels = &row.connection.labels;
            (labels.profile_name(), labels.domain())
        };
        let by_level = (self.level, end(self)).cmp(&(other.level, end(other)));
        by_level
            .then_with(|| names(self).cmp(&names(other)))
            .then_with(|| {
                self.connection
                    .labels
                    .as_str()
                    .cmp(other.connection.labels.as_str())
            })
    }

    /// Whether one of its names, or why it is as it is, has `wanted` in it,
    /// which is in small letters.
    fn has(&self, wanted: &str) -> bool {
        if wanted.is_empty() {
            return true;
        }
        let labels = &self.connection.labels;
        let flow = &self.connection.flow;
        let scope = &self.view.scope;
        contains(&labels.id(), wanted)
            || contains(&labels.domain(), wanted)
            || labels
                .profile_name()
                .is_some_and(|name| contains(&name, wanted))
            || [scope.account(), scope.project()]
                .into_iter()
                .flatten()
                .any(|name| contains(name, wanted))
            || flow
                .error_code
                .is_some_and(|code| contains(code.as_str(), wanted))
            || contains(flow.step.as_str(), wanted)
            || self
                .connection
                .can_reauth_reason
                .is_some_and(|reason| contains(reason.as_str(), wanted))
    }
}

/// Without regard to case; `wanted` is in small letters.
fn contains(text: &str, wanted: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(wanted);
    }
    text.as_bytes()
        .windows(wanted.len())
        .any(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        AuthStatus, ClockOffset, CredentialKind, Flow, FlowStatus, FlowStep, FlowType, LabelBlock,
        PendingInputs, Scope, Settings,
    };

    fn connection(id: &str, profile: &str, needs: AuthStatus, ends: Option<i64>) -> Connection {
        let scope = Scope::default();
        Connection {
            labels: LabelBlock::new(id, "Example.COM", Some(profile), &scope, &mut String::new()),
            status: needs,
            last_auth_at: None,
            last_auth_check_at: None,
            flow: Flow {
                status: FlowStatus::InProgress,
                step: FlowStep::AwaitingInput,
                kind: FlowType::Login,
                expires_at: Some(Timestamp::from_seconds(ends.unwrap_or(0))),
                error_code: None,
                pending: PendingInputs::default(),
            },
            can_reauth: None,
            can_reauth_reason: None,
            settings: Settings {
                health_check_interval: None,
                health_checks: None,
                auto_reauth: None,
                save_credentials: None,
                record_session: None,
                health_check_unavailable: None,
                credential: CredentialKind::None,
            },
        }
    }

    fn fleet(connections: Vec<Connection>) -> Fleet {
        Fleet {
            accounts: Vec::new(),
            scopes: vec![ScopeView {
                scope: Arc::new(Scope::default()),
                up: true,
                snapshot: Some(Arc::new(Snapshot {
                    fetched_at: Timestamp::from_seconds(0),
                    clock: ClockOffset::default(),
                    connections,
                    found: Vec::new(),
                })),
            }],
        }
    }

    fn ids(fleet: &Fleet, query: &str, page_rows: usize) -> Vec<String> {
        let now = Timestamp::from_seconds(100);
        let selected = Selected::new(fleet, now, &Query::read(query), page_rows);
        let rows = selected.rows.iter();
        rows.map(|row| row.connection.labels.id().into_owned())
            .collect()
    }

    #[test]
    fn who_needs_a_person_comes_first() {
        let fleet = fleet(vec![
            connection("a", "zoe", AuthStatus::Authenticated, None),
            connection("b", "Adam", AuthStatus::NeedsAuth, None),
            connection("c", "zoe", AuthStatus::NeedsAuth, Some(300)),
            connection("d", "adam", AuthStatus::NeedsAuth, Some(400)),
            connection("e", "adam", AuthStatus::Authenticated, None),
        ]);
        assert_eq!(ids(&fleet, "", 200), ["c", "d", "b", "e", "a"]);
        assert_eq!(ids(&fleet, "page=2", 2), ["b", "e"]);
        assert_eq!(ids(&fleet, "page=99", 2), ["a"]);
        assert_eq!(ids(&fleet, "status=logged-in", 200), ["e", "a"]);
        assert_eq!(ids(&fleet, "q=ADAM", 200), ["d", "b", "e"]);
        assert_eq!(ids(&fleet, "q=example.com&status=waiting", 200), ["c", "d"]);
        assert_eq!(ids(&fleet, "q=domain", 200), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn pages_together_are_the_sorted_whole(
            rows in proptest::collection::vec(("[a-c]{1,2}", any::<bool>(), 90_i64..110), 0..40),
            page_rows in 1_usize..8
        ) {
            let rows = rows.iter().enumerate().map(|(at, (profile, fine, ends))| {
                let status = if *fine { AuthStatus::Authenticated } else { AuthStatus::NeedsAuth };
                connection(&format!("{at:02}"), profile, status, Some(*ends))
            });
            let fleet = fleet(rows.collect());
            let whole = ids(&fleet, "", usize::MAX);
            let pages: Vec<String> = (1..=whole.len().div_ceil(page_rows))
                .flat_map(|page| ids(&fleet, &format!("page={page}"), page_rows))
                .collect();
            prop_assert_eq!(pages, whole);
        }
    }
}
