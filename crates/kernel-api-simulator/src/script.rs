//! How login flows go: the stages they pass and what each waits for.

use super::clock::{MINUTE, Micros, SECOND};
use super::values::{EventStep, FlowStep};
use Pending::{Account, Code, Factor, Login, Provider};

/// What a stage asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    /// Identifier and password.
    Login,
    /// Which second factor.
    Factor,
    /// The code of the second factor.
    Code,
    /// Which identity provider.
    Provider,
    /// Which account.
    Account,
    /// A push approval, with a code as the alternative.
    Push,
}

/// One stage of a flow.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) step: FlowStep,
    pub(crate) event_step: EventStep,
    pub(crate) pending: Pending,
    /// How long it takes when it does not run into the flow's expiry.
    pub(crate) least: Micros,
    pub(crate) most: Micros,
}

const fn stage(step: FlowStep, event_step: EventStep, pending: Pending) -> Stage {
    let (least, most) = match step {
        FlowStep::AwaitingInput => (15 * SECOND, 4 * MINUTE),
        FlowStep::AwaitingExternalAction => (10 * SECOND, 2 * MINUTE),
        _ => (SECOND, 6 * SECOND),
    };
    Stage {
        step,
        event_step,
        pending,
        least,
        most,
    }
}

const START: Stage = stage(
    FlowStep::Discovering,
    EventStep::Initialized,
    Pending::Nothing,
);
const DISCOVER: Stage = stage(
    FlowStep::Discovering,
    EventStep::Discovering,
    Pending::Nothing,
);
const SUBMIT: Stage = stage(
    FlowStep::Submitting,
    EventStep::Submitting,
    Pending::Nothing,
);

const fn ask(pending: Pending) -> Stage {
    stage(FlowStep::AwaitingInput, EventStep::AwaitingInput, pending)
}

const fn outside(event_step: EventStep) -> Stage {
    stage(FlowStep::AwaitingExternalAction, event_step, Pending::Push)
}

const PUSH: Stage = outside(EventStep::AwaitingExternalAction);
const CAPTCHA: Stage = outside(EventStep::AwaitingHumanIntervention);
const FACTOR: &[Stage] = &[
    START,
    DISCOVER,
    ask(Login),
    SUBMIT,
    ask(Factor),
    SUBMIT,
    ask(Code),
    SUBMIT,
];

/// A kind of flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Everything is stored: nobody is asked.
    Quiet,
    Password,
    /// Password, choice of a factor, code.
    Factor,
    /// A push on a phone.
    Push,
    /// A CAPTCHA that a person has to solve in the live view.
    Captcha,
    Provider,
    Account,
}

impl Script {
    /// Its stages; never empty.
    pub(crate) const fn stages(self) -> &'static [Stage] {
        match self {
            Self::Quiet => const { &[START, DISCOVER, SUBMIT] },
            Self::Password => const { &[START, DISCOVER, ask(Login), SUBMIT] },
            Self::Factor => FACTOR,
            Self::Push => const { &[START, DISCOVER, SUBMIT, PUSH, SUBMIT] },
            Self::Captcha => const { &[START, DISCOVER, CAPTCHA, SUBMIT] },
            Self::Provider => const { &[START, DISCOVER, ask(Provider), SUBMIT] },
            Self::Account => const { &[START, DISCOVER, ask(Login), SUBMIT, ask(Account), SUBMIT] },
        }
    }

    /// The last stage with this step, else the last of all.
    pub(crate) fn last_with(self, step: FlowStep) -> u8 {
        let stages = self.stages();
        let found = stages.iter().rposition(|stage| stage.step == step);
        u8::try_from(found.unwrap_or(stages.len() - 1)).unwrap_or(u8::MAX)
    }

    /// The stage that asks for `pending`, else the last with `step`.
    pub(crate) fn asking(self, pending: Pending, step: FlowStep) -> u8 {
        let found = self
            .stages()
            .iter()
            .rposition(|stage| stage.pending == pending && stage.step == step);
        found.map_or_else(
            || self.last_with(step),
            |index| u8::try_from(index).unwrap_or(u8::MAX),
        )
    }

    /// The last stage of all.
    pub(crate) fn last(self) -> u8 {
        u8::try_from(self.stages().len() - 1).unwrap_or(u8::MAX)
    }
}
