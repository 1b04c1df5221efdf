//! What a query string leaves of a scrape.

use http::StatusCode;
use tokio::time::Instant;

use super::settings::Reloadable;
use crate::collect;
use crate::model::{self, CollectorSet, Fleet};
use crate::web::answer::{Refusal, bad};
use exporter_toolkit::server::plain;

fn once(place: &mut Option<String>, name: &str, value: &str) -> Result<(), String> {
    match place.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is given twice; name one")),
    }
}

/// What the query string leaves of a scrape.
#[derive(Debug)]
pub(super) struct Narrowed {
    pub(super) collectors: CollectorSet,
    pub(super) account: Option<String>,
    pub(super) project: Option<String>,
}

impl Narrowed {
    /// `collect[]=NAME`, `account=`, `project=`. Other parameters are somebody
    /// else's. A project that only the API can tell of may still be unknown;
    /// [`Self::place`] tells.
    pub(super) fn read(query: &str, live: &Reloadable) -> Result<Self, Refusal> {
        let narrowed = Self::parse(query, live).map_err(|text| bad(&text))?;
        match narrowed.place(live) {
            Err(refusal) if refusal.0.status() == StatusCode::BAD_REQUEST => Err(refusal),
            _ => Ok(narrowed),
        }
    }

    /// Whether the project is one of those that are followed.
    pub(super) fn place(&self, live: &Reloadable) -> Result<(), Refusal> {
        let Some(project) = &self.project else {
            return Ok(());
        };
        match live.watcher.has_project(self.account.as_deref(), project) {
            Some(true) => Ok(()),
            Some(false) => Err(bad("no such project in the configuration")),
            None => {
                let text = "the projects are not known: the API has not listed them yet; see the \
                            log and kernel_auth_up";
                Err(Refusal(plain(StatusCode::SERVICE_UNAVAILABLE, text).into()))
            }
        }
    }

    fn parse(query: &str, live: &Reloadable) -> Result<Self, String> {
        let mut asked = None;
        let mut account = None;
        let mut project = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "collect[]" => {
                    let collector = model::Collector::ALL
                        .iter()
                        .find(|collector| collector.as_str() == value)
                        .filter(|collector| live.collectors.has(**collector))
                        .ok_or_else(|| {
                            let on = model::Collector::ALL
                                .iter()
                                .filter(|collector| live.collectors.has(**collector))
                                .map(|collector| collector.as_str());
                            let on = on.collect::<Vec<_>>().join(", ");
                            format!("no such collector, or it is off; these are on: {on}")
                        })?;
                    asked = Some(asked.unwrap_or(CollectorSet::EMPTY).with(*collector, true));
                }
                "account" => once(&mut account, "account", &value)?,
                "project" => once(&mut project, "project", &value)?,
                _ => {}
            }
        }
        let known = |name: &str| {
            live.watcher
                .account_names()
                .any(|known| known == Some(name))
        };
        if account.as_deref().is_some_and(|name| !known(name)) {
            return Err("no such account in the configuration".to_owned());
        }
        let collectors = asked.map_or(live.collectors, |asked| live.collectors.and(asked));
        Ok(Self {
            collectors,
            account,
            project,
        })
    }

    /// The same as a request of a collector.
    pub(super) fn request(&self, deadline: Instant) -> collect::Request<'_> {
        collect::Request::new(deadline).of(self.account.as_deref(), self.project.as_deref())
    }

    /// Leaves the scopes that are asked for.
    pub(super) fn narrow(&self, mut fleet: Fleet) -> Fleet {
        let is = |asked: &Option<String>, name: Option<&str>| {
            asked.as_deref().is_none_or(|asked| name == Some(asked))
        };
        fleet.scopes.retain(|view| {
            is(&self.account, view.scope.account()) && is(&self.project, view.scope.project())
        });
        fleet
            .accounts
            .retain(|view| is(&self.account, view.account.as_deref()));
        fleet
    }
}
