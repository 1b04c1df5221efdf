//! The lower half: the connections, page by page.

use super::html::{Html, counted};
use super::query::Query;
use super::select::{Row, Selected};
use super::{PAGE_ROWS, View, look, summary};
use crate::model::{
    Attention, ScopeView, Timestamp, connection_id, flow_words, relogin_words, span_words,
};

/// Which columns there are beside those that every fleet has.
#[derive(Clone, Copy)]
struct Columns {
    profile: bool,
    /// The account and the project, under the connection's id.
    place: bool,
}

pub(super) fn write(html: &mut Html, view: &View<'_>, query: &Query, selected: &Selected<'_>) {
    html.raw("<section aria-labelledby=\"connections\">\n");
    html.raw("<h2 id=\"connections\" tabindex=\"-1\">Connections</h2>\n");
    if selected.total() == 0 {
        let nothing = if view
            .fleet
            .scopes
            .iter()
            .any(|scope| scope.snapshot.is_some())
        {
            "<p>The API has none for this configuration.</p>\n"
        } else {
            "<p>None known yet.</p>\n"
        };
        html.raw(nothing);
        html.raw("</section>\n");
        return;
    }
    summary::filter(html, query);
    if selected.rows.is_empty() {
        html.raw("<p role=\"status\">No connection matches. <a href=\"?\">Show all</a></p>\n");
    } else {
        rows(html, view, selected);
        pages(html, query, selected);
    }
    html.raw("</section>\n");
}

fn rows(html: &mut Html, view: &View<'_>, selected: &Selected<'_>) {
    let has = |name: fn(&ScopeView) -> bool| view.fleet.scopes.iter().any(name);
    let columns = Columns {
        profile: selected
            .rows
            .iter()
            .any(|row| row.connection.labels.profile_name().is_some()),
        place: has(|view| view.scope.account().is_some() || view.scope.project().is_some()),
    };
    html.raw("<div class=\"scroll\" role=\"region\" aria-labelledby=\"caption\" tabindex=\"0\">\n");
    html.raw("<table class=\"connections\">\n<caption id=\"caption\" role=\"status\">");
    html.text(&caption(selected));
    html.raw("</caption>\n<thead><tr><th scope=\"col\">Status</th>");
    if columns.profile {
        html.raw("<th scope=\"col\">Profile</th>");
    }
    html.raw("<th scope=\"col\">Domain</th><th scope=\"col\">Login flow</th>");
    html.raw("<th scope=\"col\">Time left</th><th scope=\"col\">Last auth check</th>");
    html.raw("<th scope=\"col\">Can log in again by itself</th>");
    html.raw(if columns.place {
        "<th scope=\"col\">Connection and where it is</th></tr></thead>\n<tbody>\n"
    } else {
        "<th scope=\"col\">Connection</th></tr></thead>\n<tbody>\n"
    });
    for shown in &selected.rows {
        row(html, view.now, shown, columns);
    }
    html.raw("</tbody>\n</table>\n</div>\n");
}

fn caption(selected: &Selected<'_>) -> String {
    let order = "those that need a person first";
    match (selected.matching, selected.pages) {
        (1, _) => "1 connection".to_owned(),
        (count, 1) => format!("{} connections, {order}", counted(count)),
        (count, _) => {
            let first = (selected.page - 1) * PAGE_ROWS + 1;
            let last = first + selected.rows.len() - 1;
            format!(
                "Connections {} to {} of {}, {order}",
                counted(first),
                counted(last),
                counted(count)
            )
        }
    }
}

fn row(html: &mut Html, now: Timestamp, row: &Row<'_>, columns: Columns) {
    // Ages are told on the API's clock.
    let now = row.snapshot.clock.apply(now);
    let connection = row.connection;
    let (class, sign) = look(row.level);
    html.raw("<tr><td><span class=\"badge ");
    html.raw(class);
    html.raw("\"><span class=\"sign\" aria-hidden=\"true\">");
    html.raw(sign);
    html.raw("</span> ");
    html.raw(row.level.as_str());
    html.raw("</span></td>");
    if columns.profile {
        html.raw("<th scope=\"row\">");
        html.name(&connection.labels.profile_name().unwrap_or_default());
        html.raw("</th>");
    }
    html.raw("<td class=\"domain\">");
    html.domain(&connection.labels.domain());
    html.raw("</td><td class=\"words\">");
    html.text(&flow_words(&connection.flow, now));
    html.raw("</td><td class=\"t\">");
    if let Some(at) = connection.flow.expires_at
        && connection.flow.is_live(now)
    {
        let left = span_words(at.seconds_since(now));
        if row.level == Attention::Waiting {
            html.raw("<strong>");
            html.text(&left);
            html.raw("</strong>");
        } else {
            html.text(&left);
        }
    }
    html.raw("</td><td class=\"t\">");
    if let Some(at) = connection.last_auth_check_at.or(connection.last_auth_at) {
        let age = span_words(now.seconds_since(at).max(0.0));
        summary::time(html, at, &format!("{age} ago"));
    }
    html.raw("</td><td class=\"words\">");
    html.text(&relogin_words(connection));
    html.raw("</td>");
    html.raw(if columns.profile {
        "<td class=\"id\">"
    } else {
        "<th scope=\"row\" class=\"id\">"
    });
    let id = connection.labels.id();
    match probe_link(&id, row.view) {
        Some(link) => {
            html.raw("<a href=\"");
            html.text(&link);
            html.raw("\" title=\"Ask the API about this connection now\">");
            html.name(&id);
            html.raw("</a>");
        }
        None => html.name(&id),
    }
    if columns.place {
        html.raw("<br><span class=\"place\">");
        summary::place(html, &row.view.scope);
        html.raw("</span>");
    }
    html.raw(if columns.profile {
        "</td></tr>\n"
    } else {
        "</th></tr>\n"
    });
}

/// The probe of a connection; `None` for an id that `/probe` does not take.
fn probe_link(id: &str, view: &ScopeView) -> Option<String> {
    const PAGE: &str = "probe?";
    connection_id(id).ok()?;
    let mut query = form_urlencoded::Serializer::for_suffix(PAGE.to_owned(), PAGE.len());
    query.append_pair("target", id);
    for (name, value) in [
        ("account", view.scope.account()),
        ("project", view.scope.project()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    Some(query.finish())
}

fn pages(html: &mut Html, query: &Query, selected: &Selected<'_>) {
    if selected.pages == 1 {
        return;
    }
    let (page, last) = (selected.page, selected.pages);
    html.raw("<nav class=\"pages\" aria-label=\"Pages\">\n");
    let mut link = |target: usize, words: &'static str, wanted: bool| {
        if wanted {
            html.raw("<a href=\"");
            html.text(&query.link(query.level, target));
            html.raw("\">");
            html.raw(words);
            html.raw("</a>\n");
        } else {
            html.raw("<span>");
            html.raw(words);
            html.raw("</span>\n");
        }
    };
    link(1, "First", page > 1);
    link(page.saturating_sub(1).max(1), "Previous", page > 1);
    link((page + 1).min(last), "Next", page < last);
    link(last, "Last", page < last);
    html.raw("<span>Page ");
    html.count(page);
    html.raw(" of ");
    html.count(last);
    html.raw("</span>\n</nav>\n");
}
