//! The fleet as a table for people: those that need somebody first.

mod fit;

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use self::fit::{Column, GAP};
use crate::model::{
    Attention, Connection, Fleet, ScopeView, Snapshot, Timestamp, ago_words, counted,
    failure_words, first_of, flow_words, relogin_words, span_words, visible,
};

/// Configured connections that are not there, as many as are named.
const NAMED: usize = 20;

/// How it is shown.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) colour: bool,
    /// Cells of the terminal; `None`: as wide as it gets.
    pub(super) room: Option<usize>,
}

struct Row {
    rank: (Attention, Timestamp),
    /// One for each of [`Column::ALL`].
    cells: Vec<String>,
}

/// One aligned line per connection, and a last line that counts.
pub(super) fn render(fleet: &Fleet, now: Timestamp, look: Look) -> String {
    let mut rows: Vec<Row> = fleet
        .connections()
        .map(|(view, snapshot, connection)| row(view, snapshot, connection, now))
        .collect();
    rows.sort_by(|a, b| {
        let [profile, domain] = [Column::Profile as usize, Column::Domain as usize];
        (a.rank, &a.cells[profile], &a.cells[domain]).cmp(&(
            b.rank,
            &b.cells[profile],
            &b.cells[domain],
        ))
    });
    let scopes = || fleet.scopes.iter().map(|view| &view.scope);
    let all = Column::ALL.iter().copied().filter(|column| match column {
        Column::Account => scopes().any(|scope| scope.account().is_some()),
        Column::Project => scopes().any(|scope| scope.project().is_some()),
        _ => true,
    });
    let all: Vec<(Column, usize)> = all
        .map(|column| {
            let cells = rows.iter().map(|row| row.cells[column as usize].width());
            let width = cells.max().unwrap_or_default();
            (column, width.max(column.as_str().len()))
        })
        .collect();
    let shown = match look.room {
        Some(room) => fit::fit(all.clone(), room),
        None => all.clone(),
    };
    let mut out = String::new();
    line(&mut out, Column::LABELS, &shown, look.colour.then_some("1"));
    for row in &rows {
        let colour = look.colour.then(|| colour_of(row.rank.0)).flatten();
        line(&mut out, &row.cells, &shown, colour);
    }
    summary(&mut out, fleet, &rows, now);
    let missing = all.iter().map(|(column, _)| column);
    let missing = missing.filter(|column| shown.iter().all(|(other, _)| other != *column));
    let missing: Vec<_> = missing
        .map(|column| column.as_str().to_lowercase())
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "No room for: {}; --wide shows all", missing.join(", "));
    }
    out
}

fn row(view: &ScopeView, snapshot: &Snapshot, connection: &Connection, now: Timestamp) -> Row {
    // Ages are told on the API's clock.
    let now = snapshot.clock.apply(now);
    let (flow, labels, scope) = (&connection.flow, &connection.labels, &view.scope);
    let rank = Attention::rank(connection, now);
    let cell = |column: &Column| match column {
        Column::Status => rank.0.words().to_owned(),
        Column::Left => flow
            .ends_at(now)
            .map(|at| span_words(at.seconds_since(now)))
            .unwrap_or_default(),
        Column::Profile => visible(&labels.profile_name().unwrap_or_default()).into_owned(),
        Column::Domain => visible(&labels.domain()).into_owned(),
        Column::Flow => flow_words(flow, now),
        Column::Checked => connection
            .checked_at()
            .map(|at| ago_words(at, now))
            .unwrap_or_default(),
        Column::Relogin => relogin_words(connection),
        Column::Account => visible(scope.account().unwrap_or_default()).into_owned(),
        Column::Project => visible(view.project().unwrap_or_default()).into_owned(),
        Column::Connection => visible(&labels.id()).into_owned(),
    };
    let filled = |cell: String| {
        if cell.is_empty() {
            "-".to_owned()
        } else {
            cell
        }
    };
    Row {
        rank,
        cells: Column::ALL.iter().map(cell).map(filled).collect(),
    }
}

