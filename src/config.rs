//! Flags, environment and config file become one [`Config`], which cannot be
//! invalid.
//!
//! `table` is the one list of settings. Each is text with an origin until its
//! row has read it, so that a mistake gets the same words wherever it was made.
//! Later wins: defaults, config file, environment, flags.

mod accounts;
mod error;
mod file;
mod key;
mod load;
mod setting;
mod sources;
mod table;
mod values;
mod yaml;

use std::fmt::Write as _;
use std::path::PathBuf;

pub(crate) use error::ConfigError;
pub(crate) use key::{KeySource, shown_path};
pub(crate) use load::{BROUGHT_BY_DEMO, load, load_demo, load_without_keys};
pub(crate) use setting::Row;
pub(crate) use sources::{Flags, process_env};
pub(crate) use table::{Api, Log, Metrics, Web, rows};
pub(crate) use values::{ExternalUrl, LogFormat, Prefix};

use crate::model::{Collector, CollectorSet, Projects, Selection, counted};
use crate::redact;

/// All that the exporter is told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The config file, where there is one.
    pub file: Option<PathBuf>,
    pub api: Api,
    /// One or more; where there are several, each has a name of its own.
    pub accounts: Vec<Account>,
    pub metrics: Metrics,
    pub collectors: CollectorSet,
    pub web: Web,
}

/// One API key and what to watch with it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Label `account`; `None` for the account of flags and environment.
    pub name: Option<Box<str>>,
    pub key: KeySource,
    pub projects: Projects,
    /// Which connections of each project.
    pub selection: Selection,
}

impl Account {
    fn summary(&self) -> String {
        let name = self.name.as_deref().unwrap_or("account");
        let (projects, connections) = (self.projects_in_words(), self.selection_in_words());
        format!("{name}: {projects}, {connections}")
    }

    pub(crate) fn projects_in_words(&self) -> String {
        match &self.projects {
            Projects::Unscoped => "no project header".to_owned(),
            Projects::Listed(ids) => counted(ids.len(), "project"),
            Projects::All => "all projects".to_owned(),
        }
    }

    pub(crate) fn selection_in_words(&self) -> String {
        match &self.selection {
            Selection::Ids(ids) => counted(ids.len(), "connection"),
            Selection::Every {
                domains,
                profiles,
                exclude,
            } => {
                let wanted = narrowed(" of ", domains.len(), profiles.len());
                let left_out = narrowed(" except ", exclude.domains.len(), exclude.profiles.len());
                format!("every connection{wanted}{left_out}")
            }
        }
    }
}

impl Config {
    /// What was understood, in one line, without secrets.
    pub(crate) fn summary(&self) -> String {
        let mut line = format!("configuration ok: {}", self.api.url);
        for account in &self.accounts {
            write!(line, "; {}", account.summary()).expect("a String takes any text");
        }
        let (collectors, listen) = (self.collector_names(), self.web.listen());
        write!(line, "; collectors {collectors}; listen on {listen}")
            .expect("a String takes any text");
        redact::logged(&line)
    }

    /// Those that are on, with commas.
    pub(crate) fn collector_names(&self) -> String {
        let all = Collector::ALL.iter();
        let on = all.filter(|collector| self.collectors.has(**collector));
        let names: Vec<&str> = on.map(|collector| collector.as_str()).collect();
        match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(","),
        }
    }
}

/// ` of 1 domain and 2 profiles`; nothing where nothing narrows.
fn narrowed(word: &str, domains: usize, profiles: usize) -> String {
    let filters = [(domains, "domain"), (profiles, "profile")];
    let filters = filters.into_iter().filter(|(count, _)| *count > 0);
    let filters: Vec<String> = filters.map(|(count, what)| counted(count, what)).collect();
    match filters.as_slice() {
        [] => String::new(),
        filters => format!("{word}{}", filters.join(" and ")),
    }
}
