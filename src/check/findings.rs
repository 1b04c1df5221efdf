//! What the API said to one key.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cost::Cost;
use crate::collect::Collected;
use crate::config::Config;
use crate::kernel::{AuthContext, Error, Project};
use crate::model::{Collector, Endpoint, ErrorReason};
use crate::redact;

/// Characters of a project's name.
const NAME: usize = 24;

/// What the API said to one key.
pub(super) struct Findings {
    /// What the key is.
    pub(super) context: Result<AuthContext, Error>,
    /// The organisation's projects, where it came to that.
    pub(super) projects: Option<Result<Vec<Project>, Error>>,
    /// Connections of the whole organisation, where the API tells.
    pub(super) in_organization: Option<u64>,
    /// One collection, as a scrape would make it.
    pub(super) collected: Option<Collected>,
    pub(super) took: Duration,
    /// What it cost, by endpoint.
    pub(super) requests: BTreeMap<String, u64>,
    /// The published limit, requests a minute.
    pub(super) limit: Option<u64>,
}

impl Findings {
    pub(super) fn of(context: Result<AuthContext, Error>) -> Self {
        Self {
            context,
            projects: None,
            in_organization: None,
            collected: None,
            took: Duration::ZERO,
            requests: BTreeMap::new(),
            limit: None,
        }
    }

    /// Whether it is of no use to ask for more: the key is refused, or nobody
    /// answers.
    pub(super) fn is_the_end(&self) -> bool {
        let answered = |error: &Error| {
            matches!(
                error.reason(),
                ErrorReason::Forbidden
                    | ErrorReason::NotFound
                    | ErrorReason::ClientError
                    | ErrorReason::ServerError
                    | ErrorReason::Decode
            )
        };
        self.context.as_ref().is_err_and(|error| !answered(error))
    }

    /// A project as people know it: its name and its id.
    pub(super) fn project(&self, id: &str) -> String {
        let listed = self
            .projects
            .as_ref()
            .and_then(|listed| listed.as_ref().ok());
        let project = listed.and_then(|projects| projects.iter().find(|of| *of.id == *id));
        match project.and_then(|project| project.name.as_deref()) {
            Some(name) => {
                let name: String = name.chars().take(NAME).collect();
                format!("{} ({id})", redact::foreign(&name))
            }
            None => id.to_owned(),
        }
    }

    fn count(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(endpoint.as_str()).copied().unwrap_or(0)
    }

    pub(super) fn cost(&self, config: &Config) -> Cost {
        Cost {
            scrape: self.count(Endpoint::Connections) + self.count(Endpoint::Connection),
            listing: self.count(Endpoint::Projects),
            org: if config.collectors.has(Collector::Org) {
                4
            } else {
                0
            },
        }
    }
}
