//! Makes a fleet: names, histories and a first state for every connection.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use super::chance::Chance;
use super::clock::{DAY, HOUR, MINUTE, Micros, SECOND};
use super::connection::{
    Arrays, Character, Checks, Connection, Due, Ending, Event, Flow, Form, Outcome, Overlay, Past,
    Settings, TimeStyle,
};
use super::lifecycle::{FLOW_LIFETIME, INPUT_PATIENCE, expiry, failure};
use super::script::{Pending, Script};
use super::sketch::{self, Sketch};
use super::values::{Auth, Credential, EventKind, EventStep, FlowKind, FlowStatus, FlowStep};

const DOMAINS: &[&str] = &[
    "portal.acme.example",
    "mail.northwind.example",
    "crm.contoso.example",
    "bank.harbour.example",
    "shop.lumen.example",
    "hr.fabrikam.example",
    "travel.globe.example",
    "ads.beacon.example",
    "docs.paperworks.example",
    "freight.meridian.example",
    "insure.oakleaf.example",
    "tickets.arena.example",
    "utility.brightgrid.example",
    "payroll.tallysheet.example",
    "supplier.ironbridge.example",
    "health.wellspring.example",
    "tax.ledgerline.example",
    "video.streamhouse.example",
    "jobs.nextstep.example",
    "school.greenfield.example",
    "telecom.clearwave.example",
    "parcel.swiftpost.example",
    "hotel.seaview.example",
    "energy.windfarm.example",
];

const ROLES: &[&str] = &[
    "billing-bot",
    "crm-sync",
    "reports",
    "invoice-fetcher",
    "payroll-sync",
    "price-watch",
    "travel-desk",
    "ads-export",
    "hr-portal",
    "bank-feed",
    "support-triage",
    "procurement",
    "claims-intake",
    "parcel-tracker",
];

/// Names for a fleet of some size: few domains, shared by many.
pub(crate) struct Names {
    domains: Vec<Arc<str>>,
}

impl Names {
    pub(crate) fn new(connections: usize) -> Self {
        let count = (connections / 3).clamp(4, DOMAINS.len());
        Self {
            domains: DOMAINS[..count]
                .iter()
                .map(|name| Arc::from(*name))
                .collect(),
        }
    }

    /// Domain and profile of the `index`th connection; no two have both alike.
    pub(crate) fn of(&self, index: usize) -> (Arc<str>, Arc<str>) {
        let place = index % self.domains.len();
        let number = index / self.domains.len() + place * 5;
        let mut profile = String::with_capacity(24);
        // Writing to a string does not fail.
        let _ = match (ROLES.get(number), number % 3) {
            (Some(role), _) => write!(profile, "{role}"),
            // Some fleets name profiles after their end users.
            (None, 0) => write!(profile, "user-{}", 1000 + number),
            (None, _) => write!(profile, "{}-{number}", ROLES[number % ROLES.len()]),
        };
        (Arc::clone(&self.domains[place]), profile.into())
    }
}

/// Where and what a new connection is.
pub(crate) struct Birth {
    pub(crate) index: usize,
    pub(crate) seed: u64,
    pub(crate) now: Micros,
    pub(crate) project: usize,
    pub(crate) domain: Arc<str>,
    pub(crate) profile: Arc<str>,
}

/// The `index`th connection of a seeded fleet.
pub(crate) fn cast(birth: Birth) -> Connection {
    let mut chance = Chance::new(birth.seed, birth.index as u64);
    let id = chance.name(24);
    let sketch = sketch::telling(birth.index).unwrap_or_else(|| {
        let percent = chance.below(100);
        sketch::usual(percent, usize::try_from(chance.below(1 << 20)).unwrap_or(0))
    });
    from_sketch(&sketch, birth, chance, id.into())
}

/// A connection as somebody creates it: never logged in, nothing scheduled
/// before its first login.
pub(crate) fn newborn(birth: Birth, id: Option<Arc<str>>) -> Connection {
    let mut chance = Chance::new(birth.seed, birth.index as u64);
    let name = chance.name(24);
    let sketch = Sketch {
        auth: Auth::NeedsAuth,
        flow: None,
        reason: None,
        credential: Credential::None,
        checks: Checks::Off,
        form: Some(Form::Sparse),
        times: Some(TimeStyle::Seconds),
        patience: super::connection::Patience::Never,
        ..sketch::HEALTHY
    };
    let mut connection = from_sketch(&sketch, birth, chance, id.unwrap_or_else(|| name.into()));
    connection.last_check = None;
    connection.history.clear();
    connection.past.events = 0;
    connection.settings.checks = Checks::On;
    connection.settings.interval = 3600;
    connection
}

fn settings(sketch: &Sketch, chance: &mut Chance) -> Settings {
    Settings {
        save_credentials: sketch.credential != Credential::None,
        record_session: chance.percent(30),
        checks: sketch.checks,
        auto_reauth: sketch.auto_reauth,
        interval: {
            let usual = *chance.pick(&[300, 1200, 3600, 3600, 3600, 21_600, 86_400]);
            sketch.interval.unwrap_or(usual)
        },
        credential: sketch.credential,
        reason: sketch.reason,
        form: sketch
            .form
            .unwrap_or_else(|| *chance.pick(&[Form::Full, Form::Sparse])),
        times: sketch.times.unwrap_or_else(|| {
            *chance.pick(&[
                TimeStyle::Seconds,
                TimeStyle::Seconds,
                TimeStyle::Millis,
                TimeStyle::Micros,
                TimeStyle::Offset,
            ])
        }),
        arrays: sketch.arrays.unwrap_or_else(|| {
            *chance.pick(&[
                Arrays::Both,
                Arrays::Both,
                Arrays::Canonical,
                Arrays::Legacy,
            ])
        }),
    }
}