fn summary(out: &mut String, fleet: &Fleet, rows: &[Row], now: Timestamp) {
    let counts = Attention::ALL.iter().filter_map(|level| {
        let count = rows.iter().filter(|row| row.rank.0 == *level).count();
        (count > 0).then(|| format!("{count} {}", level.words()))
    });
    let counts: Vec<_> = counts.collect();
    let total = counted(rows.len(), "connection");
    let list = if counts.is_empty() {
        String::new()
    } else {
        format!(": {}", counts.join(", "))
    };
    let _ = writeln!(out, "\n{total}{list}");
    let snapshots = fleet.scopes.iter().flat_map(|view| &view.snapshot);
    let not_found: Vec<&str> = snapshots.flat_map(|seen| seen.not_found()).collect();
    if !not_found.is_empty() {
        let ids = first_of(not_found.iter().copied(), NAMED, not_found.len());
        let _ = writeln!(out, "Kernel does not know: {}", visible(&ids));
    }
    for view in &fleet.scopes {
        let Some(failure) = &view.failure else {
            continue;
        };
        let place = [view.scope.account(), view.project()];
        let place: Vec<_> = place.into_iter().flatten().map(visible).collect();
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(" for {}", place.join(" / "))
        };
        let words = failure_words(failure.reason);
        let _ = match &view.snapshot {
            Some(snapshot) => writeln!(
                out,
                "The API {words}{place}: {}; what is shown is {} old",
                failure.message,
                span_words(now.seconds_since(snapshot.fetched_at))
            ),
            None => writeln!(
                out,
                "The API {words}{place}: {}; nothing is known",
                failure.message
            ),
        };
    }
}

fn line(
    out: &mut String,
    cells: &[impl AsRef<str>],
    shown: &[(Column, usize)],
    colour: Option<&str>,
) {
    if let Some(code) = colour {
        let _ = write!(out, "\x1b[{code}m");
    }
    for (at, (column, width)) in shown.iter().enumerate() {
        let start = out.len();
        cut(out, cells[*column as usize].as_ref(), *width);
        if at + 1 < shown.len() {
            let filled = out[start..].width();
            out.extend(std::iter::repeat_n(' ', width + GAP - filled));
        }
    }
    if colour.is_some() {
        out.push_str("\x1b[0m");
    }
    out.push('\n');
}

/// Writes `text` in no more than `room` cells.
fn cut(out: &mut String, text: &str, room: usize) {
    if text.width() <= room {
        out.push_str(text);
        return;
    }
    let mut used = 1;
    for char in text.chars() {
        used += char.width().unwrap_or_default();
        if used > room {
            break;
        }
        out.push(char);
    }
    out.push('…');
}

