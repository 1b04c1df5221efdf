//! What was found, on one screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::advice::{self, setting};
use super::findings::Findings;
use crate::collect::Collected;
use crate::config::{Account, Config, KeySource, shown_path};
use crate::duration;
use crate::kernel::{AuthContext, allowed};
use crate::model::{
    AuthStatus, Collector, ErrorReason, Projects, ScopeView, Snapshot, counted, first_of, visible,
};
use crate::redact;

/// Cells of a line.
const WIDTH: usize = 80;

/// Where what is found begins in a line.
const INDENT: usize = 13;

/// Projects, or ids, that are named one by one.
const NAMED: usize = 8;

/// A text for people, and whether the API answered fully.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) is_good: bool,
    interval: Duration,
    /// Requests a minute by organisation, with the accounts that are of it.
    by_organization: BTreeMap<Box<str>, (u64, Vec<String>)>,
}

impl Report {
    pub(super) fn new(config: &Config, interval: Duration) -> Self {
        Self {
            text: format!("{}\n", redact::logged(config.api.url.as_str())),
            is_good: true,
            interval,
            by_organization: BTreeMap::new(),
        }
    }

    /// What one account is like; `config` has no other.
    pub(super) fn add(&mut self, config: &Config, account: &Account, found: &Findings) {
        let name = account.name.as_deref().unwrap_or("account");
        let _ = writeln!(self.text, "\n{}", visible(name));
        let source = source(&account.key);
        let key = match &found.context {
            Ok(context) => {
                let of = match (&context.project, &context.organization) {
                    (Some(project), _) => format!("of project {project} alone"),
                    (None, Some(organization)) => format!("of organisation {organization}"),
                    (None, None) => "of an organisation that is not told".to_owned(),
                };
                format!("good, {of}; {source}")
            }
            Err(error) if found.is_the_end() => {
                self.is_good = false;
                let refused = error.reason() == ErrorReason::Unauthorized;
                let word = if refused { "refused" } else { "not confirmed" };
                format!("{word}, {source}: {error}")
            }
            Err(error) => format!("{source}; it may not ask about itself: {error}"),
        };
        self.line("key", &key);
        let Some(collected) = &found.collected else {
            return;
        };
        self.is_good &= collected.is_whole();
        self.projects(account, found);
        self.connections(found, collected);
        self.cost(config, name, found, collected);
        let mut advice = advice::on_selection(config, account, found, collected);
        advice.extend(advice::on_cost(config, self.interval, found));
        if advice.is_empty() && collected.is_whole() {
            self.line("to set", "nothing");
        }
        let sign = if advice.len() > 1 { "- " } else { "" };
        for (at, advice) in advice.iter().enumerate() {
            let name = if at == 0 { "to set" } else { "" };
            self.line(name, &format!("{sign}{advice}"));
        }
    }

    /// What the accounts have in common, and the end.
    pub(super) fn end(&mut self) {
        let shared: Vec<_> = std::mem::take(&mut self.by_organization)
            .into_values()
            .filter(|(_, accounts)| accounts.len() > 1)
            .collect();
        for (requests, accounts) in shared {
            let text = format!(
                "{} are of one organisation and share its limit: {requests} requests a minute \
                 together",
                accounts.join(", ")
            );
            self.text.push('\n');
            wrap(&mut self.text, "", 0, &text);
        }
        self.text.push_str(if self.is_good {
            "\nThe API answered fully.\n"
        } else {
            "\nThe API did not answer fully.\n"
        });
    }

    fn line(&mut self, label: &str, text: &str) {
        wrap(&mut self.text, &format!("  {label:<11}"), INDENT, text);
    }

    fn projects(&mut self, account: &Account, found: &Findings) {
        let listed = match &found.projects {
            Some(Ok(projects)) => {
                let active = projects.iter().filter(|project| project.active).count();
                let archived = match projects.len() - active {
                    0 => String::new(),
                    count => format!(" and {count} archived"),
                };
                format!("{active} active{archived}")
            }
            Some(Err(error)) => format!("cannot be listed: {error}"),
            None => return,
        };
        let watched = match &account.projects {
            Projects::All => "all active ones are watched".to_owned(),
            Projects::Listed(ids) => format!("{} watched by name", ids.len()),
            Projects::Unscoped => "none is named: what the key sees by itself".to_owned(),
        };
        self.line("projects", &format!("{listed}; {watched}"));
    }