fn from_sketch(sketch: &Sketch, birth: Birth, mut chance: Chance, id: Arc<str>) -> Connection {
    let settings = settings(sketch, &mut chance);
    let character = Character {
        script: sketch.script,
        patience: sketch.patience,
        temper: sketch.temper,
        code: sketch.code,
        reauth_percent: sketch.reauth_percent,
        logout_percent: sketch.logout_percent,
        inconclusive_percent: 3,
    };
    let mut connection = Connection {
        id,
        project: birth.project,
        domain: birth.domain,
        profile: birth.profile,
        seed: chance.next(),
        chance,
        settings,
        character,
        auth: sketch.auth,
        last_check: None,
        flow: None,
        version: 0,
        due: Due::NOTHING,
        cooldown: 0,
        history: VecDeque::new(),
        next_event: 0,
        past: Past {
            events: 0,
            before: birth.now,
        },
        tally: [0; 10],
        overlay: Overlay::None,
        gone: false,
    };
    connection.first_flow(sketch, birth.now);
    connection.first_check(birth.now);
    connection.settle(birth.index, birth.now);
    connection
}

impl Connection {
    fn first_flow(&mut self, sketch: &Sketch, now: Micros) {
        let Some((status, step, kind)) = sketch.flow else {
            return;
        };
        let running = status == FlowStatus::InProgress;
        let ended = now - self.chance.between(10 * MINUTE, 3 * DAY);
        let started = match status {
            FlowStatus::InProgress if sketch.stale => now - FLOW_LIFETIME - 90 * SECOND,
            FlowStatus::InProgress if step == FlowStep::Discovering => now - 2 * SECOND,
            FlowStatus::InProgress => now - self.chance.between(10, 90) * SECOND,
            FlowStatus::Expired => ended - INPUT_PATIENCE - 3 * MINUTE,
            _ => ended - self.chance.between(5, 180) * SECOND,
        };
        let (started, ended) = (self.quantise(started), self.quantise(ended));
        // A re-login that asks nobody is the health check's own.
        let unattended = running && kind == FlowKind::Reauth && sketch.pending == Pending::Nothing;
        let script = if unattended {
            Script::Quiet
        } else {
            sketch.script
        };
        let stage = script.asking(sketch.pending, step);
        let error = (status == FlowStatus::Failed).then_some(sketch.code);
        let ending = if !running || sketch.pending == Pending::Nothing {
            Ending {
                at: script.last(),
                outcome: Outcome::Success,
            }
        } else if sketch.temper == super::connection::Temper::Expires {
            Ending {
                at: stage,
                outcome: Outcome::Expired,
            }
        } else {
            failure(script, sketch.code)
        };
        let number = self.number();
        self.history.push_back(Event {
            number,
            kind: kind.into(),
            status: status.into(),
            timestamp: started,
            completed: (!running).then_some(ended),
            updated: Some(if running { started } else { ended }),
            previous: None,
            step: Some(match (status, step) {
                (FlowStatus::Expired, _) => EventStep::Expired,
                (_, FlowStep::Discovering) => EventStep::Discovering,
                (_, FlowStep::AwaitingInput) => EventStep::AwaitingInput,
                (_, FlowStep::AwaitingExternalAction) => EventStep::AwaitingExternalAction,
                (_, FlowStep::Submitting) => EventStep::Submitting,
                (_, FlowStep::Completed) => EventStep::Completed,
            }),
            error,
        });
        self.flow = Some(Flow {
            kind,
            status,
            step,
            started,
            expires: expiry(started, started, step),
            error,
            script,
            stage,
            ending,
            unattended,
            event: number,
        });
        if running {
            self.enter_stage(now, stage);
        }
        if sketch.stale {
            self.due.flow = self.quantise(now + 5 * MINUTE);
        }
    }

    fn first_check(&mut self, now: Micros) {
        let interval = Micros::from(self.settings.interval) * SECOND;
        if self.settings.checks == Checks::Off {
            if self.settings.form != Form::Minimal && self.chance.percent(50) {
                let at = now - self.chance.between(3 * DAY, 20 * DAY);
                self.last_check = Some(self.quantise(at));
            }
            return;
        }
        let age = self.chance.between(SECOND, interval - SECOND);
        let at = self.quantise(now - age);
        self.last_check = Some(at);
        self.due.check = self.quantise(at + interval).max(now);
        if self.settings.checks == Checks::On {
            let number = self.number();
            self.history.push_back(Event {
                previous: Some(Auth::Authenticated),
                ..Event::new(number, EventKind::HealthCheck, self.auth.into(), at)
            });
        }
    }

    fn settle(&mut self, index: usize, now: Micros) {
        self.history
            .make_contiguous()
            .sort_by_key(|event| event.timestamp);
        let oldest = self.history.front().map_or(now, |event| event.timestamp);
        self.past.before = oldest.min(self.last_check.unwrap_or(now)) - HOUR;
        if self.settings.form != Form::Minimal {
            let events = 5 + self.chance.below(40);
            // The first has more than a page of history.
            self.past.events =
                u16::try_from(if index == 0 { 130 } else { events }).unwrap_or(u16::MAX);
        }
        self.expect_person(now);
    }
}
