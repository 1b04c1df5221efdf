//! Which organisation it is, its limits, its plan and the key's expiry: asked
//! for rarely, after everything else, and missed by nobody where they are not to
//! be had.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::flight::{Begun, Flight};
use crate::kernel::{
    Answer, AuthContext, Client, Deadline, DecodeError, Entitlements, Error, KeyExpiry, OrgLimits,
    Query, next_page,
};
use crate::model::{Endpoint, ErrorReason, OrgView, Timestamp};

/// At most this often, whether or not it worked.
const PERIOD: Duration = Duration::from_mins(5);

/// What could not be renewed is shown for this long.
const KEPT: Duration = Duration::from_mins(16);

/// Pages of API keys, of 100 each, among which the one in use is looked for.
const KEY_PAGES: usize = 5;

/// The organisation of one account.
#[derive(Default)]
pub(super) struct Org {
    state: Mutex<State>,
    asking: Flight,
    finds_id: AtomicBool,
}

#[derive(Default)]
struct State {
    /// When it was last asked.
    asked: Option<Instant>,
    limits: Known<OrgLimits>,
    entitlements: Known<Entitlements>,
    unseen: Known<u64>,
    key_expires: Known<Timestamp>,
    /// Why each was not to be had the last time.
    said: BTreeMap<Endpoint, ErrorReason>,
}

/// Something, and since when it is known.
#[derive(Clone, Debug, Default)]
struct Known<T>(Option<(T, Instant)>);

impl<T: Clone> Known<T> {
    fn set(&mut self, value: Option<T>) {
        self.0 = value.map(|value| (value, Instant::now()));
    }

    fn get(&self) -> Option<T> {
        let (value, since) = self.0.as_ref()?;
        (since.elapsed() <= KEPT).then(|| value.clone())
    }
}

impl Org {
    /// What is known.
    pub(super) fn view(&self) -> OrgView {
        let state = self.state.lock();
        let limits = state.limits.get().unwrap_or_default();
        let entitlements = state.entitlements.get().unwrap_or_default();
        OrgView {
            connections_used: limits.connections_used,
            connections_limit: limits.connections_limit,
            sessions_used: limits.sessions_used,
            sessions_limit: limits.sessions_limit,
            min_health_check_interval: limits
                .min_health_check_interval
                .or(entitlements.min_health_check_interval),
            plan: entitlements.plan,
            connections_unseen: state.unseen.get(),
            key_expires: state.key_expires.get(),
        }
    }

    /// Has its id found out: there are other accounts, with other keys.
    pub(super) fn find_id(&self) {
        self.finds_id.store(true, Ordering::Relaxed);
    }

    /// Whether it is time to ask, for `all` or for the id alone, and nobody
    /// does: then until the guard is dropped nobody else will.
    pub(super) fn due(&self, client: &Client, all: bool) -> Option<Begun> {
        let finds_id = || self.finds_id.load(Ordering::Relaxed) && client.organisation().is_none();
        if !all && !finds_id() {
            return None;
        }
        let begun = self.asking.begin().0?;
        let asked = self.state.lock().asked;
        asked
            .is_none_or(|asked| asked.elapsed() >= PERIOD)
            .then_some(begun)
    }

    /// Waits until nobody is asking.
    pub(super) async fn settled(&self) {
        self.asking.idle().await;
    }

