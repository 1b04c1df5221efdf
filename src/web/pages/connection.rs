//! The page of one connection: everything known, what it means, what to do.

use maud::{Markup, Render, html};

use super::help::help;
use super::parts::{
    View, badge, clock_words, connection_link, date, domain, hint, link, name, place, profile, time,
};
use super::query::home;
use crate::model::{
    Attention, Connection, EventOutcome, EventSlot, EventType, FlowStatus, History, PendingInput,
    ScopeView, Snapshot, SsoProvider, Timestamp, ago_words, connection_id, failure_words,
    flow_words, plain_words, span_words, visible,
};

/// A page, and what its answer needs to know of it.
pub(super) struct Page {
    pub(super) title: String,
    /// Where it is, with a query string.
    pub(super) link: String,
    pub(super) found: bool,
    pub(super) main: Markup,
}

/// What is known of the connection `id`: once, in several scopes, or nothing.
pub(super) fn page(view: &View<'_>, id: &str, paused: bool) -> Page {
    let mut found = view
        .fleet
        .connections()
        .filter(|(_, _, connection)| connection.labels.id() == id);
    let Some((scope, snapshot, connection)) = found.next() else {
        return Page {
            title: "Not known · Kernel auth connections".to_owned(),
            link: link("connection", &[("id", Some(id))]),
            found: false,
            main: unknown(view, id, paused),
        };
    };
    let others: Vec<&ScopeView> = found.map(|(scope, ..)| scope).collect();
    if !others.is_empty() {
        return Page {
            title: "Which one? · Kernel auth connections".to_owned(),
            link: link("connection", &[("id", Some(id))]),
            found: true,
            main: choice(id, [scope].into_iter().chain(others), paused),
        };
    }
    // Ages are told on the API's clock.
    let seen = Seen {
        scope,
        snapshot,
        connection,
        now: snapshot.clock.apply(view.now),
    };
    let level = Attention::of(connection, seen.now);
    Page {
        title: format!("{} · {}", visible(&seen.title()), level.words()),
        link: connection_link(id, &scope.scope, false),
        found: true,
        main: seen.page(view, level, paused),
    }
}

fn unknown(view: &View<'_>, id: &str, paused: bool) -> Markup {
    html! {
        h1 { "Not known" }
        p {
            "No connection with the id " span.code { (name(id)) } " is in the last snapshot. "
            @if view.untouched {
                "Nobody has scraped " a href=(view.metrics_link()) { (view.telemetry_path) }
                " since the exporter started, so nothing is known yet."
            } @else {
                "It may be new, deleted, or outside of what the configuration selects."
                @if view.fleet.scopes.iter().any(|scope| !scope.is_up()) {
                    " Or it could not be read: the last collection did not come whole."
                }
            }
        }
        p { a href=(home(paused)) { "All connections" } }
    }
}

fn choice<'a>(id: &str, scopes: impl Iterator<Item = &'a ScopeView>, paused: bool) -> Markup {
    html! {
        h1 { "Which one?" }
        p { "The connection " span.code { (name(id)) } " is seen in several places:" }
        ul {
            @for scope in scopes {
                li {
                    a href=(connection_link(id, &scope.scope, paused)) { (place(scope)) }
                }
            }
        }
        p { a href=(home(paused)) { "All connections" } }
    }
}

/// A connection where it was seen.
struct Seen<'a> {
    scope: &'a ScopeView,
    snapshot: &'a Snapshot,
    connection: &'a Connection,
    /// On the API's clock.
    now: Timestamp,
}

