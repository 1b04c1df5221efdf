//! Random fleets.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    AuthStatus, ClockOffset, Connection, CredentialKind, ErrorCode, Fleet, Flow, FlowStatus,
    FlowStep, FlowType, HealthCheckUnavailable, LabelBlock, PendingInput, PendingInputs,
    ReauthReason, Scope, ScopeView, Settings, Snapshot, Timestamp,
};
use proptest::prelude::*;

use super::fixture::{HOSTILE, NOW, sparse};

/// A random connection and its names.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    pub(crate) id: String,
    pub(crate) domain: String,
    pub(crate) profile: Option<String>,
    connection: Connection,
}

/// A random scope.
#[derive(Clone, Debug)]
pub(crate) struct RandomScope {
    pub(crate) account: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) up: bool,
    pub(crate) skewed: Duration,
    pub(crate) connections: Vec<Random>,
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
        pending,
    )
        .prop_map(|(status, step, kind, expires_at, error_code, counts)| {
            let mut pending = PendingInputs::default();
            for (kind, count) in PendingInput::ALL.iter().zip(counts) {
                if let Some(count) = count {
                    pending.set(*kind, count);
                }
            }
            Flow {
                status,
                step,
                kind,
                expires_at,
                error_code,
                pending,
            }
        })
}

fn settings() -> impl Strategy<Value = Settings> {
    (
        any::<Option<u32>>(),
        any::<[Option<bool>; 4]>(),
        proptest::option::of(one_of(HealthCheckUnavailable::ALL)),
        one_of(CredentialKind::ALL),
    )
        .prop_map(
            |(health_check_interval, flags, health_check_unavailable, credential)| Settings {
                health_check_interval,
                health_checks: flags[0],
                auto_reauth: flags[1],
                save_credentials: flags[2],
                record_session: flags[3],
                health_check_unavailable,
                credential,
            },
        )
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
    )
        .prop_map(
            |(names, status, [last_auth_at, last_auth_check_at], flow, can, reason, settings)| {
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
                        can_reauth: can,
                        can_reauth_reason: reason,
                        settings,
                        ..sparse(&Scope::default(), "", "", None)
                    },
                }
            },
        )
}

/// Random scopes. Ids and projects get a number, so that they are unique.
pub(crate) fn scopes() -> impl Strategy<Value = Vec<RandomScope>> {
    let scope = (
        proptest::option::of(name()),
        name(),
        any::<bool>(),
        0_u64..20_000,
        proptest::collection::vec(connection(), 0..6),
        proptest::bool::weighted(0.9),
    );
    proptest::collection::vec(scope, 0..4).prop_map(|scopes| {
        let numbered = |(index, scope)| {
            let (account, project, up, skewed, mut connections, seen): (
                _,
                String,
                _,
                _,
                Vec<Random>,
                _,
            ) = scope;
            for (index, random) in connections.iter_mut().enumerate() {
                random.id = format!("{index}{}", random.id);
            }
            RandomScope {
                account,
                project: Some(format!("{index}{project}")),
                up,
                skewed: Duration::from_millis(skewed),
                connections,
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
            clock: self.clock(),
            connections: self.connections(),
            found: Vec::new(),
        };
        ScopeView {
            scope: Arc::new(Scope::new(self.account.as_deref(), self.project.as_deref())),
            up: self.up,
            snapshot: self.seen.then(|| Arc::new(snapshot)),
        }
    }
}

/// The scopes as the crate keeps them.
pub(crate) fn fleet(scopes: &[RandomScope]) -> Fleet {
    Fleet {
        accounts: Vec::new(),
        scopes: scopes.iter().map(RandomScope::view).collect(),
    }
}
