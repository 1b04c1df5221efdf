//! One request at a time: admitted, sent, bounded, retried.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::DATE;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::deadline::{Attempt, Deadline};
use super::error::{Error, Problem};
use super::exchange::{Answer, Failure, Query, not_decoded};
use super::http::Http;
use super::key::{Key, Refreshed};
use super::observer::Observer;
use super::rate::{Budget, RateView};
use super::retry;
use crate::model::{ClockOffset, Endpoint, ErrorReason, RetryReason, Timestamp, WaitReason};

/// A try may take half of what is left, but at least this long: one that
/// stalls leaves time for another, and a slow API is not cut off.
const MIN_TRY: Duration = Duration::from_secs(5);

/// The API as one account sees it.
pub(crate) struct Client {
    http: Arc<Http>,
    key: Key,
    budget: Budget,
    key_state: Mutex<KeyState>,
    first_request: Arc<AsyncMutex<()>>,
    /// Offset of the API's clock, as the latest `Date` header told it.
    clock: Mutex<Option<ClockOffset>>,
    epochs: AtomicU64,
}

/// What the API last thought of the key.
#[derive(Clone, Copy, Debug)]
enum KeyState {
    /// Not known: one request at a time finds out.
    Untested,
    /// No reason to doubt it.
    Good,
    /// Refused with 401 in this epoch.
    Refused { epoch: u64 },
}

/// How much a request is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestPolicy {
    /// Tries after the first one.
    pub retries: u32,
    /// Whether a 403 or a 404 is counted as an error.
    pub refusals_count: bool,
}

impl Default for RequestPolicy {
    /// As the official clients have it.
    fn default() -> Self {
        Self {
            retries: retry::MAX_RETRIES,
            refusals_count: true,
        }
    }
}

impl Client {
    /// The API with this key, using at most `quota_share` of a published limit.
    pub(crate) fn new(http: Arc<Http>, key: Key, quota_share: f64) -> Self {
        Self {
            http,
            key,
            budget: Budget::new(quota_share),
            key_state: Mutex::new(KeyState::Untested),
            first_request: Arc::default(),
            clock: Mutex::new(None),
            epochs: AtomicU64::new(0),
        }
    }

    /// Whether both ask the same API.
    pub(crate) fn is_of_same_api(&self, other: &Self) -> bool {
        self.http.base == other.http.base
    }

    /// Goes on with the rate limit and the clock of `previous`, which may
    /// still be in use: what one of them sends or is told holds for both.
    #[must_use]
    pub(crate) fn succeeding(mut self, previous: &Self) -> Self {
        self.budget = self.budget.succeeding(&previous.budget);
        self.clock = Mutex::new(previous.clock());
        self
    }

