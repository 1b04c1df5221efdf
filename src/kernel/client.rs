//! One request at a time: admitted, sent, bounded, retried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::{Instant, sleep_until};

use super::admit::admit;
use super::clock::Clock;
use super::deadline::{Attempt, Deadline, within};
use super::error::{Error, Problem};
use super::exchange::{Answer, FailedTry, Query, Sent, not_decoded};
use super::http::Http;
use super::key::{Key, Opinion};
use super::observer::Observer;
use super::rate::{Budget, RateView};
use super::retry;
use crate::model::{ClockOffset, Endpoint, ErrorReason, Field, RetryReason, WaitReason};

/// A try may take half of what is left, but at least this long: one that
/// stalls leaves time for another, and a slow API is not cut off.
const MIN_TRY: Duration = Duration::from_secs(5);

/// The API as one account sees it.
pub(crate) struct Client {
    http: Arc<Http>,
    key: Key,
    budget: Budget,
    clock: Clock,
    epochs: AtomicU64,
}

impl Client {
    /// The API with this key, using at most `quota_share` of a published limit.
    pub(crate) fn new(http: Arc<Http>, key: Key, quota_share: f64) -> Self {
        Self {
            http,
            key,
            budget: Budget::new(quota_share),
            clock: Clock::default(),
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
        self.clock = Clock::succeeding(&previous.clock);
        if self.has_key_of(previous) {
            self.key.is_of(previous.organisation());
        }
        self
    }

    /// Shares the rate limit of `other` where both have the same key: the
    /// limit is the organisation's.
    #[must_use]
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        if self.is_of_same_api(other) && self.has_key_of(other) {
            self.budget = self.budget.succeeding(&other.budget);
        }
        self
    }

    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.key.current().0 == other.key.current().0
    }

    /// Whether both have the same limit.
    pub(crate) fn shares_limit_with(&self, other: &Self) -> bool {
        self.budget.is_shared_with(&other.budget)
    }

    /// From now on shares the limit of `other`, of the same organisation.
    pub(crate) fn share_limit_of(&self, other: &Self) {
        self.budget.join(&other.budget);
    }

    pub(crate) fn leave_limit(&self) {
        self.budget.leave();
    }

    /// Of which organisation the key in use is, once that is known.
    pub(crate) fn organisation(&self) -> Option<Box<str>> {
        self.key.organisation()
    }

    pub(crate) fn is_of(&self, organisation: Option<Box<str>>) {
        self.key.is_of(organisation);
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

    /// How far the API's clock is ahead, while good answers tell.
    pub(crate) fn clock(&self) -> Option<ClockOffset> {
        self.clock.offset()
    }

    /// Whether `cost` requests have to wait, and for what.
    pub(crate) fn would_wait(&self, cost: u64) -> Option<WaitReason> {
        self.budget
            .wait_for(Instant::now(), cost)
            .map(|wait| wait.reason)
    }

    /// How long `cost` requests take at the pace the quota allows.
    pub(crate) fn pace(&self, cost: u64) -> Duration {
        self.budget.pace(Instant::now(), cost)
    }

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
        let result = self.try_until(query, deadline, decode).await;
        result.map_err(|problem| Error::new(query.endpoint, problem))
    }

    async fn try_until<T>(
        &self,
        query: Query<'_>,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, Problem> {
        let mut retries = 0;
        let mut key_tried_again = false;
        // What is not sent has failed all the same.
        let unsent = |problem: &Problem| self.count(query, problem);
        let mut first = None;
        loop {
            let admitted = admit(&self.http, &self.key, &self.budget, deadline, &mut first).await;
            let (slot, key, generation) = admitted.inspect_err(unsent)?;
            deadline.asked();
            let tried = self.attempt(query, key, deadline, &decode).await;
            drop(slot);
            if tried
                .as_ref()
                .err()
                .is_none_or(|failure| status_of(&failure.problem).is_some())
            {
                deadline.answered();
            }
            self.learn(&tried, generation);
            let failure = match tried {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.count(query, &failure.problem);
            if is_denied(&failure.problem) {
                if key_tried_again || !self.key_changed_since(generation).await {
                    if failure.problem.reason() == ErrorReason::Unauthorized {
                        let opinion = Opinion::Refused(deadline.epoch());
                        self.key.judge(generation, opinion);
                    }
                    return Err(failure.problem);
                }
                key_tried_again = true;
                drop(first.take());
                self.http.observer.retry(RetryReason::KeyChanged);
                continue;
            }
            drop(first.take());
            let Some(reason) = retry::reason(&failure.problem, failure.headers.as_ref()) else {
                return Err(failure.problem);
            };
            let pause = pause(retries, reason, failure.headers.as_ref());
            let again = Instant::now() + pause;
            if again >= deadline.at() || !query.takes_retry(retries) {
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

    async fn attempt<T>(
        &self,
        query: Query<'_>,
        key: HeaderValue,
        deadline: &Deadline,
        decode: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<Answer<T>, FailedTry> {
        let started = Instant::now();
        let asked_at = SystemTime::now();
        let end = deadline.at();
        let left = end.saturating_duration_since(started);
        let span = (left / 2).min(deadline.longest_try()).max(MIN_TRY);
        let end = end.min(started + span);
        let transport = self.http.transport();
        let mut sent = Sent::new(&self.http, &self.budget, &transport, query.endpoint);
        let answer = self.http.send(&transport, query, key, &mut sent.head);
        let outcome = within(end, answer).await;
        let head = sent.head;
        let took = sent.over();
        let code = head.map(|(code, _)| code);
        let tried = match outcome.map_err(FailedTry::from).flatten() {
            Ok((headers, body)) => match decode(&body) {
                Ok(value) => Ok(Answer {
                    value,
                    headers,
                    asked_at: asked_at.into(),
                    heard_at: head.map_or(asked_at, |(_, at)| at),
                }),
                Err(error) => Err(FailedTry {
                    problem: not_decoded(&error, &headers, &body),
                    headers: Some(headers),
                }),
            },
            Err(failure) => Err(failure),
        };
        let problem = tried.as_ref().err().map(|failure| &failure.problem);
        self.http.tell(query, code, took, problem);
        if problem.is_some_and(Problem::may_be_the_connections) {
            self.http.leave(&transport);
        }
        tried
    }

    /// Counts a try that did not work, whether or not the next one does. That a
    /// connection does not exist is an answer.
    fn count(&self, query: Query<'_>, problem: &Problem) {
        let error = Error::new(query.endpoint, problem.clone());
        let quiet = !query.refusals_count && error.is_refusal();
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
    fn learn<T>(&self, tried: &Result<Answer<T>, FailedTry>, generation: u64) {
        let now = Instant::now();
        match tried {
            Ok(answer) => {
                self.key.judge(generation, Opinion::Good);
                self.budget.saw(&answer.headers, now);
                self.budget.not_refused();
                // What a proxy's error page has for a date is not the API's.
                let heard = self.clock.hear(&answer.headers, answer.heard_at);
                if let Err(date) = heard {
                    self.http.observer.unknown_value(Field::Date, 1);
                    tracing::debug!(
                        date = date.rfc3339(),
                        "the answer's date is more than a day off"
                    );
                }
            }
            Err(failure) => {
                let status = status_of(&failure.problem);
                if status != Some(StatusCode::TOO_MANY_REQUESTS) {
                    self.budget.not_refused();
                }
                match status {
                    Some(StatusCode::UNAUTHORIZED) => self.key.judge(generation, Opinion::Untested),
                    _ => self.key.judge(generation, Opinion::Good),
                }
                let Some(headers) = &failure.headers else {
                    return;
                };
                // A proxy's word about limits is not the API's.
                if !matches!(failure.problem, Problem::Status { by: Some(_), .. }) {
                    self.budget.saw(headers, now);
                }
                if status == Some(StatusCode::TOO_MANY_REQUESTS) {
                    let wait = retry::retry_after(headers, SystemTime::now());
                    self.budget
                        .block(now + wait.unwrap_or(retry::DEFAULT_RETRY_AFTER));
                }
            }
        }
    }

    /// Whether there is another key than the one that was just refused, be it
    /// that the file has changed or that somebody else has noticed before.
    async fn key_changed_since(&self, generation: u64) -> bool {
        if self.key.current().1 == generation {
            self.refresh_key().await;
        }
        self.key.current().1 != generation
    }

    async fn refresh_key(&self) {
        if !self.key.refresh().await {
            self.http.observer.error(ErrorReason::KeyFile);
        }
    }
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

/// Whether another key may help.
fn is_denied(problem: &Problem) -> bool {
    match problem {
        Problem::Status { status, by, .. } => {
            *status == StatusCode::UNAUTHORIZED
                || (*status == StatusCode::FORBIDDEN && by.is_none())
        }
        _ => false,
    }
}
