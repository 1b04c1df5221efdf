//! What happens to a connection: health checks at their interval, unattended
//! re-logins, logins that wait for a person.

use super::clock::{HOUR, MINUTE, Micros, NEVER, SECOND};
use super::connection::{
    Checks, Connection, Ending, Event, Flow, Outcome, Patience, Temper, TimeStyle,
};
use super::ledger::{Totals, slot};
use super::script::Script;
use super::values::{
    Auth, Credential, ErrorCode, EventKind, EventStep, FlowKind, FlowStatus, FlowStep,
};

/// How long a flow may take, and how long it may wait for input.
pub(crate) const FLOW_LIFETIME: Micros = 20 * MINUTE;
pub(crate) const INPUT_PATIENCE: Micros = 10 * MINUTE;

/// When a flow runs out that started at one time and reached `step` at another.
pub(crate) fn expiry(started: Micros, entered: Micros, step: FlowStep) -> Micros {
    let overall = started + FLOW_LIFETIME;
    match step {
        FlowStep::AwaitingInput => overall.min(entered + INPUT_PATIENCE),
        _ => overall,
    }
}

/// What a health check sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum CheckOutcome {
    /// Still logged in.
    #[serde(rename = "AUTHENTICATED")]
    Confirmed,
    /// Definitely logged out.
    #[serde(rename = "NEEDS_AUTH")]
    LoggedOut,
    /// It cannot tell: the status stays, the time of the check moves, and the
    /// timeline gets no event.
    #[serde(rename = "INCONCLUSIVE")]
    Inconclusive,
}

/// What a lifecycle may touch beside its connection.
pub(crate) struct Surroundings<'a> {
    pub(crate) totals: &'a mut Totals,
    /// Events kept per connection.
    pub(crate) history_limit: usize,
}

impl Connection {
    /// Does what is due first. Returns the time at which it happened.
    pub(crate) fn step(&mut self, around: &mut Surroundings<'_>) -> Micros {
        let time = self.due.next();
        if self.due.flow == time {
            self.flow_moves(time, around);
        } else if self.due.check == time {
            let interval = Micros::from(self.settings.interval) * SECOND;
            self.due.check = self.quantise(time + interval.max(SECOND));
            let outcome = self.draw_check();
            self.check(time, outcome, around);
        } else {
            self.person_comes(time, around);
        }
        time
    }

    /// `time` as precisely as this connection's timestamps can show it.
    pub(crate) fn quantise(&self, time: Micros) -> Micros {
        match self.settings.times {
            TimeStyle::Seconds => time.div_euclid(SECOND) * SECOND,
            _ => time.div_euclid(1000) * 1000,
        }
    }

    fn draw_check(&mut self) -> CheckOutcome {
        let character = &self.character;
        if self.settings.checks == Checks::NoUrl
            || self.chance.percent(character.inconclusive_percent)
        {
            CheckOutcome::Inconclusive
        } else if self.auth == Auth::NeedsAuth || self.chance.percent(self.character.logout_percent)
        {
            CheckOutcome::LoggedOut
        } else {
            CheckOutcome::Confirmed
        }
    }

    /// A health check at `time`.
    pub(crate) fn check(
        &mut self,
        time: Micros,
        outcome: CheckOutcome,
        around: &mut Surroundings<'_>,
    ) {
        let time = self.quantise(time);
        self.last_check = Some(time);
        let seen = match outcome {
            CheckOutcome::Inconclusive => return,
            CheckOutcome::Confirmed => Auth::Authenticated,
            CheckOutcome::LoggedOut => Auth::NeedsAuth,
        };
        let previous = self.auth;
        let number = self.number();
        self.remember(
            Event {
                previous: Some(previous),
                ..Event::new(number, EventKind::HealthCheck, seen.into(), time)
            },
            around.history_limit,
        );
        self.count(EventKind::HealthCheck, seen.into());
        if seen == Auth::Authenticated {
            self.auth = seen;
        } else if self.is_busy() {
            // The flow under way decides.
        } else if self.settings.auto_reauth
            && self.settings.checks == Checks::On
            && self.can_reauth() == Some(true)
            && time >= self.cooldown
        {
            let succeeds = self.chance.percent(self.character.reauth_percent);
            let ending = if succeeds {
                Ending {
                    at: Script::Quiet.last(),
                    outcome: Outcome::Success,
                }
            } else {
                failure(Script::Quiet, self.character.code)
            };
            self.start_flow(
                time,
                FlowKind::Reauth,
                Script::Quiet,
                ending,
                true,
                around.history_limit,
            );
        } else {
            self.auth = Auth::NeedsAuth;
            self.expect_person(time);
        }
    }

