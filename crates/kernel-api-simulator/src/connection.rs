//! One simulated connection: what it is, and what happened to it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::chance::{Chance, mix};
use super::clock::{MINUTE, Micros, NEVER, SECOND};
use super::script::Script;
use super::values::{
    Auth, Credential, ErrorCode, EventKind, EventStatus, EventStep, FlowKind, FlowStatus, FlowStep,
    Reason,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Every member, absent values as `null`.
    Full,
    Sparse,
    /// The six required members alone.
    Minimal,
}

/// How its timestamps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeStyle {
    /// `…:12Z`
    Seconds,
    /// `…:12.318Z`
    Millis,
    /// `…:12.318000Z`
    Micros,
    /// `…:12.318+05:30`
    Offset,
}

/// Which arrays of a waiting flow are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrays {
    /// `fields`, `choices`.
    Canonical,
    /// `discovered_fields`, `mfa_options`, `sign_in_options`,
    /// `pending_sso_buttons`.
    Legacy,
    Both,
}

/// Scheduled health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    On,
    Off,
    /// On, with nothing to look at: `no_auth_check_url`.
    NoUrl,
}

/// How soon a person starts a login where one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Within a minute.
    AtHand,
    /// Within minutes.
    Prompt,
    /// Within hours.
    Slow,
    /// Always again, so that somebody nearly always is asked.
    Restless,
    Never,
}

/// How logins that a person starts tend to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    Succeeds,
    Fails,
    Expires,
    Cancels,
}

/// What a connection is inclined to.
#[derive(Clone, Debug)]
pub(crate) struct Character {
    pub(crate) script: Script,
    pub(crate) patience: Patience,
    pub(crate) temper: Temper,
    /// The code that its failures carry.
    pub(crate) code: ErrorCode,
    /// Likelihood that an unattended re-login succeeds.
    pub(crate) reauth_percent: u8,
    /// Likelihood that a check finds it logged out.
    pub(crate) logout_percent: u8,
    /// Likelihood that a check cannot tell.
    pub(crate) inconclusive_percent: u8,
}

/// How it is configured and written.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) save_credentials: bool,
    pub(crate) record_session: bool,
    pub(crate) checks: Checks,
    pub(crate) auto_reauth: bool,
    /// Seconds.
    pub(crate) interval: u32,
    pub(crate) credential: Credential,
    pub(crate) reason: Option<Reason>,
    pub(crate) form: Form,
    pub(crate) times: TimeStyle,
    pub(crate) arrays: Arrays,
}

/// How a flow ends, once it is over at stage `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) at: u8,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failed(ErrorCode),
    Expired,
    Canceled,
}

#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) kind: FlowKind,
    pub(crate) status: FlowStatus,
    pub(crate) step: FlowStep,
    pub(crate) started: Micros,
    pub(crate) expires: Micros,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) script: Script,
    pub(crate) stage: u8,
    pub(crate) ending: Ending,
    /// Nobody is at hand: started by a health check.
    pub(crate) unattended: bool,
    /// Number of its timeline event.
    pub(crate) event: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) number: u32,
    pub(crate) kind: EventKind,
    pub(crate) status: EventStatus,
    pub(crate) timestamp: Micros,
    pub(crate) completed: Option<Micros>,
    pub(crate) updated: Option<Micros>,
    pub(crate) previous: Option<Auth>,
    pub(crate) step: Option<EventStep>,
    pub(crate) error: Option<ErrorCode>,
}

impl Event {
    /// An event with nothing more to say.
    pub(crate) fn new(
        number: u32,
        kind: EventKind,
        status: EventStatus,
        timestamp: Micros,
    ) -> Self {
        Self {
            number,
            kind,
            status,
            timestamp,
            completed: None,
            updated: None,
            previous: None,
            step: None,
            error: None,
        }
    }
}

/// What replaces the object that the world would write.
#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    None,
    /// Members set by hand; `null` included.
    Members(Map<String, Value>),
    /// Served as it is.
    Verbatim(Arc<str>),
}

/// When something is due.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) check: Micros,
    pub(crate) flow: Micros,
    pub(crate) person: Micros,
}

impl Due {
    pub(crate) const NOTHING: Self = Self {
        check: NEVER,
        flow: NEVER,
        person: NEVER,
    };

    pub(crate) fn next(&self) -> Micros {
        self.check.min(self.flow).min(self.person)
    }
}

/// Events from before the start are made when they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) events: u16,
    pub(crate) before: Micros,
}

/// Events numbered from here on happened before the start.
const PAST: u32 = 1 << 31;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: Arc<str>,
    pub(crate) project: usize,
    pub(crate) domain: Arc<str>,
    pub(crate) profile: Arc<str>,
    pub(crate) seed: u64,
    pub(crate) chance: Chance,
    pub(crate) settings: Settings,
    pub(crate) character: Character,
    pub(crate) auth: Auth,
    pub(crate) last_check: Option<Micros>,
    pub(crate) flow: Option<Flow>,
    /// Grows with every change that followers of its events are told about.
    pub(crate) version: u32,
    pub(crate) due: Due,
    /// No unattended re-login before this.
    pub(crate) cooldown: Micros,
    /// Oldest first.
    pub(crate) history: VecDeque<Event>,
    pub(crate) next_event: u32,
    pub(crate) past: Past,
    /// Events that ended since the start, see [`super::ledger::slot`].
    pub(crate) tally: [u32; 10],
    pub(crate) overlay: Overlay,
    pub(crate) gone: bool,
}

impl Connection {
    /// `can_reauth`, which goes with its reason.
    pub(crate) fn can_reauth(&self) -> Option<bool> {
        self.settings.reason.map(Reason::is_positive)
    }

    pub(crate) fn event_id(&self, number: u32) -> String {
        Chance::new(mix(self.seed ^ 0x7469_6d65), u64::from(number)).name(24)
    }

    /// Every event, newest first: what happened, then what is told of the time
    /// before the start.
    pub(crate) fn timeline(&self) -> Vec<Event> {
        let mut events: Vec<Event> = self.history.iter().rev().cloned().collect();
        let mut chance = Chance::new(self.seed, 0x7061_7374);
        let mut time = self.past.before;
        let interval = Micros::from(self.settings.interval) * SECOND;
        for index in 0..u32::from(self.past.events) {
            time -= interval + chance.between(0, 20 * SECOND);
            let number = PAST + index;
            let event = if chance.percent(15) {
                let failed = chance.percent(25);
                let login = chance.percent(30);
                let (status, step) = if failed {
                    (EventStatus::Failed, EventStep::Submitting)
                } else {
                    (EventStatus::Success, EventStep::Completed)
                };
                let kind = if login {
                    EventKind::Login
                } else {
                    EventKind::Reauth
                };
                Event {
                    // The API has no end for the oldest attempts.
                    completed: (index < 40).then(|| time + chance.between(5, 60) * SECOND),
                    updated: Some(time + 2 * MINUTE),
                    step: Some(step),
                    error: failed.then_some(self.character.code),
                    ..Event::new(number, kind, status, time)
                }
            } else {
                let (kind, status) = (EventKind::HealthCheck, EventStatus::Authenticated);
                Event {
                    previous: Some(Auth::Authenticated),
                    ..Event::new(number, kind, status, time)
                }
            };
            events.push(event);
        }
        events
    }
}