fn colour_of(attention: Attention) -> Option<&'static str> {
    match attention {
        Attention::Waiting => Some("1;33"),
        Attention::NeedsPerson => Some("31"),
        Attention::NeedsAuth => Some("33"),
        Attention::Unknown => Some("35"),
        Attention::Fine => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Failure;
    use crate::tests::common::rows::listed;
    use crate::tests::exposition::golden::hold_text;

    fn fleet(rows: &str, up: bool) -> Fleet {
        let snapshot = Snapshot {
            fetched_at: Timestamp::from_seconds(1_000_000),
            connections: listed(rows),
            ..Snapshot::default()
        };
        let view = ScopeView {
            scope: Arc::default(),
            project_name: None,
            failure: Failure::unless(up),
            snapshot: Some(Arc::new(snapshot)),
        };
        Fleet {
            accounts: Vec::new(),
            scopes: vec![view],
        }
    }

    const ROWS: &str = r#"[
        {"id":"c1","domain":"a.example","profile_name":"fine","status":"AUTHENTICATED","last_auth_check_at":"1970-01-12T13:45:00Z","can_reauth":true,"can_reauth_reason":"has_credential"},
        {"id":"c2","domain":"b.example","profile_name":"gone","status":"NEEDS_AUTH","can_reauth":false,"can_reauth_reason":"no_credential","flow_status":"FAILED","error_code":"credentials_invalid"},
        {"id":"c3","domain":"漢字.example","profile_name":"waits","status":"NEEDS_AUTH","flow_status":"IN_PROGRESS","flow_step":"AWAITING_INPUT","flow_expires_at":"1970-01-12T13:52:05Z"},
        {"id":"c4","domain":"d.example","profile_name":"heals","status":"NEEDS_AUTH","can_reauth":true}
    ]"#;

    const WIDE: Look = Look {
        colour: false,
        room: None,
    };

    #[test]
    fn those_that_need_a_person_come_first_and_columns_align() {
        let table = render(&fleet(ROWS, true), Timestamp::from_seconds(1_000_000), WIDE);
        let expected = "\
STATUS                LEFT   PROFILE  DOMAIN        FLOW                               CHECKED    RE-LOGIN             CONNECTION
waiting for a person  5m25s  waits    漢字.example  flow: awaiting input               -          -                    c3
needs a login         -      gone     b.example     flow: failed, credentials invalid  -          no: no credential    c2
logged out            -      heals    d.example     -                                  -          yes                  c4
logged in             -      fine     a.example     -                                  1m40s ago  yes: has credential  c1

4 connections: 1 waiting for a person, 1 needs a login, 1 logged out, 1 logged in
";
        assert_eq!(table, expected);
    }

    #[test]
    fn an_unanswered_collection_says_how_old_it_is() {
        let table = render(
            &fleet("[]", false),
            Timestamp::from_seconds(1_000_100),
            WIDE,
        );
        assert!(
            table.ends_with("The API did not answer in time: no whole answer in time; what is shown is 1m40s old\n"),
            "{table}"
        );
    }

    #[test]
    fn of_those_that_wait_the_first_to_run_out_comes_first() {
        let row = |id: &str, at: &str| {
            format!(
                r#"{{"id":"{id}","domain":"a.example","profile_name":"p","status":"NEEDS_AUTH","flow_status":"IN_PROGRESS",
                "flow_step":"AWAITING_INPUT","flow_expires_at":"1970-01-12T13:{at}Z"}}"#
            )
        };
        let rows = [
            row("late", "59:00"),
            row("soon", "48:00"),
            row("later", "59:30"),
        ];
        let fleet = fleet(&format!("[{}]", rows.join(",")), true);
        let table = render(&fleet, Timestamp::from_seconds(1_000_000), WIDE);
        let ids = table.lines().skip(1).take(3);
        let ids: Vec<_> = ids.map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(ids, ["soon", "late", "later"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let now = Timestamp::from_seconds(1_000_000);
        for room in [72, 80, 100, 120, 200] {
            let look = Look {
                room: Some(room),
                ..WIDE
            };
            let table = render(&fleet(ROWS, true), now, look);
            let rows = table.split("\n\n").next().unwrap();
            assert!(rows.lines().all(|line| line.width() <= room), "{table}");
            assert_eq!(table.contains("--wide shows all"), room < 120, "{table}");
        }
    }

    #[test]
    fn golden_tables() {
        for room in [80, 200] {
            let look = Look {
                room: Some(room),
                ..WIDE
            };
            let table = render(&fleet(ROWS, true), Timestamp::from_seconds(1_000_000), look);
            hold_text(&format!("table-{room}.txt"), &table);
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        for (text, room, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
        ] {
            let mut out = String::new();
            cut(&mut out, text, room);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let rows = r#"[{"id":"c1","domain":"a\u001b[2Jb\nc\u202ed","profile_name":"p","status":"NEEDS_AUTH"}]"#;
        let table = render(&fleet(rows, true), Timestamp::from_seconds(0), WIDE);
        assert!(table.contains(r"a\u{1b}[2Jb\u{a}c\u{202e}d"), "{table}");
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let (fleet, now) = (fleet(ROWS, true), Timestamp::from_seconds(1_000_000));
        assert!(!render(&fleet, now, WIDE).contains('\x1b'));
        let look = Look {
            colour: true,
            ..WIDE
        };
        assert!(render(&fleet, now, look).contains("\x1b[31m"));
    }
}
