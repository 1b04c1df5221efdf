//! Which connections the page shows. A large fleet is gone through once and
//! only the rows of one page are sorted.

use std::cmp::Ordering;

use super::query::{Column, Query, Sort};
use crate::model::{Attention, Connection, Fleet, ScopeView, Timestamp};

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
    /// When its waiting flow ends; the end of time for others.
    ends: Timestamp,
    /// Now, on the clock of the API that told of it.
    pub(super) now: Timestamp,
    pub(super) view: &'a ScopeView,
    pub(super) connection: &'a Connection,
}

impl<'a> Selected<'a> {
    /// The page of `fleet` that `query` asks for, the last one where there are
    /// fewer.
    pub(super) fn new(fleet: &'a Fleet, now: Timestamp, query: &Query, page_rows: usize) -> Self {
        let wanted = query.text.to_lowercase();
        // The page shows `a_code` as `a code`.
        let code = wanted.replace(' ', "_");
        let mut counts = [0; Attention::ALL.len()];
        let mut rows = Vec::new();
        for (view, snapshot, connection) in fleet.connections() {
            let now = snapshot.clock.apply(now);
            let (level, ends) = Attention::rank(connection, now);
            counts[level as usize] += 1;
            let row = Row {
                level,
                ends,
                now,
                view,
                connection,
            };
            if query.level.is_none_or(|only| only == level) && row.has(&wanted, &code) {
                rows.push(row);
            }
        }
        let matching = rows.len();
        let pages = matching.div_ceil(page_rows).max(1);
        let page = query.page.min(pages);
        let start = (page - 1) * page_rows;
        keep_sorted(&mut rows, start, page_rows, query.sort);
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
fn keep_sorted(rows: &mut Vec<Row<'_>>, mut start: usize, count: usize, sort: Sort) {
    let order = |a: &Row<'_>, b: &Row<'_>| a.order(b, sort);
    if sort == Sort::default() {
        start = start.saturating_sub(drop_other_levels(rows, start, count));
    }
    if start > 0 && start < rows.len() {
        rows.select_nth_unstable_by(start, order);
    }
    rows.drain(..start.min(rows.len()));
    if count < rows.len() {
        rows.select_nth_unstable_by(count, order);
        rows.truncate(count);
    }
    rows.sort_unstable_by(order);
    rows.shrink_to_fit();
}

/// Drops levels that have no row on the page, and says how many rows those
/// before it had: most of a large fleet is fine, and most pages show nothing of
/// that, so what cannot be on the page is not compared.
fn drop_other_levels(rows: &mut Vec<Row<'_>>, start: usize, count: usize) -> usize {
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
    rows.retain(|row| shown[row.level as usize]);
    skipped
}

impl Row<'_> {
    /// By what is sorted by, then the most urgent first, then by name.
    fn order(&self, other: &Self, sort: Sort) -> Ordering {
        let labels = |row: &Self| &row.connection.labels;
        let urgency = || (self.level, self.ends).cmp(&(other.level, other.ends));
        let turned = |order: Ordering| {
            if sort.descending {
                order.reverse()
            } else {
                order
            }
        };
        let first = match sort.column {
            Column::Attention => turned(urgency()),
            Column::Profile => turned(
                labels(self)
                    .profile_name()
                    .cmp(&labels(other).profile_name()),
            ),
            Column::Domain => turned(labels(self).domain().cmp(&labels(other).domain())),
            Column::Left => known_first(self.left(), other.left(), turned),
            Column::Checked => known_first(self.checked(), other.checked(), turned),
        };
        first
            .then_with(urgency)
            .then_with(|| {
                let names = |row| (labels(row).profile_name(), labels(row).domain());
                names(self).cmp(&names(other))
            })
            .then_with(|| labels(self).as_str().cmp(labels(other).as_str()))
    }

    /// When its live flow ends.
    pub(super) fn left(&self) -> Option<Timestamp> {
        self.connection.flow.ends_at(self.now)
    }

    /// When it was last checked.
    pub(super) fn checked(&self) -> Option<Timestamp> {
        self.connection.checked_at()
    }

    /// Whether one of its names has `wanted` in it, or why it is as it is has
    /// `code`; both are in small letters.
    fn has(&self, wanted: &str, code: &str) -> bool {
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
            || [scope.account(), scope.project(), self.view.project()]
                .into_iter()
                .flatten()
                .any(|name| contains(name, wanted))
            || flow
                .error()
                .is_some_and(|error| contains(error.as_str(), code))
            || contains(flow.step.as_str(), code)
            || self
                .connection
                .can_reauth_reason
                .is_some_and(|reason| contains(reason.as_str(), code))
    }
}

/// What has no time comes last, whichever way is sorted.
fn known_first(
    a: Option<Timestamp>,
    b: Option<Timestamp>,
    turned: impl Fn(Ordering) -> Ordering,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => turned(a.cmp(&b)),
        (a, b) => a.is_none().cmp(&b.is_none()),
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
    use crate::model::{AuthStatus, ErrorCode, FlowStatus, FlowStep, FlowType, Scope, Snapshot};
    use crate::tests::exposition::fixture::sparse;

    fn connection(id: &str, profile: &str, needs: AuthStatus, ends: Option<i64>) -> Connection {
        let mut connection = sparse(&Scope::default(), id, "Example.COM", Some(profile));
        connection.status = needs;
        connection.flow.status = FlowStatus::InProgress;
        connection.flow.step = FlowStep::AwaitingInput;
        connection.flow.kind = FlowType::Login;
        connection.flow.expires_at = Some(Timestamp::from_seconds(ends.unwrap_or(0)));
        connection
    }

    fn fleet(connections: Vec<Connection>) -> Fleet {
        Fleet {
            accounts: Vec::new(),
            scopes: vec![ScopeView {
                scope: Arc::new(Scope::default()),
                project_name: None,
                failure: None,
                snapshot: Some(Arc::new(Snapshot {
                    connections,
                    ..Snapshot::default()
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
        assert_eq!(
            ids(&fleet, "sort=-attention", 200),
            ["e", "a", "b", "d", "c"]
        );
        assert_eq!(ids(&fleet, "sort=profile", 200), ["b", "d", "e", "c", "a"]);
        assert_eq!(ids(&fleet, "sort=left", 200), ["c", "d", "b", "e", "a"]);
        assert_eq!(ids(&fleet, "sort=-left", 200), ["d", "c", "b", "e", "a"]);
    }

    #[test]
    fn an_error_is_found_while_it_is_shown() {
        let mut rows = ["a", "b"].map(|id| connection(id, "zoe", AuthStatus::NeedsAuth, None));
        for row in &mut rows {
            row.flow.error_code = Some(ErrorCode::CaptchaBlocked);
        }
        rows[0].flow.status = FlowStatus::Failed;
        assert_eq!(ids(&fleet(rows.into()), "q=captcha", 200), ["a"]);
    }

    proptest! {
        #[test]
        fn pages_together_are_the_sorted_whole(
            rows in proptest::collection::vec(("[a-c]{1,2}", any::<bool>(), 90_i64..110), 0..40),
            page_rows in 1_usize..8,
            sort in proptest::sample::select(vec!["attention", "-attention", "-left", "profile"])
        ) {
            let rows = rows.iter().enumerate().map(|(at, (profile, fine, ends))| {
                let status = if *fine { AuthStatus::Authenticated } else { AuthStatus::NeedsAuth };
                connection(&format!("{at:02}"), profile, status, Some(*ends))
            });
            let fleet = fleet(rows.collect());
            let whole = ids(&fleet, &format!("sort={sort}"), usize::MAX);
            let pages: Vec<String> = (1..=whole.len().div_ceil(page_rows))
                .flat_map(|page| ids(&fleet, &format!("sort={sort}&page={page}"), page_rows))
                .collect();
            prop_assert_eq!(pages, whole);
        }
    }
}
