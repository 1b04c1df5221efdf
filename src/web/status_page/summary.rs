//! The upper half: numbers, the age of the data, and whether the API answers.

use super::html::{Html, counted};
use super::query::{Query, slug};
use super::select::Selected;
use super::{View, look};
use crate::model::{Attention, Scope, ScopeView, Timestamp, span_words};

/// Accounts and projects that are listed; those that fail first.
const MAX_SCOPES: usize = 50;

/// From this age on the data may be older than who reads them thinks.
const OLD_SECONDS: f64 = 600.0;

/// The title: what the tab should say when the page is not in front.
pub(super) fn title(view: &View<'_>, selected: &Selected<'_>) -> String {
    let mut parts = Vec::new();
    for (level, words) in [
        (Attention::Waiting, "waiting"),
        (Attention::NeedsPerson, "need a login"),
    ] {
        let count = selected.count(level);
        if count > 0 {
            parts.push(format!("{} {words}", counted(count)));
        }
    }
    if !view.untouched && view.fleet.scopes.iter().any(|scope| !scope.up) {
        parts.push("API fails".to_owned());
    }
    parts.push("Kernel auth connections".to_owned());
    parts.join(" · ")
}

pub(super) fn write(html: &mut Html, view: &View<'_>, query: &Query, selected: &Selected<'_>) {
    html.raw("<section aria-labelledby=\"glance\">\n<h2 id=\"glance\">At a glance</h2>\n");
    if view.untouched {
        html.raw(
            "<div class=\"note\"><p><strong>No scrape yet.</strong> Nobody has asked for the \
             metrics since the exporter started, so nothing is known. Let Prometheus scrape \
             <a href=\"",
        );
        html.text(view.metrics_link());
        html.raw("\">");
        html.text(view.telemetry_path);
        html.raw("</a>, or open it once, and load this page again.</p></div>\n</section>\n");
        return;
    }
    api(html, view);
    tiles(html, query, selected);
    if view.fleet.scopes.len() > 1 {
        scopes(html, view);
    }
    html.raw("</section>\n");
}

/// Whether the API answers, and how old the data are.
fn api(html: &mut Html, view: &View<'_>) {
    let scopes = &view.fleet.scopes;
    let failing = scopes.iter().filter(|scope| !scope.up).count();
    let oldest = scopes
        .iter()
        .filter_map(|scope| Some(scope.snapshot.as_ref()?.fetched_at))
        .min();
    html.raw(if failing == 0 {
        "<p class=\"api good\"><span class=\"sign\" aria-hidden=\"true\">\u{2713}</span> "
    } else {
        "<p class=\"api bad\"><span class=\"sign\" aria-hidden=\"true\">\u{2715}</span> "
    });
    match (failing, scopes.len()) {
        (0, 0) => html.raw("<strong>The API answers</strong>; there is no active project."),
        (0, _) => html.raw("<strong>The API answers.</strong>"),
        (_, 1) => html.raw("<strong>The API did not answer fully</strong> when last asked."),
        (failing, all) => {
            html.raw("<strong>The API did not answer fully</strong> for ");
            html.count(failing);
            html.raw(" of ");
            html.count(all);
            html.raw(" accounts and projects when last asked.");
        }
    }
    html.raw(" ");
    match oldest {
        Some(at) => {
            let age = view.now.seconds_since(at);
            html.raw(if failing == 0 {
                "Last asked "
            } else {
                "The last known state is shown, from "
            });
            time(html, at, &span_words(age.max(0.0)));
            html.raw(" ago.");
            if failing == 0 && age > OLD_SECONDS {
                html.raw(" Nobody has scraped since.");
            }
        }
        None if failing > 0 => html.raw("Nothing is known. The exporter's log says why."),
        None => {}
    }
    html.raw("</p>\n");
    for account in &view.fleet.accounts {
        let Some(until) = account.blocked_until else {
            continue;
        };
        html.raw("<p class=\"note\">The API has asked ");
        match &account.account {
            Some(name) => html.name(name),
            None => html.raw("us"),
        }
        html.raw(" to wait for another ");
        html.text(&span_words(until.seconds_since(view.now).max(0.0)));
        html.raw("; until then nothing is asked.</p>\n");
    }
}

/// A point in time, shown as `words`.
pub(super) fn time(html: &mut Html, at: Timestamp, words: &str) {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(at) => {
            let text = format!("{at:.0}");
            html.raw("<time datetime=\"");
            html.text(&text);
            html.raw("\" title=\"");
            html.text(&text);
            html.raw("\">");
            html.text(words);
            html.raw("</time>");
        }
        Err(_) => html.text(words),
    }
}

/// The numbers, each a link to those it counts.
fn tiles(html: &mut Html, query: &Query, selected: &Selected<'_>) {
    html.raw("<ul class=\"tiles\">\n");
    let mut tile =
        |class, sign, (label, hint): (&'static str, &'static str), count, link: &str, current| {
            html.raw("<li><a class=\"tile ");
            html.raw(class);
            html.raw("\" href=\"");
            html.text(link);
            html.raw(if current {
                "\" aria-current=\"true\"><span class=\"number\">"
            } else {
                "\"><span class=\"number\">"
            });
            html.count(count);
            html.raw("</span> <span class=\"label\"><span class=\"sign\" aria-hidden=\"true\">");
            html.raw(sign);
            html.raw("</span> ");
            html.raw(label);
            html.raw("</span> <span class=\"hint\">");
            html.raw(hint);
            html.raw("</span></a></li>\n");
        };
    let everything = Query::default();
    for level in Attention::ALL {
        let count = selected.count(*level);
        if count == 0 && *level == Attention::Unknown {
            continue;
        }
        let (class, sign) = look(*level);
        let link = everything.link(Some(*level), 1);
        let class = if count == 0 { "none" } else { class };
        let current = query.level == Some(*level);
        tile(
            class,
            sign,
            (level.as_str(), hint(*level)),
            count,
            &link,
            current,
        );
    }
    let (total, link) = (selected.total(), everything.link(None, 1));
    tile(
        "all",
        "\u{2211}",
        ("in all", "every connection watched"),
        total,
        &link,
        query.is_everything(),
    );
    html.raw("</ul>\n");
}

