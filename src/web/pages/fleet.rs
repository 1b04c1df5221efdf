//! The upper half of the fleet's page: numbers, and whether the API answers.

use maud::{Markup, html};

use super::parts::{
    View, class, clock, clock_words, grouped, hint, level_sign, name, place, sign, time,
};
use super::query::Query;
use super::select::Selected;
use crate::model::{
    Attention, Failure, Fleet, ScopeView, ago_words, counted, failure_words, first_of, span_words,
    visible,
};

/// Accounts and projects that are listed; those that fail first.
const MAX_SCOPES: usize = 50;

/// Reasons that are told above the numbers.
const MAX_REASONS: usize = 3;

/// Connections that are named though they are not there.
const MAX_NAMED: usize = 20;

/// From this age on the data may be older than who reads them thinks.
const OLD_SECONDS: f64 = 600.0;

/// The title: what the tab should say when the page is not in front.
pub(super) fn title(view: &View<'_>, selected: &Selected<'_>) -> String {
    let mut parts = Vec::new();
    for (level, one, several) in [
        (Attention::Waiting, "waiting", "waiting"),
        (Attention::NeedsPerson, "needs a login", "need a login"),
    ] {
        match selected.count(level) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{} {several}", grouped(count))),
        }
    }
    if !view.untouched && view.fleet.scopes.iter().any(|scope| !scope.is_up()) {
        parts.push("API fails".to_owned());
    }
    parts.push("Kernel auth connections".to_owned());
    parts.join(" · ")
}

pub(super) fn glance(view: &View<'_>, query: &Query, selected: &Selected<'_>) -> Markup {
    html! {
        section aria-labelledby="glance" {
            h1 #glance { "Kernel auth connections" }
            @if view.untouched {
                div.note {
                    p {
                        strong { "No scrape yet." }
                        " Nobody has asked for the metrics since the exporter started, so \
                         nothing is known. Let Prometheus scrape "
                        a href=(view.metrics_link()) { (view.telemetry_path) }
                        ", or open it once, and load this page again."
                    }
                }
            } @else {
                (narrowed(view, query))
                (api(view))
                (waits(view))
                (clocks(view))
                (not_found(view))
                // Of what nobody knows there is no number.
                @if view.fleet.scopes.iter().any(|scope| scope.snapshot.is_some()) {
                    (tiles(view, query, selected))
                }
                @if view.fleet.scopes.len() > 1 { (scopes(view, query)) }
            }
        }
    }
}

/// That this is not everything.
fn narrowed(view: &View<'_>, query: &Query) -> Markup {
    let asked = query.project.as_deref().or(query.account.as_deref());
    html! {
        @if let Some(asked) = asked {
            p.note {
                "Only "
                @if let [only] = &*view.fleet.scopes { (place(only)) } @else { (name(asked)) }
                " is shown. "
                a href=(query.anywhere().link()) { "Show every account and project" }
            }
        }
    }
}

/// Whether the API answers, and how old the data are.
fn api(view: &View<'_>) -> Markup {
    let scopes = &view.fleet.scopes;
    let groups = failing(view.fleet);
    let oldest = scopes
        .iter()
        .filter_map(|scope| Some(scope.snapshot.as_ref()?.fetched_at))
        .min();
    if groups.is_empty() {
        return html! {
            p.api.good {
                (sign("\u{2713}")) " "
                @if scopes.is_empty() {
                    strong { "The API answers" } "; there is no active project."
                } @else {
                    strong { "The API answers." }
                }
                @if let Some(at) = oldest {
                    " Last asked " (time(at, &ago_words(at, view.now))) ", at " (clock(at, view.now)) "."
                    @if view.now.seconds_since(at) > OLD_SECONDS { " Nobody has scraped since." }
                }
            }
        };
    }
    let shown = groups.len().min(MAX_REASONS);
    html! {
        div.api.bad {
            @for group in &groups[..shown] {
                p {
                    (sign("\u{2715}")) " "
                    strong { "The API " (failure_words(group.first.reason)) }
                    @if scopes.len() > 1 { " for " (whom(group, scopes.len())) }
                    ", " (since(view, group.first)) "."
                }
            }
            @if shown < groups.len() {
                p { "There are " (grouped(groups.len() - shown)) " more reasons below." }
            }
            p {
                @match oldest {
                    Some(at) => {
                        "The last known state is shown, from " (time(at, &ago_words(at, view.now)))
                        ", at " (clock(at, view.now)) "."
                    }
                    None => { "Nothing is known." }
                }
            }
        }
    }
}

/// Accounts and projects for which the API fails in the same way: one trouble,
/// as a rule, however many there are.
struct Failing<'a> {
    first: &'a Failure,
    scopes: Vec<&'a ScopeView>,
}

fn failing(fleet: &Fleet) -> Vec<Failing<'_>> {
    let mut groups: Vec<Failing<'_>> = Vec::new();
    for scope in &fleet.scopes {
        let Some(failure) = scope.failure.as_deref() else {
            continue;
        };
        let mut same = groups.iter_mut();
        match same.find(|group| group.first.reason == failure.reason) {
            Some(group) => group.scopes.push(scope),
            None => groups.push(Failing {
                first: failure,
                scopes: vec![scope],
            }),
        }
    }
    groups
}

fn whom(group: &Failing<'_>, all: usize) -> Markup {
    let Failing { scopes, .. } = group;
    html! {
        @if scopes.len() == all {
            "all " (grouped(all)) " accounts and projects"
        } @else if let [scope] = &**scopes {
            (place(scope))
        } @else {
            (grouped(scopes.len())) " of " (grouped(all)) " accounts and projects"
        }
    }
}

