//! The upper half of the fleet's page: numbers, and whether the API answers.

use maud::{Markup, html};

use super::parts::{View, ago, class, clock, counted, hint, name, place, sign, time};
use super::query::Query;
use super::select::Selected;
use crate::model::{Attention, Failure, Fleet, ScopeView, failure_words, span_words, visible};

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
                (api(view))
                (waits(view))
                (tiles(query, selected))
                @if view.fleet.scopes.len() > 1 { (scopes(view)) }
            }
        }
    }
}

/// Whether the API answers, and how old the data are.
fn api(view: &View<'_>) -> Markup {
    let scopes = &view.fleet.scopes;
    let failing: Vec<&Failure> = scopes
        .iter()
        .filter_map(|view| view.failure.as_deref())
        .collect();
    // One trouble, as a rule, however many projects there are.
    let shared = failing
        .first()
        .filter(|first| failing.iter().all(|each| each.reason == first.reason));
    let oldest = scopes
        .iter()
        .filter_map(|scope| Some(scope.snapshot.as_ref()?.fetched_at))
        .min();
    html! {
        p.api.good[failing.is_empty()].bad[!failing.is_empty()] {
            span.sign aria-hidden="true" {
                @if failing.is_empty() { "\u{2713}" } @else { "\u{2715}" }
            }
            " "
            @match (&*failing, scopes.len()) {
                ([], 0) => { strong { "The API answers" } "; there is no active project." }
                ([], _) => { strong { "The API answers." } }
                (failing, all) => {
                    strong {
                        "The API "
                        (shared.map_or("did not answer fully", |first| failure_words(first.reason)))
                    }
                    @if all > 1 {
                        " for " (counted(failing.len())) " of " (counted(all))
                        " accounts and projects"
                    }
                    @if let ([only], 1) = (failing, all) { ", " (since(view, only)) }
                    "."
                }
            }
            " "
            @match oldest {
                Some(at) if failing.is_empty() => {
                    "Last asked " (time(at, &ago(at, view.now))) ", at " (clock(at, view.now)) "."
                    @if view.now.seconds_since(at) > OLD_SECONDS { " Nobody has scraped since." }
                }
                Some(at) => {
                    "The last known state is shown, from " (time(at, &ago(at, view.now)))
                    ", at " (clock(at, view.now)) "."
                }
                None if !failing.is_empty() => {
                    "Nothing is known."
                }
                None => {}
            }
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
                " to wait for another "
                (span_words(until.seconds_since(view.now).max(0.0)))
                "; until then nothing is asked."
            }
        }
    }
}

/// The numbers, each a link to those it counts.
fn tiles(query: &Query, selected: &Selected<'_>) -> Markup {
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
                        span.number { (counted(count)) } " "
                        span.label { (sign(level)) " " (level.as_str()) } " "
                        span.hint { (hint(level)) }
                    }
                }
            }
            li {
                a.tile.all
                    href=(query.with_level(None).link())
                    aria-current=[query.level.is_none().then_some("true")]
                {
                    span.number { (counted(selected.total())) } " "
                    span.label { span.sign aria-hidden="true" { "\u{2211}" } " all" } " "
                    span.hint { "every connection watched" }
                }
            }
        }
    }
}

/// Each account and project, those that fail first.
fn scopes(view: &View<'_>) -> Markup {
    let Fleet { scopes, .. } = view.fleet;
    let (good, bad): (Vec<_>, Vec<_>) = scopes.iter().partition(|scope| scope.is_up());
    let hidden = scopes.len().saturating_sub(MAX_SCOPES);
    html! {
        details open[!bad.is_empty()] {
            summary { (counted(scopes.len())) " accounts and projects" }
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
                            (scope_row(view, scope))
                        }
                    }
                }
            }
            @if hidden > 0 { p { (counted(hidden)) " more are not listed here." } }
        }
    }
}

fn scope_row(view: &View<'_>, scope: &ScopeView) -> Markup {
    let urgent = scope.snapshot.as_ref().map(|snapshot| {
        let now = snapshot.clock.apply(view.now);
        let levels = snapshot.connections.iter();
        let levels = levels.map(|connection| Attention::of(connection, now));
        let urgent = |level: &Attention| *level <= Attention::NeedsPerson;
        levels.filter(urgent).count()
    });
    html! {
        tr {
            th scope="row" {
                @if scope.snapshot.is_none() && scope.scope.project().is_none() { "Projects of " }
                (place(&scope.scope))
            }
            @match &scope.failure {
                None => { td { "answers" } }
                Some(failure) => {
                    td.fails {
                        strong { span aria-hidden="true" { "\u{2715}" } " " (failure_words(failure.reason)) }
                        span.until { (since(view, failure)) }
                    }
                }
            }
            @match &scope.snapshot {
                Some(snapshot) => {
                    td { (time(snapshot.fetched_at, &ago(snapshot.fetched_at, view.now))) }
                    td.n { (counted(snapshot.connections.len())) }
                }
                None => { td { "nothing known" } td.n { "\u{2013}" } }
            }
            td.n { (urgent.map_or("\u{2013}".to_owned(), counted)) }
        }
    }
}
