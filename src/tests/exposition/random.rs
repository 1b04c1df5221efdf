//! Random fleets.

use std::sync::Arc;
use std::time::Duration;

use crate::exposition::Own;
use crate::model::{
    AccountView, AuthStatus, ClockOffset, Connection, CredentialKind, ErrorCode, EventOutcome,
    EventSlot, EventType, Failure, Fleet, Flow, FlowStatus, FlowStep, FlowType,
    HealthCheckUnavailable, History, LabelBlock, OrgView, PendingInput, Plan, ReauthReason, Scope,
    ScopeView, Settings, Snapshot, SsoProvider, Timestamp,
};
use proptest::prelude::*;

use super::fixture::{NOW, sparse};
use super::hostile::HOSTILE;

/// A random connection and its names.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) profile: Option<String>,
    connection: Connection,
}

/// A random fleet, in a form that a second writer can read.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) accounts: Vec<AccountView>,
    pub(crate) scopes: Vec<RandomScope>,
}

/// A random scope.
#[derive(Clone, Debug)]
pub(crate) struct RandomScope {
    pub(crate) account: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) up: bool,
    pub(crate) skewed: Duration,
    pub(crate) connections: Vec<Random>,
    pub(crate) found: Vec<(String, bool)>,
    pub(crate) seen: bool,
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

/// Any point in time that an f64 holds to the microsecond.
fn timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    let near = NOW.as_micros() - 10_000_000..NOW.as_micros() + 10_000_000;
    proptest::option::of(
        prop_oneof![near, -(1_i64 << 51)..(1_i64 << 51)].prop_map(Timestamp::from_micros),
    )
}

fn flow() -> impl Strategy<Value = Flow> {
    let pending = proptest::collection::vec(proptest::option::of(0..70_000_usize), 5);
    (
        one_of(FlowStatus::ALL),
        one_of(FlowStep::ALL),
        one_of(FlowType::ALL),
        timestamp(),
        proptest::option::of(one_of(ErrorCode::ALL)),
        any::<Option<bool>>(),
        pending,
    )
        .prop_map(
            |(status, step, kind, expires_at, error_code, website_error, counts)| {
                let mut pending = [None; 5];
                for (kind, count) in PendingInput::ALL.iter().zip(counts) {
                    if let Some(count) = count {
                        pending[*kind as usize] = Some(u16::try_from(count).unwrap_or(u16::MAX));
                    }
                }
                Flow {
                    status,
                    step,
                    kind,
                    expires_at,
                    error_code,
                    website_error,
                    pending,
                }
            },
        )
}

fn settings() -> impl Strategy<Value = Settings> {
    (
        any::<Option<u32>>(),
        any::<[Option<bool>; 4]>(),
        proptest::option::of(one_of(HealthCheckUnavailable::ALL)),
        one_of(CredentialKind::ALL),
        any::<Option<u16>>(),
        proptest::option::of(one_of(SsoProvider::ALL)),
    )
        .prop_map(
            |(
                health_check_interval,
                flags,
                health_check_unavailable,
                credential,
                allowed_domains,
                sso_provider,
            )| Settings {
                health_check_interval,
                health_checks: flags[0],
                auto_reauth: flags[1],
                save_credentials: flags[2],
                record_session: flags[3],
                health_check_unavailable,
                credential: Some(credential),
                allowed_domains,
                sso_provider,
            },
        )
}

fn history() -> impl Strategy<Value = History> {
    let count = prop_oneof![Just(0_u8), 1..5_u8];
    let counts = proptest::collection::vec(count, EventType::ALL.len() * EventOutcome::ALL.len());
    (timestamp(), timestamp(), counts).prop_map(|(last_success, last_confirmed, counts)| {
        let mut history = History::default();
        let pairs = EventType::ALL.iter().flat_map(|kind| {
            let outcomes = EventOutcome::ALL.iter();
            outcomes.map(|outcome| EventSlot::of(*kind, *outcome))
        });
        for (slot, count) in pairs.zip(counts) {
            for slot in std::iter::repeat_n(slot, usize::from(count)).flatten() {
                history.add(slot);
            }
        }
        history.last_success = last_success;
        history.last_confirmed = last_confirmed;
        history
    })
}

/// A count that an f64 holds.
fn count() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(0..(1_u64 << 53))
}

fn org() -> impl Strategy<Value = OrgView> {
    let plans = [
        Plan::Free,
        Plan::Hobbyist,
        Plan::StartUp,
        Plan::Enterprise,
        Plan::Other,
    ];
    let plan = proptest::option::of(proptest::sample::select(plans.to_vec()));
    let counts = [count(), count(), count(), count(), count(), count()];
    (counts, plan, timestamp()).prop_map(|(counts, plan, key_expires)| OrgView {
        connections_used: counts[0],
        connections_limit: counts[1],
        sessions_used: counts[2],
        sessions_limit: counts[3],
        min_health_check_interval: counts[4],
        connections_unseen: counts[5],
        plan,
        key_expires,
    })
}

/// An account; what the exporter does not show is left out.
fn account() -> impl Strategy<Value = AccountView> {
    let clock = proptest::option::of(0_u64..20_000);
    (proptest::option::of(name()), count(), count(), clock, org()).prop_map(
        |(account, ratelimit_limit, ratelimit_remaining, skewed, org)| AccountView {
            account: account.map(Into::into),
            ratelimit_limit,
            ratelimit_remaining,
            blocked_until: None,
            clock: skewed
                .map(|millis| ClockOffset::between(NOW.plus(Duration::from_millis(millis)), NOW)),
            org,
        },
    )
}

