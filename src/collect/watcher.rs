//! All accounts side by side: what a scrape asks for, and what it gets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout_at};

use super::account::Account;
use super::ceiling::ProbeCeiling;
use super::flows::CountedFlows;
use super::memory::COLLECTIONS;
use super::request::Request;
use super::scope::ScopeWatcher;
use super::settings::{AccountSettings, Settings};
use crate::kernel::Client;
use crate::model::{Fleet, ScopeView, ScrapeOutcome, Timestamp};

/// What a scrape gets.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    /// What there is to show.
    pub fleet: Arc<Fleet>,
    /// Where it came from.
    pub outcome: ScrapeOutcome,
}

impl Collected {
    /// Whether the API answered fully for everything that is shown.
    pub(crate) fn is_whole(&self) -> bool {
        !self.fleet.scopes.is_empty() && self.fleet.scopes.iter().all(ScopeView::is_up)
    }
}

/// Watches all accounts side by side.
pub(crate) struct Watcher {
    pub(crate) settings: Arc<Settings>,
    accounts: Vec<Arc<Account>>,
    /// Counted for the whole fleet.
    flows: Arc<CountedFlows>,
    pub(super) ceiling: ProbeCeiling,
}

impl Watcher {
    /// Watches these accounts, in the place of `previous`: an account of the
    /// same name at the same API goes on with its rate limit, and where its
    /// selection and what becomes of names are the same too, with what was last
    /// seen. So a reload while the API fails loses nothing.
    pub(crate) fn new(
        settings: Settings,
        accounts: Vec<(AccountSettings, Client)>,
        previous: Option<&Self>,
    ) -> Self {
        let settings = Arc::new(settings);
        let flows = previous.map(|previous| Arc::clone(&previous.flows));
        let flows = flows.unwrap_or_default();
        let ceiling = previous.map(|previous| &previous.ceiling);
        let mut made: Vec<Arc<Account>> = Vec::new();
        for (account, client) in accounts {
            let previous = previous
                .iter()
                .flat_map(|previous| &previous.accounts)
                .find(|old| old.name() == account.name.as_deref())
                .filter(|old| client.is_of_same_api(&old.shared().client));
            let client = match previous {
                Some(previous) => client.succeeding(&previous.shared().client),
                None => client,
            };
            // The limit is the organisation's, whatever its accounts are called.
            let client = made.iter().fold(client, |client, other| {
                client.beside(&other.shared().client)
            });
            let previous = previous.map(|previous| &**previous);
            made.push(Arc::new(Account::new(
                account,
                client,
                Arc::clone(&settings),
                Arc::clone(&flows),
                previous,
            )));
        }
        Self {
            accounts: made,
            flows,
            ceiling: ProbeCeiling::new(settings.probe_requests, ceiling),
            settings,
        }
    }

    pub(super) fn wanted(&self, request: &Request<'_>) -> impl Iterator<Item = &Arc<Account>> {
        let named = request.account;
        self.accounts
            .iter()
            .filter(move |account| named.is_none_or(|name| account.name() == Some(name)))
    }