    /// Whether a flow is under way, swept or not.
    pub(crate) fn is_busy(&self) -> bool {
        self.flow
            .as_ref()
            .is_some_and(|flow| flow.status == FlowStatus::InProgress)
    }

    /// Starts a flow at `time`; one that is under way is superseded.
    pub(crate) fn start_flow(
        &mut self,
        time: Micros,
        kind: FlowKind,
        script: Script,
        ending: Ending,
        unattended: bool,
        history_limit: usize,
    ) {
        let time = self.quantise(time);
        let event = self.number();
        self.remember(
            Event {
                updated: Some(time),
                step: Some(EventStep::Initialized),
                ..Event::new(event, kind.into(), FlowStatus::InProgress.into(), time)
            },
            history_limit,
        );
        self.flow = Some(Flow {
            kind,
            status: FlowStatus::InProgress,
            step: FlowStep::Discovering,
            started: time,
            expires: time + FLOW_LIFETIME,
            error: None,
            script,
            stage: 0,
            ending,
            unattended,
            event,
        });
        self.due.person = NEVER;
        self.enter_stage(time, 0);
    }

    /// Moves the flow to a stage and sets when that ends.
    pub(crate) fn enter_stage(&mut self, time: Micros, stage: u8) {
        let time = self.quantise(time);
        let lag = self.chance.between(30 * SECOND, 8 * MINUTE);
        let Some(flow) = &mut self.flow else { return };
        let stages = flow.script.stages();
        let stage = stage.min(flow.script.last());
        let here = &stages[usize::from(stage)];
        flow.stage = stage;
        flow.step = here.step;
        flow.expires = expiry(flow.started, time, here.step);
        let due = if flow.ending.outcome == Outcome::Expired && flow.ending.at == stage {
            // The worker that sweeps expired flows comes by some time later.
            flow.expires + lag
        } else {
            time + self.chance.between(here.least, here.most)
        };
        let number = flow.event;
        self.due.flow = self.quantise(due);
        self.version += 1;
        if let Some(event) = self.event_mut(number) {
            event.step = Some(here.event_step);
            event.updated = Some(time);
        }
    }

    fn flow_moves(&mut self, time: Micros, around: &mut Surroundings<'_>) {
        let Some(flow) = &self.flow else {
            self.due.flow = NEVER;
            return;
        };
        if flow.stage >= flow.ending.at.min(flow.script.last()) {
            self.end_flow(time, flow.ending.outcome, around);
        } else {
            self.enter_stage(time, flow.stage + 1);
        }
    }

    /// Ends the flow that is under way; nothing happens where none is.
    pub(crate) fn end_flow(
        &mut self,
        time: Micros,
        outcome: Outcome,
        around: &mut Surroundings<'_>,
    ) {
        let time = self.quantise(time);
        if !self.is_busy() {
            return;
        }
        self.due.flow = NEVER;
        let Some(flow) = &mut self.flow else { return };
        let (status, error) = match outcome {
            Outcome::Success => (FlowStatus::Success, None),
            Outcome::Failed(code) => (FlowStatus::Failed, Some(code)),
            Outcome::Expired => (FlowStatus::Expired, None),
            Outcome::Canceled => (FlowStatus::Canceled, None),
        };
        flow.status = status;
        flow.error = error;
        if status == FlowStatus::Success {
            flow.step = FlowStep::Completed;
        }
        let (kind, number, started) = (EventKind::from(flow.kind), flow.event, flow.started);
        let unattended = flow.unattended;
        self.version += 1;
        // Some writes come after the end.
        let touched = time + SECOND * Micros::from(self.chance.percent(20));
        if let Some(event) = self.event_mut(number) {
            event.status = status.into();
            event.completed = Some(time);
            event.updated = Some(touched);
            event.error = error;
            match status {
                FlowStatus::Success => event.step = Some(EventStep::Completed),
                FlowStatus::Expired => event.step = Some(EventStep::Expired),
                _ => {}
            }
        }
        self.count(kind, status.into());
        around
            .totals
            .flow_ended(kind, status.into(), error, time - started);
        if status == FlowStatus::Success {
            self.auth = Auth::Authenticated;
            self.cooldown = 0;
        } else if unattended {
            self.auth = Auth::NeedsAuth;
            self.cooldown = time + self.chance.between(HOUR, 4 * HOUR);
        }
        self.expect_person(time);
    }

