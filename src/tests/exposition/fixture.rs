//! Fleets to render.

use std::sync::Arc;
use std::time::Duration;

use crate::exposition::{Chunks, Escaping, Exposition, Format, Options, Own};
use crate::kernel::Observer;
use crate::model::{
    AccountView, AuthStatus, ClockOffset, Collector, CollectorSet, Connection, CredentialKind,
    Endpoint, ErrorCode, ErrorReason, EventOutcome, EventSlot, EventType, Failure, Fleet, Flow,
    FlowStatus, FlowStep, FlowType, HealthCheckUnavailable, History, LabelBlock, OrgView,
    PendingInput, Plan, ReauthReason, RetryReason, Scope, ScopeView, ScrapeOutcome, Settings,
    Snapshot, SsoProvider, States, Timestamp, WaitReason,
};
use crate::telemetry::Telemetry;
use crate::version::Build;

/// 2026-11-22T10:00:00.25Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_795_341_600_250_000);

/// The formats, with an escaping each.
pub(crate) const FORMATS: [Format; 3] = [
    Format::Text004,
    Format::Text100(Escaping::AllowUtf8),
    Format::OpenMetrics100(Escaping::Underscores),
];

pub(crate) fn options(format: Format) -> Options {
    Options {
        format,
        collectors: every_collector(),
        ..Options::default()
    }
}

pub(crate) fn every_collector() -> CollectorSet {
    let all = Collector::ALL.iter();
    all.fold(CollectorSet::EMPTY, |set, each| set.with(*each, true))
}

pub(crate) fn active(format: Format) -> Options {
    Options {
        states: States::Active,
        ..options(format)
    }
}

pub(crate) fn gzip(options: Options) -> Options {
    Options {
        gzip: true,
        ..options
    }
}

/// A connection with nothing but what the API always sends.
pub(crate) fn sparse(scope: &Scope, id: &str, domain: &str, profile: Option<&str>) -> Connection {
    Connection {
        labels: LabelBlock::new(id, domain, profile, scope, &mut String::new()),
        status: AuthStatus::NeedsAuth,
        last_auth_at: None,
        last_auth_check_at: None,
        flow: Flow {
            status: FlowStatus::None,
            step: FlowStep::None,
            kind: FlowType::None,
            expires_at: None,
            error_code: None,
            website_error: None,
            pending: [None; 5],
        },
        can_reauth: None,
        can_reauth_reason: None,
        settings: Settings {
            health_check_interval: None,
            health_checks: None,
            auto_reauth: None,
            save_credentials: None,
            record_session: None,
            health_check_unavailable: None,
            credential: Some(CredentialKind::None),
            allowed_domains: None,
            sso_provider: None,
        },
        history: None,
    }
}

/// One scope without names, whose snapshot is these connections.
pub(crate) fn fleet_of(connections: Vec<Connection>) -> Fleet {
    Fleet {
        accounts: vec![AccountView::default()],
        scopes: vec![scope_of(Scope::default(), connections)],
    }
}

pub(crate) fn scope_of(scope: Scope, connections: Vec<Connection>) -> ScopeView {
    ScopeView {
        scope: Arc::new(scope),
        project_name: None,
        failure: None,
        snapshot: Some(Arc::new(snapshot_of(connections))),
    }
}

/// Taken at [`NOW`], for no configured id.
pub(crate) fn snapshot_of(connections: Vec<Connection>) -> Snapshot {
    Snapshot {
        fetched_at: NOW,
        took: Duration::from_secs(2),
        connections,
        ..Snapshot::default()
    }
}

/// What the timeline of a healthy connection told.
fn past(ago: impl Fn(i64) -> Option<Timestamp>) -> History {
    let mut history = History::default();
    for (kind, outcome) in [
        (EventType::Reauth, EventOutcome::Success),
        (EventType::HealthCheck, EventOutcome::Authenticated),
        (EventType::HealthCheck, EventOutcome::Authenticated),
    ] {
        history.add(EventSlot::of(kind, outcome).unwrap());
    }
    history.last_success = ago(193_700);
    history.last_confirmed = ago(1188);
    history
}

fn organisation(key_expires: Option<Timestamp>) -> OrgView {
    OrgView {
        connections_used: Some(4),
        connections_limit: Some(250),
        sessions_used: Some(2),
        sessions_limit: Some(50),
        min_health_check_interval: Some(300),
        plan: Some(Plan::StartUp),
        connections_unseen: Some(1),
        key_expires,
    }
}

/// As most connections are configured.
fn settings(credential: CredentialKind) -> Settings {
    Settings {
        health_check_interval: Some(3600),
        health_checks: Some(true),
        auto_reauth: Some(true),
        save_credentials: Some(true),
        record_session: Some(false),
        health_check_unavailable: None,
        credential: Some(credential),
        allowed_domains: Some(2),
        sso_provider: Some(SsoProvider::Google),
    }
}