    /// The names of the accounts, where the configuration gives them.
    pub(crate) fn account_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.accounts.iter().map(|account| account.name())
    }

    /// Whether `project` is one that is followed, in `account` if one is named;
    /// `None` where the API has not yet listed those that are.
    pub(crate) fn has_project(&self, account: Option<&str>, project: &str) -> Option<bool> {
        let wanted = self.accounts.iter();
        let wanted = wanted.filter(|of| account.is_none_or(|name| of.name() == Some(name)));
        let known: Vec<_> = wanted.map(|account| account.has_project(project)).collect();
        match known.contains(&Some(true)) {
            true => Some(true),
            false if known.contains(&None) => None,
            false => Some(false),
        }
    }

    /// What `request` asks for, by its deadline at the latest.
    pub(crate) async fn collect(&self, request: Request<'_>) -> Collected {
        let wanted: Vec<_> = self.wanted(&request).collect();
        let parts = wanted.iter().map(|account| account.collect(&request));
        let parts = join_all(parts).await;
        self.share_limits();
        let mut fleet = Fleet::default();
        let mut outcomes = Vec::new();
        let now = Timestamp::from(SystemTime::now());
        for (account, scopes) in wanted.iter().zip(parts) {
            fleet.accounts.push(account.rate_view(now));
            for (view, outcome) in scopes {
                fleet.scopes.push(view);
                outcomes.push(outcome);
            }
        }
        Collected {
            fleet: Arc::new(fleet),
            outcome: overall(&outcomes),
        }
    }

    /// Has accounts of one organisation share its limit. Where there are several
    /// keys, the next collection finds out of which organisation each is: what
    /// collects only once need not know.
    fn share_limits(&self) {
        let mut clients = self.accounts.iter().map(|account| &account.shared().client);
        let several = clients
            .next()
            .is_some_and(|one| clients.any(|other| !one.has_key_of(other)));
        let mut first: BTreeMap<Box<str>, &Client> = BTreeMap::new();
        for account in &self.accounts {
            let client = &account.shared().client;
            let Some(id) = client.organisation() else {
                if several {
                    account.org().find_id();
                }
                continue;
            };
            // After a key of one organisation came a key of another.
            let mut others = first.iter().filter(|(other, _)| **other != id);
            if others.any(|(_, other)| client.shares_limit_with(other)) {
                client.leave_limit();
            }
            client.share_limit_of(first.entry(id).or_insert(client));
        }
    }

    /// Collections of a scope in a minute, at most, where the API publishes no
    /// limit; and requests that probes may cost in one.
    pub(crate) fn ceilings(&self) -> (usize, usize) {
        (COLLECTIONS, self.ceiling.most())
    }

    /// Waits, not beyond `deadline`, for what goes on when a scrape is answered:
    /// collections that it waited for in vain, and what follows them. It is in
    /// [`Self::last`] then.
    pub(crate) async fn settle(&self, deadline: Instant) {
        let scopes: Vec<_> = self.scopes().collect();
        let collections = scopes.iter().filter_map(|scope| scope.running());
        let collections = join_all(collections.map(|running| running.over_by(deadline)));
        collections.await;
        let timelines = join_all(scopes.iter().map(|scope| scope.timelines().settled()));
        let orgs = join_all(self.accounts.iter().map(|account| account.org().settled()));
        let _ = timeout_at(deadline, join(timelines, orgs)).await;
    }

    fn scopes(&self) -> impl Iterator<Item = Arc<ScopeWatcher>> {
        self.accounts.iter().flat_map(|account| account.scopes())
    }

    /// Whether timelines could not be read the last time.
    pub(crate) fn timelines_fail(&self) -> bool {
        self.scopes().any(|scope| scope.timelines().is_failing())
    }

    /// Connections whose timeline is still to be read.
    pub(crate) fn timelines_pending(&self) -> usize {
        self.scopes().map(|scope| scope.timelines().pending()).sum()
    }

    /// Whether nobody has asked for anything yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.accounts.iter().all(|account| account.is_untouched())
    }

    /// What is known without asking: the last snapshots, however old. Never
    /// calls the API.
    pub(crate) fn last(&self) -> Fleet {
        let now = Timestamp::from(SystemTime::now());
        Fleet {
            accounts: self
                .accounts
                .iter()
                .map(|account| account.rate_view(now))
                .collect(),
            scopes: self
                .accounts
                .iter()
                .flat_map(|account| account.last())
                .collect(),
        }
    }
}

/// One word for a scrape of several scopes: the worst, but something to show
/// is not nothing.
fn overall(outcomes: &[ScrapeOutcome]) -> ScrapeOutcome {
    let all_empty = outcomes
        .iter()
        .all(|outcome| *outcome == ScrapeOutcome::Empty);
    match outcomes.iter().max() {
        None => ScrapeOutcome::Empty,
        Some(ScrapeOutcome::Empty) if !all_empty => ScrapeOutcome::Held,
        Some(worst) => *worst,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_as_good_as_its_worst_part() {
        use ScrapeOutcome::{Budgeted, Empty, Fresh, Held, Shared};
        assert_eq!(overall(&[Fresh, Fresh]), Fresh);
        assert_eq!(overall(&[Fresh, Shared]), Shared);
        assert_eq!(overall(&[Budgeted, Shared]), Budgeted);
        assert_eq!(overall(&[Held, Fresh]), Held);
        assert_eq!(overall(&[Empty, Fresh]), Held);
        assert_eq!(overall(&[Empty, Empty]), Empty);
        assert_eq!(overall(&[]), Empty);
    }
}