    /// Begins something that may take `span`: the key is read again where it
    /// can change, and a key that was refused gets its next chance.
    pub(crate) async fn begin(&self, span: Duration) -> Attempt {
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed) + 1;
        self.refresh_key().await;
        Attempt::new(epoch, span)
    }

    /// The rate limit and what holds requests back.
    pub(crate) fn rate(&self) -> RateView {
        self.budget.view(Instant::now())
    }

    /// How far the API's clock is ahead, once an answer has told.
    pub(crate) fn clock(&self) -> Option<ClockOffset> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `cost` requests have to wait, and for what.
    pub(crate) fn would_wait(&self, cost: u64) -> Option<WaitReason> {
        self.budget
            .wait_for(Instant::now(), cost)
            .map(|wait| wait.reason)
    }

    /// How long `cost` requests take at the pace the quota allows.
    pub(crate) fn pace(&self, cost: u64) -> Duration {
        self.budget.pace(cost)
    }

    /// Who hears of what happens.
    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.http.observer
    }

    /// Sends one `GET` and decodes its 200; retries what the official clients
    /// retry, as long as `deadline` lets it.
    pub(crate) async fn get<T>(
        &self,
        query: Query<'_>,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, Error> {
        self.ask(query, RequestPolicy::default(), deadline, decode)
            .await
    }

    /// The same, by a policy of one's own.
    pub(crate) async fn ask<T>(
        &self,
        query: Query<'_>,
        policy: RequestPolicy,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, Error> {
        let result = self.try_until(query, policy, deadline, decode).await;
        result.map_err(|problem| Error::new(query.endpoint, problem))
    }

    async fn try_until<T>(
        &self,
        query: Query<'_>,
        policy: RequestPolicy,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, Problem> {
        let mut retries = 0;
        let mut key_tried_again = false;
        // What is not sent has failed all the same.
        let unsent = |problem: &Problem| self.count(query.endpoint, policy, problem);
        let mut first_request = self.wait_for_verdict(deadline).await.inspect_err(unsent)?;
        loop {
            let (permit, key, generation) = self.admit(deadline).await.inspect_err(unsent)?;
            let tried = self.attempt(query, key, deadline, &decode).await;
            drop(permit);
            self.learn(&tried, deadline.epoch());
            let failure = match tried {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.count(query.endpoint, policy, &failure.problem);
            if is_denied(&failure.problem) {
                if key_tried_again || !self.key_changed_since(generation).await {
                    return Err(failure.problem);
                }
                key_tried_again = true;
                self.http.observer.retry(RetryReason::KeyChanged);
                continue;
            }
            drop(first_request.take());
            let Some(reason) = retry::reason(&failure.problem, failure.headers.as_ref())
                .filter(|_| retries < policy.retries)
            else {
                return Err(failure.problem);
            };
            let pause = pause(retries, reason, failure.headers.as_ref());
            let again = Instant::now() + pause;
            if again >= deadline.at() {
                return Err(failure.problem);
            }
            tracing::debug!(
                endpoint = %query.endpoint,
                %reason,
                pause_seconds = pause.as_secs_f64(),
                "trying again"
            );
            retries += 1;
            self.http.observer.retry(reason);
            // A 429 holds the whole account back, which `admit` does and counts.
            if self.budget.view(Instant::now()).blocked_for.is_none() {
                self.http.observer.waited(WaitReason::Backoff, pause);
                sleep_until(again).await;
            }
        }
    }

    /// While nobody knows what the API thinks of the key, one request goes
    /// first and the others wait for its answer.
    async fn wait_for_verdict(
        &self,
        deadline: &Deadline,
    ) -> Result<Option<OwnedMutexGuard<()>>, Problem> {
        let ask = || match *self
            .key_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            KeyState::Good => Some(Ok(())),
            KeyState::Refused { epoch } if epoch >= deadline.epoch() => {
                Some(Err(Problem::Refused(StatusCode::UNAUTHORIZED)))
            }
            KeyState::Refused { .. } | KeyState::Untested => None,
        };
        if let Some(known) = ask() {
            return known.map(|()| None);
        }
        let guard = within(deadline.at(), Arc::clone(&self.first_request).lock_owned()).await?;
        match ask() {
            Some(known) => known.map(|()| None),
            None => Ok(Some(guard)),
        }
    }

    /// Waits for a place among the requests in flight and in the budget.
    async fn admit(
        &self,
        deadline: &Deadline,
    ) -> Result<(SemaphorePermit<'_>, HeaderValue, u64), Problem> {
        loop {
            let asked = Instant::now();
            let permit = within(deadline.at(), self.http.slots.acquire()).await?;
            let permit = permit.expect("the semaphore is never closed");
            let now = Instant::now();
            if now > asked {
                self.http
                    .observer
                    .waited(WaitReason::Concurrency, now - asked);
            }
            let Err(wait) = self.budget.take(now) else {
                let (key, generation) = self.key.current();
                return Ok((permit, key, generation));
            };
            drop(permit);
            let in_time = wait.until < deadline.at();
            match wait.reason {
                WaitReason::Quota if !(in_time || deadline.stretch(wait.until)) => {
                    return Err(Problem::OverQuota);
                }
                WaitReason::Quota => {}
                _ if in_time => {}
                _ => return Err(Problem::Blocked),
            }
            self.http.observer.waited(wait.reason, wait.until - now);
            sleep_until(wait.until).await;
        }
    }

    async fn attempt<T>(
        &self,
        query: Query<'_>,
        key: HeaderValue,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, Failure> {
        let started = Instant::now();
        let end = deadline.at();
        let left = end.saturating_duration_since(started);
        let end = end.min(started + (left / 2).max(MIN_TRY));
        let mut code = None;
        let outcome = within(end, self.http.send(query, key, &mut code)).await;
        let took = started.elapsed();
        self.http.observer.request(query.endpoint, code, took);
        let tried = match outcome.map_err(Failure::from).flatten() {
            Ok((headers, body)) => match decode(&body) {
                Ok(value) => Ok(Answer { value, headers }),
                Err(error) => Err(Failure {
                    problem: not_decoded(&error, &headers),
                    headers: Some(headers),
                }),
            },
            Err(failure) => Err(failure),
        };
        let problem = tried.as_ref().err().map(|failure| &failure.problem);
        self.http.tell(query, code, took, problem);
        tried
    }

    /// Counts a try that did not work, whether or not the next one does. That a
    /// connection does not exist is an answer.
    fn count(&self, endpoint: Endpoint, policy: RequestPolicy, problem: &Problem) {
        let error = Error::new(endpoint, problem.clone());
        let quiet = !policy.refusals_count && error.is_refusal();
        if !quiet && !error.is_not_found() {
            self.http.observer.error(error.reason());
        }
    }

    /// A problem that shows only once answers are read: counts it, and makes an
    /// error of it.
    pub(crate) fn fail(&self, endpoint: Endpoint, problem: Problem) -> Error {
        let error = Error::new(endpoint, problem);
        self.http.observer.error(error.reason());
        error
    }

    /// Counts rows that cannot be read.
    pub(crate) fn count_malformed(&self, rows: usize) {
        for _ in 0..rows {
            self.http.observer.error(ErrorReason::MalformedRow);
        }
    }

    /// Keeps what an answer says beside its body.
    fn learn<T>(&self, tried: &Result<Answer<T>, Failure>, epoch: u64) {
        let (headers, refused) = match tried {
            Ok(answer) => (Some(&answer.headers), false),
            Err(failure) => (
                failure.headers.as_ref(),
                status_of(&failure.problem) == Some(StatusCode::UNAUTHORIZED),
            ),
        };
        *self
            .key_state
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = if refused {
            KeyState::Refused { epoch }
        } else {
            KeyState::Good
        };
        let Some(headers) = headers else { return };
        let now = Instant::now();
        self.budget.saw(headers, now);
        if let Some(date) = date_of(headers) {
            let offset = ClockOffset::between(date, SystemTime::now().into());
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }
        if let Err(Failure { problem, .. }) = tried
            && status_of(problem) == Some(StatusCode::TOO_MANY_REQUESTS)
        {
            let wait = retry::retry_after(headers, SystemTime::now());
            self.budget
                .block(now + wait.unwrap_or(retry::DEFAULT_RETRY_AFTER));
        }
    }

    /// Whether there is another key than the one that was just refused, be it
    /// that the file has changed or that somebody else has noticed before.
    async fn key_changed_since(&self, generation: u64) -> bool {
        self.key.current().1 != generation || self.refresh_key().await == Refreshed::Changed
    }

    async fn refresh_key(&self) -> Refreshed {
        let refreshed = self.key.refresh().await;
        if refreshed == Refreshed::Failed {
            self.http.observer.error(ErrorReason::KeyFile);
        }
        refreshed
    }
}

async fn within<T>(end: Instant, future: impl Future<Output = T>) -> Result<T, Problem> {
    timeout_at(end, future).await.map_err(|_| Problem::Timeout)
}

fn pause(retries: u32, reason: RetryReason, headers: Option<&HeaderMap>) -> Duration {
    let asked = headers.and_then(|headers| retry::retry_after(headers, SystemTime::now()));
    match asked {
        Some(wait) if !wait.is_zero() => wait,
        None if reason == RetryReason::RateLimited => retry::DEFAULT_RETRY_AFTER,
        _ => retry::backoff(retries, 0.75 + fastrand::f64() / 4.0),
    }
}

fn status_of(problem: &Problem) -> Option<StatusCode> {
    match problem {
        Problem::Status { status, .. } => Some(*status),
        _ => None,
    }
}

fn is_denied(problem: &Problem) -> bool {
    matches!(
        status_of(problem),
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    )
}

fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(date).ok().map(Timestamp::from)
}