    /// Says what is seen.
    fn connections(&mut self, found: &Findings, collected: &Collected) {
        let fleet = &collected.fleet;
        let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, connection) in fleet.connections() {
            *by_status.entry(connection.status.as_str()).or_default() += 1;
        }
        let total: usize = by_status.values().sum();
        let mut text = counted(total, "connection");
        let known = AuthStatus::LABELS.iter();
        let by_status = known.filter_map(|name| Some(format!("{} {name}", by_status.get(name)?)));
        let by_status: Vec<_> = by_status.collect();
        if !by_status.is_empty() {
            let _ = write!(text, ": {}", by_status.join(", "));
        }
        self.line("sees", &text);
        self.by_project(&fleet.scopes, found);
        let missing: Vec<&str> = fleet
            .scopes
            .iter()
            .filter_map(|view| view.snapshot.as_deref())
            .flat_map(|snapshot: &Snapshot| &snapshot.found)
            .filter(|(_, found)| !**found)
            .map(|(id, _)| &**id)
            .collect();
        if !missing.is_empty() {
            let named = first_of(missing.iter().copied(), NAMED, missing.len());
            self.line("not known", &named);
        }
    }

    /// How many there are in each project, and what failed.
    fn by_project(&mut self, scopes: &[ScopeView], found: &Findings) {
        let name = |view: &ScopeView| match view.scope.project() {
            Some(id) => found.project(id),
            None => "no project".to_owned(),
        };
        for view in scopes.iter().filter(|view| !view.is_up()).take(NAMED) {
            let message = view.failure.as_ref().map_or("", |failure| &failure.message);
            let text = match view.scope.project() {
                Some(_) => format!("{}: {message}", name(view)),
                None => message.to_owned(),
            };
            self.line("failed", &text);
        }
        let count = |view: &ScopeView| {
            let snapshot = view.snapshot.as_deref();
            snapshot.map_or(0, |snapshot| snapshot.connections.len())
        };
        let mut counts: Vec<_> = scopes
            .iter()
            .filter(|view| view.is_up() && view.scope.project().is_some())
            .map(|view| (count(view), name(view)))
            .collect();
        counts.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.cmp(b)));
        let width = counts
            .iter()
            .take(NAMED)
            .map(|(_, name)| name.chars().count());
        let width = width.max().unwrap_or(0).min(WIDTH - INDENT - 12);
        for (count, name) in counts.iter().take(NAMED) {
            self.line("", &format!("{name:<width$} {count:>7}"));
        }
        if let Some(rest) = counts.get(NAMED..).filter(|rest| !rest.is_empty()) {
            let sum: usize = rest.iter().map(|(count, _)| count).sum();
            let name = format!("{} more", rest.len());
            self.line("", &format!("{name:<width$} {sum:>7}"));
        }
    }

    /// Says what it costs.
    fn cost(&mut self, config: &Config, name: &str, found: &Findings, collected: &Collected) {
        let cost = found.cost(config);
        let every = self.interval.max(config.api.cache);
        let minute = cost.per_minute(every);
        let took = match found.took.as_millis() {
            millis @ ..1000 => format!("{millis} ms"),
            _ => format!("{:.1} s", found.took.as_secs_f64()),
        };
        self.line(
            "a scrape",
            &format!(
                "{} in {took}, {} at once at most",
                counted(cost.scrape + cost.listing, "request"),
                config.api.concurrency
            ),
        );
        let cached = if config.api.cache > self.interval {
            ", for all scrapers that share the cache"
        } else {
            " by one Prometheus"
        };
        let mut text = format!(
            "{}, collected every {}{cached}",
            counted(minute, "request"),
            duration::format(every)
        );
        match found.limit {
            Some(limit) => {
                let allowed = allowed(limit, config.api.quota_share);
                let share = config.api.quota_share;
                let _ = write!(
                    text,
                    "; {allowed} are allowed (of the {limit} that the API publishes, \
                     {} is {share})",
                    setting(config, "--kernel.quota-share", "quota_share")
                );
            }
            None => text.push_str("; the API publishes no limit here"),
        }
        self.line("a minute", &text);
        if config.collectors.has(Collector::Timeline) {
            let most = config.api.timeline_requests * collected.fleet.scopes.len();
            let text = format!("at most {most} requests after each, of what is left");
            self.line("timelines", &text);
        }
        if let Ok(AuthContext {
            organization: Some(organization),
            ..
        }) = &found.context
        {
            let (requests, accounts) = self
                .by_organization
                .entry(organization.clone())
                .or_default();
            *requests += minute;
            accounts.push(name.to_owned());
        }
    }
}

fn source(key: &KeySource) -> String {
    match key {
        KeySource::File(path) => format!("from {}", shown_path(path)),
        KeySource::Value(_) => "from the environment".to_owned(),
    }
}

/// Writes `text` behind `head`, and what does not fit on lines of its own.
fn wrap(out: &mut String, head: &str, indent: usize, text: &str) {
    let mut line = head.to_owned();
    let mut is_empty = true;
    // Names come from elsewhere.
    let text = visible(text);
    // Rows of a table keep their spaces.
    let words: Vec<&str> = if text.chars().count() + indent <= WIDTH {
        vec![&text]
    } else {
        text.split_whitespace().collect()
    };
    for word in words {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