/// A small fleet that has every family, for people to read.
pub(crate) fn story() -> Fleet {
    let scope = Scope::new(Some("production"), Some("proj_a"));
    let ago = |seconds: i64| Some(Timestamp::from_seconds(1_795_341_600 - seconds));
    let healthy = Connection {
        status: AuthStatus::Authenticated,
        last_auth_at: ago(1188),
        last_auth_check_at: ago(1188),
        flow: Flow {
            status: FlowStatus::Success,
            step: FlowStep::Completed,
            kind: FlowType::Reauth,
            expires_at: ago(192_540),
            error_code: None,
            website_error: None,
            pending: [None; 5],
        },
        can_reauth: Some(true),
        can_reauth_reason: Some(ReauthReason::TotpReauthAllowed),
        settings: settings(CredentialKind::Kernel),
        history: Some(Arc::new(past(ago))),
        ..sparse(&scope, "q7f2m9", "portal.acme.example", Some("billing-bot"))
    };
    let mut pending = [None; 5];
    pending[PendingInput::Choice as usize] = Some(1);
    pending[PendingInput::Field as usize] = Some(0);
    let waiting = Connection {
        last_auth_check_at: Some(Timestamp::from_micros(1_795_341_301_318_000)),
        flow: Flow {
            status: FlowStatus::InProgress,
            step: FlowStep::AwaitingExternalAction,
            kind: FlowType::Reauth,
            expires_at: ago(-930),
            error_code: None,
            website_error: Some(false),
            pending,
        },
        can_reauth: Some(false),
        can_reauth_reason: Some(ReauthReason::RequiresExternalAction),
        settings: settings(CredentialKind::ExternalPath),
        ..sparse(&scope, "b5n0v7", "crm.example.org", Some("crm \"sync\""))
    };
    let failed = Connection {
        flow: Flow {
            status: FlowStatus::Failed,
            step: FlowStep::Submitting,
            kind: FlowType::Reauth,
            expires_at: ago(8690),
            error_code: Some(ErrorCode::CredentialsInvalid),
            website_error: Some(true),
            pending: [None; 5],
        },
        settings: Settings {
            health_check_unavailable: Some(HealthCheckUnavailable::NoAuthCheckUrl),
            ..settings(CredentialKind::ExternalAuto)
        },
        ..sparse(&scope, "t1k6z9", "bank.example.com", None)
    };
    Fleet {
        accounts: vec![AccountView {
            account: Some("production".into()),
            ratelimit_limit: Some(250),
            ratelimit_remaining: Some(231),
            blocked_until: None,
            clock: Some(ClockOffset::between(NOW.plus(Duration::from_mins(1)), NOW)),
            org: organisation(ago(-864_000)),
        }],
        scopes: vec![
            ScopeView {
                scope: Arc::new(scope),
                project_name: Some("Checkout".into()),
                failure: None,
                snapshot: Some(Arc::new(Snapshot {
                    fetched_at: NOW,
                    took: std::time::Duration::from_secs(2),
                    connections: vec![waiting, healthy, failed],
                    found: [("q7f2m9".into(), true), ("gone".into(), false)].into(),
                    ..Snapshot::default()
                })),
            },
            ScopeView {
                scope: Arc::new(Scope::new(Some("production"), Some("proj_b"))),
                project_name: None,
                failure: Failure::unless(false),
                snapshot: None,
            },
        ],
    }
}

/// A fleet on its way to a socket.
pub(crate) fn stream(fleet: Arc<Fleet>, own: Own, options: Options) -> Chunks<Exposition> {
    Exposition::body(fleet, own, NOW, options, &Arc::default())
}

/// What an answer of `/probe` says beside the fleet.
pub(crate) fn probed() -> Own {
    Own {
        probe: Some((true, Duration::from_millis(12))),
        ..Own::default()
    }
}

/// The exporter's families with some history, without those of this process.
pub(crate) fn own() -> Own {
    let build = Build {
        version: "1.2.3",
        revision: "0123abc",
        rustversion: "1.95.0",
    };
    let telemetry = Telemetry::new(build, &[Endpoint::Connections]);
    for millis in [3, 120, 45_000] {
        telemetry.request(
            Endpoint::Connections,
            Some(200),
            Duration::from_millis(millis),
        );
    }
    telemetry.error(ErrorReason::RateLimited);
    telemetry.retry(RetryReason::RateLimited);
    telemetry.waited(WaitReason::RetryAfter, Duration::from_millis(1250));
    telemetry.expect_flows();
    telemetry.flow_ended(
        EventType::Login,
        EventOutcome::Failed,
        Some(ErrorCode::CaptchaBlocked),
        Some(Duration::from_millis(42_500)),
    );
    telemetry.scrape(ScrapeOutcome::Fresh, Duration::from_millis(171));
    let mut gathered = telemetry.gather();
    gathered.retain(|family| !family.name().starts_with("process_"));
    Own {
        gathered,
        config_load: Some((true, Timestamp::from_micros(1_795_341_000_500_000))),
        timelines_pending: Some(3),
        log_dropped: Some(7),
        ceilings: Some((8, 600)),
        probe: None,
    }
}

/// Many connections with all their members.
pub(crate) fn large(connections: usize) -> Fleet {
    let scope = Scope::new(None, Some("proj_large"));
    let template = story();
    let (_, _, template) = template.connections().nth(1).unwrap();
    let connections = (0..connections)
        .map(|index| Connection {
            labels: LabelBlock::new(
                &format!("connection-{index:06}"),
                "portal.acme.example",
                Some(&format!("profile-{index}")),
                &scope,
                &mut String::new(),
            ),
            ..template.clone()
        })
        .collect();
    Fleet {
        accounts: vec![AccountView::default()],
        scopes: vec![scope_of(scope, connections)],
    }
}
