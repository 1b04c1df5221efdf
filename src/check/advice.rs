//! What should be set, after what was found.

use std::time::Duration;

use super::cost;
use super::findings::Findings;
use crate::collect::Collected;
use crate::config::{Account, Config};
use crate::duration;
use crate::kernel;
use crate::model::{Projects, Selection};

/// Half of what Prometheus gives a scrape where nobody says otherwise.
const SLOW: Duration = Duration::from_secs(5);

/// Where to look, and for what.
pub(super) fn on_selection(
    config: &Config,
    account: &Account,
    found: &Findings,
    collected: &Collected,
) -> Vec<String> {
    let mut advice = Vec::new();
    let total = collected.fleet.connections().count();
    let context = found.context.as_ref().ok();
    let of_project = context.and_then(|context| context.project.as_deref());
    let active = match &found.projects {
        Some(Ok(projects)) => projects.iter().filter(|project| project.active).count(),
        _ => 0,
    };
    let all_projects = setting(config, "--kernel.project=all", "projects: all");
    let no_projects = matches!(&found.projects, Some(Err(error)) if error.is_of_no_projects());
    if account.projects == Projects::All && no_projects {
        advice.push(format!(
            "leave {all_projects} out: this organisation has no projects"
        ));
    }
    if let (Projects::All, Some(project)) = (&account.projects, of_project) {
        advice.push(format!(
            "leave {all_projects} out: this key is of {project} alone"
        ));
    }
    let can_be_of_all = account.projects == Projects::Unscoped && account.selection.is_open();
    if can_be_of_all && of_project.is_none() && active > 1 {
        let all = match found.in_organization {
            Some(all) => format!(", {total} of {all} connections"),
            None => String::new(),
        };
        advice.push(format!(
            "{all_projects}, unless the default project alone is meant{all}"
        ));
    }
    if total == 0 && collected.is_whole() {
        let nothing = match &account.selection {
            every if *every == Selection::default() => {
                "another key or project: there is no connection in this one"
            }
            Selection::Every { .. } => "another selection: no connection matches this one",
            Selection::Ids(_) => "ids that Kernel knows, with their project",
        };
        advice.push(nothing.to_owned());
    }
    advice
}

/// How often, how long, and how much at once, where a scrape comes every
/// `interval`.
pub(super) fn on_cost(config: &Config, interval: Duration, found: &Findings) -> Vec<String> {
    let cost = found.cost(config);
    let every = interval.max(config.api.cache);
    let minute = cost.per_minute(every);
    let allowed = found
        .limit
        .map(|limit| kernel::allowed(limit, config.api.quota_share));
    let mut advice = Vec::new();
    let too_many = allowed.filter(|allowed| minute > *allowed);
    if let Some(allowed) = too_many {
        advice.push(match cost.fits_every(allowed) {
            Some(span) => {
                let span = duration::format(span);
                let cache = setting(config, "--kernel.cache=", "cache: ");
                format!("{cache}{span}, or a scrape_interval of {span}: {minute} are too many")
            }
            None => "a narrower selection: the limit is too low for this fleet".to_owned(),
        });
    }
    let timeout = cost::scrape_timeout(found.took);
    // What waits for its quota is not slow.
    if found.took > SLOW && too_many.is_none() {
        let and = if timeout > interval {
            " and a scrape_interval above it"
        } else {
            ""
        };
        let timeout = duration::format(timeout);
        advice.push(format!("scrape_timeout: {timeout} in Prometheus{and}"));
    }
    let concurrency = config.api.concurrency;
    if found.took > SLOW / 2 && cost.scrape >= 2 * concurrency as u64 && concurrency < 32 {
        let flag = setting(config, "--kernel.concurrency=", "concurrency: ");
        advice.push(format!("{flag}{}, if that is faster", 2 * concurrency));
    }
    let hold = config.api.hold;
    if !hold.is_zero() && hold <= every {
        advice.push(format!(
            "{} above {}: {} holds nothing from one collection to the next",
            setting(config, "--kernel.hold", "hold"),
            duration::format(every),
            duration::format(hold)
        ));
    }
    advice
}

/// A setting as it is named where the configuration is.
pub(super) fn setting<'a>(config: &Config, flag: &'a str, key: &'a str) -> &'a str {
    if config.file.is_some() { key } else { flag }
}