/// State of the exporter, and a probe now and then.
pub(crate) fn own() -> impl Strategy<Value = Own> {
    let load = proptest::option::of((any::<bool>(), timestamp()));
    let probe = proptest::option::weighted(0.2, (any::<bool>(), 0_u64..100_000_000_000));
    let counts = any::<(Option<u16>, Option<u32>, Option<(u8, u16)>)>();
    (load, counts, probe).prop_map(|(load, (pending, dropped, ceilings), probe)| Own {
        gathered: Vec::new(),
        config_load: load.and_then(|(succeeded, at)| Some((succeeded, at?))),
        timelines_pending: pending.map(usize::from),
        log_dropped: dropped.map(u64::from),
        ceilings: ceilings.map(|(of, probes)| (of.into(), probes.into())),
        probe: probe.map(|(success, nanos)| (success, Duration::from_nanos(nanos))),
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,12}",
        any::<String>(),
        one_of(&HOSTILE).prop_map(str::to_owned),
        "[\"\\\\\n\0x]{0,400}",
    ]
}

fn connection() -> impl Strategy<Value = Random> {
    (
        (name(), name(), proptest::option::of(name())),
        one_of(AuthStatus::ALL),
        [timestamp(), timestamp()],
        flow(),
        any::<Option<bool>>(),
        proptest::option::of(one_of(ReauthReason::ALL)),
        settings(),
        proptest::option::of(history()),
    )
        .prop_map(
            |(names, status, times, flow, can_reauth, can_reauth_reason, settings, history)| {
                let [last_auth_at, last_auth_check_at] = times;
                let (id, domain, profile) = names;
                Random {
                    id,
                    domain,
                    profile,
                    connection: Connection {
                        status,
                        last_auth_at,
                        last_auth_check_at,
                        flow,
                        can_reauth,
                        can_reauth_reason,
                        settings,
                        history: history.map(Arc::new),
                        ..sparse(&Scope::default(), "", "", None)
                    },
                }
            },
        )
}

/// A random fleet. Its accounts and scopes have nothing to do with each other:
/// both only lend labels.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let accounts = proptest::collection::vec(account(), 0..3);
    (accounts, scopes()).prop_map(|(mut accounts, scopes)| {
        for (index, account) in accounts.iter_mut().enumerate().skip(1) {
            let name = account.account.as_deref().unwrap_or_default();
            account.account = Some(format!("{index}{name}").into());
        }
        World { accounts, scopes }
    })
}

/// Random scopes. Ids and projects get a number, so that they are unique.
fn scopes() -> impl Strategy<Value = Vec<RandomScope>> {
    let scope = (
        proptest::option::of(name()),
        name(),
        any::<bool>(),
        0_u64..20_000,
        proptest::collection::vec(connection(), 0..6),
        proptest::collection::vec((name(), any::<bool>()), 0..3),
        proptest::bool::weighted(0.9),
    );
    proptest::collection::vec(scope, 0..4).prop_map(|scopes| {
        let numbered = |(index, scope)| {
            let (account, project, up, skewed, connections, found, seen) = scope;
            let (mut connections, mut found): (Vec<Random>, Vec<(String, bool)>) =
                (connections, found);
            let ids = connections.iter_mut().map(|random| &mut random.id);
            for (index, id) in ids.enumerate() {
                *id = format!("{index}{id}");
            }
            for (index, (id, _)) in found.iter_mut().enumerate() {
                *id = format!("{index}{id}");
            }
            let project: String = project;
            RandomScope {
                account,
                project: Some(format!("{index}{project}")),
                up,
                skewed: Duration::from_millis(skewed),
                connections,
                found,
                seen,
            }
        };
        scopes.into_iter().enumerate().map(numbered).collect()
    })
}

impl RandomScope {
    /// How far the API's clock is ahead in this scope.
    pub(crate) fn clock(&self) -> ClockOffset {
        ClockOffset::between(NOW.plus(self.skewed), NOW)
    }

    /// The connections as the crate keeps them.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        let scope = Scope::new(self.account.as_deref(), self.project.as_deref());
        let labelled = |random: &Random| Connection {
            labels: LabelBlock::new(
                &random.id,
                &random.domain,
                random.profile.as_deref(),
                &scope,
                &mut String::new(),
            ),
            ..random.connection.clone()
        };
        self.connections.iter().map(labelled).collect()
    }

    fn view(&self) -> ScopeView {
        let snapshot = Snapshot {
            fetched_at: NOW,
            took: std::time::Duration::from_secs(2),
            clock: self.clock(),
            connections: self.connections(),
            found: self
                .found
                .iter()
                .map(|(id, found)| (id.as_str().into(), *found))
                .collect(),
            ..Snapshot::default()
        };
        ScopeView {
            scope: Arc::new(Scope::new(self.account.as_deref(), self.project.as_deref())),
            project_name: self.project.as_deref().map(Arc::from),
            failure: Failure::unless(self.up),
            snapshot: self.seen.then(|| Arc::new(snapshot)),
        }
    }
}

impl World {
    /// As the crate keeps it.
    pub(crate) fn fleet(&self) -> Fleet {
        Fleet {
            accounts: self.accounts.clone(),
            scopes: self.scopes.iter().map(RandomScope::view).collect(),
        }
    }
}