    /// Asks for its id and, if `all` is wanted, for everything else, each part
    /// by itself. `exported`: how many connections are shown, where those are
    /// meant to be all there are.
    pub(super) async fn ask(
        &self,
        client: &Client,
        account: Option<&str>,
        deadline: &Deadline,
        all: bool,
        exported: Option<u64>,
    ) {
        if client.would_wait(1).is_some() {
            // The next collection may find the quota in a better state.
            return;
        }
        self.state.lock().asked = Some(Instant::now());
        let asking = Asking {
            org: self,
            client,
            account,
            deadline,
        };
        let context = asking
            .part(Endpoint::AuthContext, "/auth/context", AuthContext::read)
            .await;
        if let Some(Some(context)) = &context {
            client.is_of(context.organization.clone());
        }
        if !all {
            return;
        }
        if let Some(limits) = asking
            .part(Endpoint::OrgLimits, "/org/limits", OrgLimits::read)
            .await
        {
            let mut state = self.state.lock();
            let used = limits.as_ref().and_then(|limits| limits.connections_used);
            let unseen = used
                .zip(exported)
                .map(|(used, exported)| used.saturating_sub(exported));
            state.unseen.set(unseen);
            state.limits.set(limits);
        }
        if let Some(entitlements) = asking
            .part(
                Endpoint::OrgEntitlements,
                "/org/entitlements",
                Entitlements::read,
            )
            .await
        {
            self.state.lock().entitlements.set(entitlements);
        }
        let Some(context) = context else { return };
        let expires = match context.and_then(|context| context.credential) {
            Some(id) => asking.key_expiry(&id).await,
            None => Some(None),
        };
        if let Some(expires) = expires {
            self.state.lock().key_expires.set(expires);
        }
    }
}

/// One round of questions.
struct Asking<'a> {
    org: &'a Org,
    client: &'a Client,
    account: Option<&'a str>,
    deadline: &'a Deadline,
}

impl Asking<'_> {
    /// The outer `None`: it could not be had now, and what was known still
    /// holds. The inner one: the API does not tell.
    async fn part<T>(
        &self,
        endpoint: Endpoint,
        path: &str,
        read: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Option<Option<T>> {
        let answer = self.send(endpoint, path, read).await?;
        Some(answer.map(|answer| answer.value))
    }

    /// When the key in use, the one of this id, expires.
    async fn key_expiry(&self, id: &str) -> Option<Option<Timestamp>> {
        let mut offset = 0;
        for _ in 0..KEY_PAGES {
            let path = format!("/org/api_keys?limit=100&offset={offset}");
            let read = |body: &[u8]| KeyExpiry::of(id, body);
            let Some(answer) = self.send(Endpoint::ApiKeys, &path, read).await? else {
                return Some(None);
            };
            match answer.value {
                KeyExpiry::At(at) => return Some(Some(at)),
                KeyExpiry::Never => return Some(None),
                KeyExpiry::NotHere => {}
            }
            match next_page(offset, &answer.headers) {
                Ok(Some(next)) => offset = next,
                Ok(None) | Err(_) => break,
            }
        }
        Some(None)
    }

    async fn send<T>(
        &self,
        endpoint: Endpoint,
        path: &str,
        read: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Option<Option<Answer<T>>> {
        if self.client.would_wait(1).is_some() {
            return None;
        }
        let before = self.org.state.lock().said.get(&endpoint).copied();
        let refused = |reason: &ErrorReason| {
            matches!(
                reason,
                ErrorReason::Forbidden | ErrorReason::NotFound | ErrorReason::ProjectNotFound
            )
        };
        // It is tried again every time, and comes back when it is permitted.
        let query = Query {
            retries: 0,
            refusals_count: !before.as_ref().is_some_and(refused),
            ..Query::new(endpoint, path)
        };
        match self.client.get(query, self.deadline, read).await {
            Ok(answer) => {
                self.org.state.lock().said.remove(&endpoint);
                Some(Some(answer))
            }
            Err(error) => {
                self.tell(&error);
                if error.is_refusal() { Some(None) } else { None }
            }
        }
    }

    /// Logs a failure, unless it is the same as the last time.
    fn tell(&self, error: &Error) {
        let (endpoint, reason) = (error.endpoint(), error.reason());
        if self.org.state.lock().said.insert(endpoint, reason) == Some(reason) {
            return;
        }
        tracing::warn!(
            account = self.account,
            %endpoint,
            %reason,
            %error,
            "the organisation's data cannot be read; what is made of them is left out"
        );
    }
}
