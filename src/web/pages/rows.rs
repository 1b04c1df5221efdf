//! The lower half of the fleet's page: the connections, page by page.

use maud::{Markup, html};

use super::PAGE_ROWS;
use super::parts::{
    View, badge, clock, connection_link, domain, grouped, name, place, profile, time,
};
use super::query::{Column, Query, Sort};
use super::select::{Row, Selected};
use crate::model::{Attention, ago_words, flow_words, relogin_words, span_words};

/// What of the rows there is beside that which every fleet has.
#[derive(Clone, Copy)]
struct Columns {
    profile: bool,
    /// The account and the project, under the connection's id.
    place: bool,
}

pub(super) fn section(view: &View<'_>, query: &Query, selected: &Selected<'_>) -> Markup {
    let known = view
        .fleet
        .scopes
        .iter()
        .any(|scope| scope.snapshot.is_some());
    html! {
        section aria-labelledby="connections" {
            h2 #connections { "Connections" }
            @if selected.total() == 0 {
                @if known {
                    p { "The API has none for this configuration." }
                } @else {
                    p { "There is nothing to list." }
                }
            } @else {
                (filter(query))
                @if selected.rows.is_empty() {
                    p role="status" {
                        "No connection matches. "
                        a href=(query.everything().link()) { "Show all" }
                    }
                } @else {
                    (rows(view, query, selected))
                    (pages(query, selected))
                }
            }
        }
    }
}

fn filter(query: &Query) -> Markup {
    let sorts = Column::ALL.iter().map(|column| Sort {
        column: *column,
        descending: query.sort.column == *column && query.sort.descending,
    });
    html! {
        form role="search" method="get" aria-label="Filter the connections" {
            p.text {
                label for="q" { "Profile, domain, ID, project or reason" }
                input #q name="q" type="search" autocomplete="off" maxlength="256"
                    value=(query.text);
            }
            p {
                label for="status" { "Status" }
                select #status name="status" {
                    option value="" { "all" }
                    @for level in Attention::ALL {
                        option value=(level.as_str()) selected[query.level == Some(*level)] {
                            (level.words())
                        }
                    }
                }
            }
            p {
                label for="sort" { "Order" }
                select #sort name="sort" {
                    @for sort in sorts {
                        option value=(sort.slug()) selected[query.sort == sort] {
                            @if sort.column == Column::Attention {
                                "who needs a person"
                            } @else {
                                (sort.column.words().to_lowercase())
                            }
                        }
                    }
                }
            }
            @for (name, value) in query.place() { input type="hidden" name=(name) value=(value); }
            @if query.paused { input type="hidden" name="refresh" value="0"; }
            p {
                button { "Filter" }
                @if !query.is_everything() {
                    " " a href=(query.everything().link()) { "Show all" }
                }
            }
        }
    }
}

fn rows(view: &View<'_>, query: &Query, selected: &Selected<'_>) -> Markup {
    let mut scopes = view.fleet.scopes.iter().map(|view| &view.scope);
    let columns = Columns {
        profile: selected
            .rows
            .iter()
            .any(|row| row.connection.labels.profile_name().is_some()),
        place: scopes.any(|scope| scope.account().is_some() || scope.project().is_some()),
    };
    html! {
        div.scroll role="region" aria-labelledby="caption" tabindex="0" {
            table.connections {
                caption #caption { (caption(query, selected)) }
                thead {
                    tr {
                        (head(query, Column::Attention))
                        (head(query, Column::Left))
                        @if columns.profile { (head(query, Column::Profile)) }
                        (head(query, Column::Domain))
                        th scope="col" { "Login flow" }
                        (head(query, Column::Checked))
                        th scope="col" { "Can log in again by itself" }
                        th scope="col" {
                            @if columns.place { "Connection and where it is" } @else { "Connection" }
                        }
                    }
                }
                tbody {
                    @for row in &selected.rows { (self::row(query.paused, row, columns)) }
                }
            }
        }
    }
}

/// A column's head, which sorts by it.
fn head(query: &Query, column: Column) -> Markup {
    let sorted = (query.sort.column == column).then_some(if query.sort.descending {
        "descending"
    } else {
        "ascending"
    });
    html! {
        th scope="col" aria-sort=[sorted] {
            a href=(query.sorted_by(column).link()) { (column.words()) }
        }
    }
}

fn caption(query: &Query, selected: &Selected<'_>) -> String {
    let order = match (query.sort.column, query.sort.descending) {
        (Column::Attention, false) => "those that need a person first".to_owned(),
        (Column::Attention, true) => "those that need a person last".to_owned(),
        (column, false) => format!("by {}", column.words().to_lowercase()),
        (column, true) => format!("by {}, backwards", column.words().to_lowercase()),
    };
    match (selected.matching, selected.pages) {
        (1, _) => "1 connection".to_owned(),
        (count, 1) => format!("{} connections, {order}", grouped(count)),
        (count, _) => {
            let first = (selected.page - 1) * PAGE_ROWS + 1;
            let last = first + selected.rows.len() - 1;
            format!(
                "Connections {} to {} of {}, {order}",
                grouped(first),
                grouped(last),
                grouped(count)
            )
        }
    }
}

fn row(paused: bool, row: &Row<'_>, columns: Columns) -> Markup {
    // Ages are told on the API's clock.
    let now = row.now;
    let connection = row.connection;
    let labels = &connection.labels;
    let id = labels.id();
    let page = connection_link(&id, &row.view.scope, paused);
    let whereabouts = html! {
        @if columns.place { br; span.place { (place(row.view)) } }
    };
    html! {
        tr {
            td.status { (badge(row.level)) }
            td.left {
                @if let Some(at) = row.left() {
                    strong { (span_words(at.seconds_since(now))) }
                    " " span.until { "until " (clock(at, now)) }
                }
            }
            @if columns.profile {
                th.profile scope="row" {
                    a href=(page) {
                        @match profile(labels) {
                            Some(profile) => { (name(&profile)) }
                            None => { "no profile" }
                        }
                    }
                }
            }
            td.domain { (domain(&labels.domain())) }
            td.flow { (flow_words(&connection.flow, now)) }
            td.checked { @if let Some(at) = row.checked() { (time(at, &ago_words(at, now))) } }
            td.again { (relogin_words(connection)) }
            @if columns.profile {
                td.id { (name(&id)) (whereabouts) }
            } @else {
                th.id scope="row" { a href=(page) { (name(&id)) } (whereabouts) }
            }
        }
    }
}

fn pages(query: &Query, selected: &Selected<'_>) -> Markup {
    let (page, last) = (selected.page, selected.pages);
    let link = |target: usize, words: &str, wanted: bool| {
        html! {
            @if wanted {
                a href=(query.with_page(target).link()) { (words) }
            } @else {
                span { (words) }
            }
            " "
        }
    };
    html! {
        @if last > 1 {
            nav.pages aria-label="Pages" {
                (link(1, "First", page > 1))
                (link(page.saturating_sub(1).max(1), "Previous", page > 1))
                (link((page + 1).min(last), "Next", page < last))
                (link(last, "Last", page < last))
                span { "Page " (grouped(page)) " of " (grouped(last)) }
            }
        }
    }
}
