//! The fleet as a table for people: those that need somebody first.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::model::{
    Attention, Connection, Fleet, ScopeView, Snapshot, Timestamp, flow_words, relogin_words,
    span_words,
};

/// Cells wider than this are cut: a name of ten thousand characters is not read.
const MAX_WIDTH: usize = 48;

struct Row {
    attention: Attention,
    cells: Vec<String>,
}

/// One aligned line per connection, and a last line that counts.
pub(super) fn render(fleet: &Fleet, now: Timestamp, colour: bool) -> String {
    let accounts = fleet
        .scopes
        .iter()
        .any(|view| view.scope.account().is_some());
    let projects = fleet
        .scopes
        .iter()
        .any(|view| view.scope.project().is_some());
    let mut head = vec![
        "STATUS", "PROFILE", "DOMAIN", "FLOW", "LEFT", "CHECKED", "RE-LOGIN",
    ];
    if accounts {
        head.push("ACCOUNT");
    }
    if projects {
        head.push("PROJECT");
    }
    head.push("CONNECTION");
    let mut rows: Vec<Row> = fleet
        .connections()
        .map(|(view, snapshot, connection)| {
            row(view, snapshot, connection, now, (accounts, projects))
        })
        .collect();
    rows.sort_by(|a, b| {
        (a.attention, &a.cells[1], &a.cells[2]).cmp(&(b.attention, &b.cells[1], &b.cells[2]))
    });
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.len()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.width());
        }
    }
    let mut out = String::new();
    let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    line(&mut out, &head, &widths, colour.then_some("1"));
    for row in &rows {
        line(
            &mut out,
            &row.cells,
            &widths,
            colour.then(|| colour_of(row.attention)).flatten(),
        );
    }
    summary(&mut out, fleet, &rows, now);
    out
}

fn row(
    view: &ScopeView,
    snapshot: &Snapshot,
    connection: &Connection,
    now: Timestamp,
    (accounts, projects): (bool, bool),
) -> Row {
    // Ages are told on the API's clock.
    let now = snapshot.clock.apply(now);
    let flow = &connection.flow;
    let attention = Attention::of(connection, now);
    let live = flow.is_live(now);
    let left = flow
        .expires_at
        .filter(|_| live)
        .map(|at| span_words(at.seconds_since(now)));
    let checked = connection.last_auth_check_at.or(connection.last_auth_at);
    let mut cells = vec![
        attention.as_str().to_owned(),
        connection
            .labels
            .profile_name()
            .map(|name| printable(&name))
            .unwrap_or_default(),
        printable(&connection.labels.domain()),
        flow_words(flow, now),
        left.unwrap_or_default(),
        checked
            .map(|at| format!("{} ago", span_words(now.seconds_since(at))))
            .unwrap_or_default(),
        relogin_words(connection),
    ];
    if accounts {
        cells.push(view.scope.account().map(printable).unwrap_or_default());
    }
    if projects {
        cells.push(view.scope.project().map(printable).unwrap_or_default());
    }
    cells.push(printable(&connection.labels.id()));
    for cell in &mut cells {
        if cell.is_empty() {
            cell.push('-');
        }
    }
    Row { attention, cells }
}

fn summary(out: &mut String, fleet: &Fleet, rows: &[Row], now: Timestamp) {
    let counts = Attention::ALL.iter().filter_map(|level| {
        let count = rows.iter().filter(|row| row.attention == *level).count();
        (count > 0).then(|| format!("{count} {}", level.as_str()))
    });
    let counts: Vec<_> = counts.collect();
    let total = rows.len();
    let plural = if total == 1 { "" } else { "s" };
    let list = if counts.is_empty() {
        String::new()
    } else {
        format!(": {}", counts.join(", "))
    };
    let _ = writeln!(out, "\n{total} connection{plural}{list}");
    for view in fleet.scopes.iter().filter(|view| !view.is_up()) {
        let place = [view.scope.account(), view.scope.project()];
        let place: Vec<_> = place.into_iter().flatten().map(printable).collect();
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(" {}", place.join(" / "))
        };
        let _ = match &view.snapshot {
            Some(snapshot) => writeln!(
                out,
                "The API did not answer fully{place}; what is shown is {} old",
                span_words(now.seconds_since(snapshot.fetched_at))
            ),
            None => writeln!(out, "The API did not answer{place}; nothing is known"),
        };
    }
}

fn line(out: &mut String, cells: &[String], widths: &[usize], colour: Option<&str>) {
    if let Some(code) = colour {
        let _ = write!(out, "\x1b[{code}m");
    }
    let last = cells.len() - 1;
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        out.push_str(cell);
        if at < last {
            out.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
        }
    }
    if colour.is_some() {
        out.push_str("\x1b[0m");
    }
    out.push('\n');
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

/// A name as one cell: nothing that moves the cursor, turns the line around or
/// breaks it, and not without end.
fn printable(text: &str) -> String {
    let harmless = |char: char| match char {
        char if char.is_control() => '\u{FFFD}',
        // Marks that change the direction of what follows.
        '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{FFFD}',
        char => char,
    };
    let mut cell: String = text.chars().take(MAX_WIDTH + 1).map(harmless).collect();
    if cell.width() > MAX_WIDTH {
        while cell.width() >= MAX_WIDTH {
            cell.pop();
        }
        cell.push('…');
    }
    cell
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernel::Decoder;
    use crate::model::{Failure, ProfileNameMode, Scope, Selection};

    fn fleet(rows: &str, up: bool) -> Fleet {
        let (scope, selection) = (Scope::default(), Selection::default());
        let decoder = Decoder {
            scope: &scope,
            profile_names: ProfileNameMode::Keep,
            selection: &selection,
        };
        let snapshot = Snapshot {
            fetched_at: Timestamp::from_seconds(1_000_000),
            clock: crate::model::ClockOffset::default(),
            connections: decoder.list(rows.as_bytes()).unwrap().connections,
            found: Vec::new(),
        };
        let view = ScopeView {
            scope: Arc::new(scope),
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

    #[test]
    fn those_that_need_a_person_come_first_and_columns_align() {
        let table = render(
            &fleet(ROWS, true),
            Timestamp::from_seconds(1_000_000),
            false,
        );
        let expected = "\
STATUS                PROFILE  DOMAIN        FLOW                               LEFT   CHECKED    RE-LOGIN             CONNECTION
waiting for a person  waits    漢字.example  flow: awaiting input               5m25s  -          -                    c3
needs a login         gone     b.example     flow: failed, credentials invalid  -      -          no: no credential    c2
logged out            heals    d.example     -                                  -      -          yes                  c4
logged in             fine     a.example     -                                  -      1m40s ago  yes: has credential  c1

4 connections: 1 waiting for a person, 1 needs a login, 1 logged out, 1 logged in
";
        assert_eq!(table, expected);
    }

    #[test]
    fn an_unanswered_collection_says_how_old_it_is() {
        let table = render(
            &fleet("[]", false),
            Timestamp::from_seconds(1_000_100),
            false,
        );
        assert!(
            table.ends_with("The API did not answer fully; what is shown is 1m40s old\n"),
            "{table}"
        );
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(
            printable("a\x1b[2Jb\nc\u{202E}d"),
            "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d"
        );
        assert_eq!(printable(&"x".repeat(10_000)).width(), MAX_WIDTH);
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let (fleet, now) = (fleet(ROWS, true), Timestamp::from_seconds(1_000_000));
        assert!(!render(&fleet, now, false).contains('\x1b'));
        assert!(render(&fleet, now, true).contains("\x1b[31m"));
    }
}