impl Seen<'_> {
    /// What people call it.
    fn title(&self) -> String {
        let labels = &self.connection.labels;
        match profile(labels) {
            Some(profile) => format!("{profile} at {}", labels.domain()),
            None => labels.domain().into_owned(),
        }
    }

    fn page(&self, view: &View<'_>, level: Attention, paused: bool) -> Markup {
        let labels = &self.connection.labels;
        html! {
            nav aria-label="Up" { p { a href=(home(paused)) { "All connections" } } }
            h1 {
                @if let Some(profile) = profile(labels) { (name(&profile)) " at " }
                (domain(&labels.domain()))
            }
            p.state { (badge(level)) " " (hint(level)) "." }
            (help(self.scope.scope.project(), self.connection, self.now, level))
            section aria-labelledby="now" {
                h2 #now { "What the API said" }
                @if let Some(words) = clock_words(self.snapshot.clock) { p.soft { (words) } }
                (self.facts(view))
                (self.actions())
            }
            (self.settings())
            @if let Some(history) = &self.connection.history { (self.history(history)) }
        }
    }

    fn facts(&self, view: &View<'_>) -> Markup {
        let connection = self.connection;
        let flow = &connection.flow;
        let at = |at: Timestamp| html! { (date(at)) ", " (ago_words(at, self.now)) };
        let asked: Vec<String> = PendingInput::ALL
            .iter()
            .zip(PendingInput::LABELS)
            .filter_map(|(kind, label)| {
                let count = flow.pending[*kind as usize].filter(|count| *count > 0)?;
                Some(format!("{count} × {}", plain_words(label)))
            })
            .collect();
        let id = connection.labels.id();
        let kept = self.snapshot.kept_since(connection);
        let seen = kept.unwrap_or(self.snapshot.fetched_at);
        // What could not be read beside this one is not about it.
        let failure = self.scope.failure.as_ref();
        let failure = failure.filter(|failure| failure.unread == 0 || kept.is_some());
        html! {
            dl {
                (fact("Status", plain_words(connection.status.as_str())))
                (maybe("Last auth check", connection.checked_at().map(at)))
                (fact("Login flow", html! {
                    @if flow.status == FlowStatus::None { "none" }
                    (flow_words(flow, self.now))
                }))
                @if let Some(expires) = flow.expires_at {
                    (fact(
                        if flow.is_live(self.now) { "Login ends" } else { "Login ended by" },
                        html! {
                            (date(expires)) ", "
                            @if expires > self.now {
                                "in " (span_words(expires.seconds_since(self.now)))
                            } @else {
                                (ago_words(expires, self.now))
                            }
                        },
                    ))
                }
                @if flow.is_live(self.now) && !asked.is_empty() {
                    (fact("It asks for", asked.join(", ")))
                }
                (maybe("The site shows an error", flow.website_error.map(yes_no)))
                (maybe("Can log in again by itself", connection.can_reauth.map(yes_no)))
                (maybe("Because", connection.can_reauth_reason.map(|reason| {
                    plain_words(reason.as_str())
                })))
                (fact("Connection", html! { span.code { (name(&id)) } }))
                (maybe("Account", self.scope.scope.account().map(name)))
                (maybe("Project", self.scope.scope.project().map(|id| html! {
                    @match &self.scope.project_name {
                        Some(called) => { (name(called)) ", " span.code { (name(id)) } }
                        None => { span.code { (name(id)) } }
                    }
                })))
                (fact("Seen", html! {
                    (date(seen)) ", " (time(seen, &ago_words(seen, view.now)))
                    @if let Some(failure) = failure {
                        "; since then the API " (failure_words(failure.reason))
                    }
                }))
            }
        }
    }

    /// Ways to look again.
    fn actions(&self) -> Markup {
        let id = self.connection.labels.id();
        let scope = &self.scope.scope;
        let probe = |debug| {
            let parameters = [
                ("target", Some(&*id)),
                ("account", scope.account()),
                ("project", scope.project()),
                ("debug", debug),
            ];
            link("probe", &parameters)
        };
        html! {
            @if connection_id(&id).is_ok() {
                p {
                    a href=(probe(None)) { "Fetch it now" } ", or "
                    a href=(probe(Some("true"))) { "see what is asked and answered" }
                    ". Either costs the API a request."
                }
            }
        }
    }

    fn settings(&self) -> Markup {
        let settings = &self.connection.settings;
        html! {
            section aria-labelledby="settings" {
                h2 #settings { "How it is configured" }
                dl {
                    (maybe("Health checks", settings.health_checks.map(on_off)))
                    (maybe("Time between checks", settings.health_check_interval.map(|seconds| {
                        span_words(f64::from(seconds))
                    })))
                    (maybe("Checks prove nothing", settings.health_check_unavailable.map(|reason| {
                        plain_words(reason.as_str())
                    })))
                    (maybe("Unattended re-logins", settings.auto_reauth.map(on_off)))
                    (maybe("Credential", settings.credential.map(|kind| {
                        plain_words(kind.as_str())
                    })))
                    (maybe("Signs in with", settings.sso_provider.map(provider_words)))
                    (maybe("Domains that credentials may be typed at", settings.allowed_domains.map(|count| html! {
                        @match count {
                            0 => { "any" }
                            count => { (count) }
                        }
                    })))
                    (maybe("Typed credentials are saved", settings.save_credentials.map(yes_no)))
                    (maybe("Logins are recorded", settings.record_session.map(yes_no)))
                }
            }
        }
    }

    fn history(&self, history: &History) -> Markup {
        let at = |at: Timestamp| html! { (date(at)) ", " (ago_words(at, self.now)) };
        let ended = EventType::ALL.iter().flat_map(|kind| {
            let outcomes = EventOutcome::ALL.iter();
            outcomes.filter_map(|outcome| {
                let count = history.count(EventSlot::of(*kind, *outcome)?);
                (count > 0).then_some((kind.as_str(), outcome.as_str(), count))
            })
        });
        let ended: Vec<_> = ended.collect();
        html! {
            section aria-labelledby="history" {
                h2 #history { "What happened" }
                dl {
                    (maybe("Last login that succeeded", history.last_success.map(at)))
                    (maybe("Last seen logged in", history.last_confirmed.map(at)))
                    @for (kind, outcome, count) in &ended {
                        (fact(
                            &format!("{}: {}", plain_words(kind), plain_words(outcome)),
                            count,
                        ))
                    }
                }
                @if !ended.is_empty() {
                    p.soft { "Counted since the exporter started." }
                }
            }
        }
    }
}

fn fact(term: &str, value: impl Render) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}

/// What the API does not say is not there.
fn maybe(term: &str, value: Option<impl Render>) -> Markup {
    html! { @if let Some(value) = value { (fact(term, value)) } }
}

const fn yes_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// What people call who signs somebody in.
const fn provider_words(provider: SsoProvider) -> &'static str {
    match provider {
        SsoProvider::Google => "Google",
        SsoProvider::Github => "GitHub",
        SsoProvider::Microsoft => "Microsoft",
        SsoProvider::Other => "another provider",
    }
}

const fn on_off(is: bool) -> &'static str {
    if is { "on" } else { "off" }
}