/// What a level means for who reads it.
const fn hint(level: Attention) -> &'static str {
    match level {
        Attention::Waiting => "a login flow stands still until somebody acts",
        Attention::NeedsPerson => "logged out, and nothing will change that by itself",
        Attention::NeedsAuth => "a re-login is possible or under way",
        Attention::Unknown => "a state that this version does not know",
        Attention::Fine => "when last checked",
    }
}

/// Each account and project, those that fail first.
fn scopes(html: &mut Html, view: &View<'_>) {
    let (good, bad): (Vec<_>, Vec<_>) = view.fleet.scopes.iter().partition(|scope| scope.up);
    html.raw(if bad.is_empty() {
        "<details>\n<summary>"
    } else {
        "<details open>\n<summary>"
    });
    html.count(view.fleet.scopes.len());
    html.raw(" accounts and projects</summary>\n<div class=\"scroll\" role=\"region\" ");
    html.raw("aria-label=\"Accounts and projects\" tabindex=\"0\">\n<table>\n<thead><tr>");
    html.raw("<th scope=\"col\">Account and project</th><th scope=\"col\">API</th>");
    html.raw("<th scope=\"col\">Data</th><th scope=\"col\" class=\"n\">Connections</th>");
    html.raw("<th scope=\"col\" class=\"n\">Waiting or need a login</th></tr></thead>\n<tbody>\n");
    let shown = bad.iter().chain(&good).take(MAX_SCOPES);
    for scope in shown {
        row(html, view, scope);
    }
    html.raw("</tbody>\n</table>\n</div>\n");
    let hidden = view.fleet.scopes.len().saturating_sub(MAX_SCOPES);
    if hidden > 0 {
        html.raw("<p>");
        html.count(hidden);
        html.raw(" more are not listed here.</p>\n");
    }
    html.raw("</details>\n");
}

fn row(html: &mut Html, view: &View<'_>, scope: &ScopeView) {
    html.raw("<tr><th scope=\"row\">");
    if scope.snapshot.is_none() && scope.scope.project().is_none() {
        html.raw("Projects of ");
    }
    place(html, &scope.scope);
    html.raw(if scope.up {
        "</th><td>answers</td><td>"
    } else {
        "</th><td class=\"fails\"><span aria-hidden=\"true\">\u{2715}</span> did not answer fully</td><td>"
    });
    let Some(snapshot) = &scope.snapshot else {
        html.raw(
            "nothing known</td><td class=\"n\">\u{2013}</td><td class=\"n\">\u{2013}</td></tr>\n",
        );
        return;
    };
    let at = snapshot.fetched_at;
    let age = span_words(view.now.seconds_since(at).max(0.0));
    time(html, at, &format!("{age} ago"));
    html.raw("</td><td class=\"n\">");
    html.count(snapshot.connections.len());
    let now = snapshot.clock.apply(view.now);
    let urgent = snapshot.connections.iter().filter(|connection| {
        matches!(
            Attention::of(connection, now),
            Attention::Waiting | Attention::NeedsPerson
        )
    });
    html.raw("</td><td class=\"n\">");
    html.count(urgent.count());
    html.raw("</td></tr>\n");
}

pub(super) fn place(html: &mut Html, scope: &Scope) {
    match (scope.account(), scope.project()) {
        (Some(account), Some(project)) => {
            html.name(account);
            html.raw(" / ");
            html.name(project);
        }
        (Some(name), None) | (None, Some(name)) => html.name(name),
        (None, None) => html.raw("no project named"),
    }
}

/// The form, for the lower half: text and status.
pub(super) fn filter(html: &mut Html, query: &Query) {
    html.raw("<form role=\"search\" method=\"get\" aria-label=\"Filter the connections\">\n");
    html.raw("<p><label for=\"q\">Profile, domain, ID, project or reason</label>\n");
    html.raw("<input id=\"q\" name=\"q\" type=\"search\" autocomplete=\"off\" maxlength=\"256\" value=\"");
    html.text(&query.text);
    html.raw(
        "\"></p>\n<p><label for=\"status\">Status</label>\n<select id=\"status\" name=\"status\">",
    );
    html.raw("<option value=\"\">all</option>");
    for level in Attention::ALL {
        html.raw("<option value=\"");
        html.raw(slug(*level));
        html.raw(if query.level == Some(*level) {
            "\" selected>"
        } else {
            "\">"
        });
        html.raw(level.as_str());
        html.raw("</option>");
    }
    html.raw("</select></p>\n<p><button>Filter</button>");
    if !query.is_everything() {
        html.raw(" <a href=\"?\">Show all</a>");
    }
    html.raw("</p>\n</form>\n");
}