    /// Sets when a person starts a login, where one is needed.
    pub(crate) fn expect_person(&mut self, time: Micros) {
        let needed = self.auth == Auth::NeedsAuth || self.character.patience == Patience::Restless;
        if !needed || self.is_busy() {
            return;
        }
        let (least, most) = match self.character.patience {
            Patience::AtHand => (10 * SECOND, MINUTE),
            Patience::Prompt => (MINUTE, 15 * MINUTE),
            Patience::Slow => (2 * HOUR, 12 * HOUR),
            Patience::Restless => (10 * SECOND, 2 * MINUTE),
            Patience::Never => return,
        };
        if self.due.person == NEVER {
            let due = time + self.chance.between(least, most);
            self.due.person = self.quantise(due);
        }
    }

    fn person_comes(&mut self, time: Micros, around: &mut Surroundings<'_>) {
        self.due.person = NEVER;
        if self.is_busy() {
            return;
        }
        let script = self.character.script;
        let ending = self.draw_ending(script);
        // A manual login over stored credentials is a REAUTH for the API.
        let stored = self.settings.credential != Credential::None;
        let kind = if stored && self.chance.percent(50) {
            FlowKind::Reauth
        } else {
            FlowKind::Login
        };
        self.start_flow(time, kind, script, ending, false, around.history_limit);
    }

    fn draw_ending(&mut self, script: Script) -> Ending {
        // Even the steadiest differ now and then.
        let temper = if self.chance.percent(85) {
            self.character.temper
        } else {
            *self.chance.pick(&[
                Temper::Succeeds,
                Temper::Fails,
                Temper::Expires,
                Temper::Cancels,
            ])
        };
        let waiting = script
            .stages()
            .iter()
            .rposition(|stage| stage.pending != super::script::Pending::Nothing)
            .and_then(|stage| u8::try_from(stage).ok());
        match (temper, waiting) {
            (Temper::Fails, _) => failure(script, self.character.code),
            (Temper::Expires, Some(at)) => Ending {
                at,
                outcome: Outcome::Expired,
            },
            (Temper::Cancels, Some(at)) => Ending {
                at,
                outcome: Outcome::Canceled,
            },
            _ => Ending {
                at: script.last(),
                outcome: Outcome::Success,
            },
        }
    }

    /// The number of the next event.
    pub(crate) fn number(&mut self) -> u32 {
        let number = self.next_event;
        self.next_event += 1;
        number
    }

    pub(crate) fn remember(&mut self, event: Event, limit: usize) {
        self.history.push_back(event);
        while self.history.len() > limit.max(1) {
            self.history.pop_front();
            // What is told of older times must not outlive what is forgotten.
            self.past.events = 0;
        }
    }

    fn event_mut(&mut self, number: u32) -> Option<&mut Event> {
        self.history
            .iter_mut()
            .rev()
            .find(|event| event.number == number)
    }

    fn count(&mut self, kind: EventKind, status: super::values::EventStatus) {
        if let Some(slot) = slot(kind, status) {
            self.tally[slot] += 1;
        }
    }
}

/// Fails with `code`, at the step where such failures come up.
pub(crate) fn failure(script: Script, code: ErrorCode) -> Ending {
    Ending {
        at: script.last_with(code.step()),
        outcome: Outcome::Failed(code),
    }
}