/// Since when, and what to do about it.
fn since(view: &View<'_>, failure: &Failure) -> Markup {
    html! {
        "since " (clock(failure.since, view.now)) ": " (visible(&failure.message))
    }
}

/// What the API has asked to wait for.
fn waits(view: &View<'_>) -> Markup {
    let waiting = view.fleet.accounts.iter();
    let waiting = waiting.filter_map(|account| Some((account, account.blocked_until?)));
    html! {
        @for (account, until) in waiting {
            p.note {
                "The API has asked "
                @match &account.account {
                    Some(account) => { (name(account)) }
                    None => { "us" }
                }
                " to wait; nothing is asked for another "
                (span_words(until.seconds_since(view.now).max(0.0))) "."
            }
        }
    }
}

/// Times of connections are the API's, others this machine's.
fn clocks(view: &View<'_>) -> Markup {
    let offsets = view.fleet.accounts.iter();
    let offsets = offsets.filter_map(|account| Some((account, account.clock?)));
    html! {
        @for (account, offset) in offsets {
            @if let Some(words) = clock_words(offset) {
                p.note {
                    @if let Some(account) = &account.account { (name(account)) ": " }
                    (words)
                }
            }
        }
    }
}

/// Connections that the configuration names and Kernel does not know.
fn not_found(view: &View<'_>) -> Markup {
    let snapshots = view
        .fleet
        .scopes
        .iter()
        .filter_map(|scope| scope.snapshot.as_ref());
    let ids: Vec<&str> = snapshots
        .flat_map(|snapshot| snapshot.not_found())
        .collect();
    html! {
        @if !ids.is_empty() {
            p.note {
                strong { "Kernel does not know " (counted(ids.len(), "connection")) }
                " that the configuration names: "
                span.code { (visible(&first_of(ids.iter().copied(), MAX_NAMED, ids.len()))) } "."
            }
        }
    }
}

/// The numbers, each a link to those it counts.
fn tiles(view: &View<'_>, query: &Query, selected: &Selected<'_>) -> Markup {
    let all = view
        .fleet
        .scopes
        .iter()
        .all(|scope| scope.snapshot.is_some());
    let levels = Attention::ALL.iter().copied().filter(|level| {
        *level != Attention::Unknown || selected.count(*level) > 0 || query.level == Some(*level)
    });
    html! {
        ul.tiles {
            @for level in levels {
                @let count = selected.count(level);
                li {
                    a.tile.(if count == 0 { "none" } else { class(level) })
                        href=(query.with_level(Some(level)).link())
                        aria-current=[(query.level == Some(level)).then_some("true")]
                    {
                        span.number { (grouped(count)) } " "
                        span.label { (level_sign(level)) " " (level.words()) } " "
                        span.hint { (hint(level)) }
                    }
                }
            }
            li {
                a.tile.all
                    href=(query.with_level(None).link())
                    aria-current=[query.level.is_none().then_some("true")]
                {
                    span.number { (grouped(selected.total())) } " "
                    span.label { (sign("\u{2211}")) " all" } " "
                    span.hint {
                        @if !all {
                            "of those that are known"
                        } @else if query.place().next().is_some() {
                            "every connection here"
                        } @else {
                            "every connection watched"
                        }
                    }
                }
            }
        }
    }
}

/// Each account and project, those that fail first.
fn scopes(view: &View<'_>, query: &Query) -> Markup {
    let Fleet { scopes, .. } = view.fleet;
    let (good, bad): (Vec<_>, Vec<_>) = scopes.iter().partition(|scope| scope.is_up());
    let hidden = scopes.len().saturating_sub(MAX_SCOPES);
    html! {
        details {
            summary { (grouped(scopes.len())) " accounts and projects" }
            div.scroll role="region" aria-label="Accounts and projects" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Account and project" }
                            th scope="col" { "API" }
                            th scope="col" { "Data" }
                            th.n scope="col" { "Connections" }
                            th.n scope="col" { "Waiting or need a login" }
                        }
                    }
                    tbody {
                        @for scope in bad.iter().chain(&good).take(MAX_SCOPES) {
                            (scope_row(view, query, scope))
                        }
                    }
                }
            }
            @if hidden > 0 { p { (grouped(hidden)) " more are not listed here." } }
        }
    }
}

fn scope_row(view: &View<'_>, query: &Query, scope: &ScopeView) -> Markup {
    let urgent = scope.snapshot.as_ref().map(|snapshot| {
        let now = snapshot.clock.apply(view.now);
        let levels = snapshot.connections.iter();
        let levels = levels.map(|connection| Attention::of(connection, now));
        let urgent = |level: &Attention| *level <= Attention::NeedsPerson;
        levels.filter(urgent).count()
    });
    html! {
        tr {
            th scope="row" { a href=(query.within(&scope.scope).link()) { (place(scope)) } }
            @match &scope.failure {
                None => { td { "answers" } }
                Some(failure) => {
                    td.fails {
                        strong { (sign("\u{2715}")) " " (failure_words(failure.reason)) }
                        span.until { (since(view, failure)) }
                    }
                }
            }
            @match &scope.snapshot {
                Some(snapshot) => {
                    td { (time(snapshot.fetched_at, &ago_words(snapshot.fetched_at, view.now))) }
                    td.n { (grouped(snapshot.connections.len())) }
                }
                None => { td { "nothing known" } td.n { "\u{2013}" } }
            }
            td.n { (urgent.map_or("\u{2013}".to_owned(), grouped)) }
        }
    }
}
