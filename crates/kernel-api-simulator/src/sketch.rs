//! The sorts of connections that a fleet is made of.

use super::connection::{Arrays, Checks, Form, Patience, Temper, TimeStyle};
use super::script::{Pending, Script};
use super::values::{Auth, Credential, ErrorCode, FlowKind, FlowStatus, FlowStep, Reason};

/// A connection before it has a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sketch {
    pub(crate) auth: Auth,
    pub(crate) flow: Option<(FlowStatus, FlowStep, FlowKind)>,
    /// `IN_PROGRESS` past its expiry, not yet swept.
    pub(crate) stale: bool,
    pub(crate) pending: Pending,
    pub(crate) code: ErrorCode,
    pub(crate) reason: Option<Reason>,
    pub(crate) credential: Credential,
    pub(crate) checks: Checks,
    pub(crate) auto_reauth: bool,
    pub(crate) form: Option<Form>,
    pub(crate) times: Option<TimeStyle>,
    pub(crate) arrays: Option<Arrays>,
    pub(crate) script: Script,
    pub(crate) patience: Patience,
    pub(crate) temper: Temper,
    pub(crate) logout_percent: u8,
    pub(crate) reauth_percent: u8,
    /// Seconds between its health checks.
    pub(crate) interval: Option<u32>,
}

use FlowKind::{Login, Reauth};
use FlowStatus::{Canceled, Expired, Failed, InProgress, Success};
use FlowStep::{AwaitingExternalAction, AwaitingInput, Completed, Discovering, Submitting};

/// Logged in, re-logged in by itself now and then.
pub(crate) const HEALTHY: Sketch = Sketch {
    auth: Auth::Authenticated,
    flow: Some((Success, Completed, Reauth)),
    stale: false,
    pending: Pending::Nothing,
    code: ErrorCode::CredentialsInvalid,
    reason: Some(Reason::TotpReauthAllowed),
    credential: Credential::Kernel,
    checks: Checks::On,
    auto_reauth: true,
    form: None,
    times: None,
    arrays: None,
    script: Script::Password,
    patience: Patience::Prompt,
    temper: Temper::Succeeds,
    logout_percent: 4,
    reauth_percent: 92,
    interval: None,
};

/// Logged in by a person, with nothing stored.
const MANUAL: Sketch = Sketch {
    flow: Some((Success, Completed, Login)),
    reason: Some(Reason::NoCredential),
    credential: Credential::None,
    patience: Patience::Slow,
    logout_percent: 2,
    ..HEALTHY
};

/// Logged out, nothing stored.
const LOGGED_OUT: Sketch = Sketch {
    auth: Auth::NeedsAuth,
    script: Script::Factor,
    ..MANUAL
};

/// The site's sessions are shorter than the interval: a re-login every time.
const SHORT_SESSIONS: Sketch = Sketch {
    reason: Some(Reason::ViablePlansFound),
    logout_percent: 100,
    reauth_percent: 100,
    ..HEALTHY
};

/// Logged out every few minutes, and logged in again by somebody at hand: what
/// makes a fleet move before one's eyes.
const LIVELY: Sketch = Sketch {
    flow: Some((Success, Completed, Login)),
    reason: Some(Reason::NoCredential),
    credential: Credential::None,
    auto_reauth: false,
    patience: Patience::AtHand,
    logout_percent: 75,
    interval: Some(300),
    ..HEALTHY
};

/// Somebody is nearly always asked for something.
const WAITING: Sketch = Sketch {
    auth: Auth::NeedsAuth,
    flow: Some((InProgress, AwaitingInput, Login)),
    pending: Pending::Login,
    reason: Some(Reason::RequiresCustomerInput),
    credential: Credential::Kernel,
    patience: Patience::Restless,
    temper: Temper::Expires,
    ..HEALTHY
};

/// Waiting for a push on a phone.
const PUSH: Sketch = Sketch {
    flow: Some((InProgress, AwaitingExternalAction, Reauth)),
    pending: Pending::Push,
    reason: Some(Reason::RequiresExternalAction),
    credential: Credential::ExternalPath,
    arrays: Some(Arrays::Both),
    script: Script::Push,
    ..WAITING
};

/// The last re-login failed.
const FAILING: Sketch = Sketch {
    auth: Auth::NeedsAuth,
    flow: Some((Failed, Submitting, Reauth)),
    reason: Some(Reason::ExternalCredential),
    credential: Credential::ExternalAuto,
    patience: Patience::Slow,
    temper: Temper::Fails,
    reauth_percent: 0,
    ..HEALTHY
};

/// Failed long ago, logged in all the same.
const STALE_FAILURE: Sketch = Sketch {
    auth: Auth::Authenticated,
    code: ErrorCode::NetworkError,
    flow: Some((Failed, Discovering, Reauth)),
    logout_percent: 0,
    ..FAILING
};

/// Checked, and nothing to check.
const UNVERIFIABLE: Sketch = Sketch {
    flow: None,
    reason: Some(Reason::OptimisticTotpAttempt),
    checks: Checks::NoUrl,
    ..HEALTHY
};

/// Nobody looks at it.
const UNCHECKED: Sketch = Sketch {
    flow: Some((Success, Completed, Login)),
    reason: Some(Reason::HasCredential),
    checks: Checks::Off,
    patience: Patience::Never,
    ..HEALTHY
};

/// What the most telling connections are, the most telling first.
const TELLING: &[Sketch] = &[
    Sketch {
        form: Some(Form::Full),
        ..HEALTHY
    },
    Sketch {
        form: Some(Form::Sparse),
        times: Some(TimeStyle::Millis),
        ..LOGGED_OUT
    },
    Sketch {
        arrays: Some(Arrays::Both),
        ..WAITING
    },
    FAILING,
    PUSH,
    STALE_FAILURE,
    UNVERIFIABLE,
    Sketch {
        stale: true,
        ..WAITING
    },
    UNCHECKED,
    Sketch {
        flow: Some((Canceled, AwaitingInput, Login)),
        temper: Temper::Cancels,
        ..LOGGED_OUT
    },
    Sketch {
        flow: Some((Expired, AwaitingInput, Login)),
        temper: Temper::Expires,
        reason: Some(Reason::RequiresSmsCode),
        credential: Credential::Kernel,
        ..LOGGED_OUT
    },
    Sketch {
        flow: None,
        reason: Some(Reason::NoPriorSuccessfulLogin),
        credential: Credential::ExternalInert,
        patience: Patience::Never,
        ..LOGGED_OUT
    },
    Sketch {
        flow: Some((InProgress, Discovering, Reauth)),
        ..HEALTHY
    },
    Sketch {
        flow: Some((InProgress, Submitting, Reauth)),
        ..HEALTHY
    },
    Sketch {
        pending: Pending::Factor,
        script: Script::Factor,
        arrays: Some(Arrays::Legacy),
        ..WAITING
    },
    Sketch {
        flow: Some((InProgress, AwaitingInput, Reauth)),
        pending: Pending::Factor,
        script: Script::Factor,
        arrays: Some(Arrays::Canonical),
        ..WAITING
    },
    Sketch {
        pending: Pending::Provider,
        script: Script::Provider,
        arrays: Some(Arrays::Legacy),
        reason: Some(Reason::NoCredential),
        credential: Credential::None,
        ..WAITING
    },
    Sketch {
        pending: Pending::Account,
        script: Script::Account,
        arrays: Some(Arrays::Legacy),
        ..WAITING
    },
    Sketch {
        auth: Auth::Authenticated,
        pending: Pending::Code,
        script: Script::Factor,
        arrays: Some(Arrays::Both),
        reason: Some(Reason::RequiresTotpWithoutSecret),
        ..WAITING
    },
    Sketch {
        script: Script::Captcha,
        reason: Some(Reason::RequiresEmailCode),
        credential: Credential::Kernel,
        ..PUSH
    },
    Sketch {
        flow: None,
        reason: None,
        credential: Credential::None,
        form: Some(Form::Minimal),
        checks: Checks::Off,
        patience: Patience::Never,
        ..LOGGED_OUT
    },
    SHORT_SESSIONS,
    Sketch {
        credential: Credential::ExternalPath,
        reason: Some(Reason::ExternalCredential),
        times: Some(TimeStyle::Offset),
        ..HEALTHY
    },
    Sketch {
        credential: Credential::ExternalAuto,
        reason: Some(Reason::ExternalCredential),
        times: Some(TimeStyle::Micros),
        ..HEALTHY
    },
    Sketch {
        auto_reauth: false,
        patience: Patience::Prompt,
        logout_percent: 20,
        ..HEALTHY
    },
    MANUAL,
];

/// One that keeps failing with `code`; the reasons take turns.
fn failing_with(index: usize) -> Sketch {
    let code = ErrorCode::ALL[index % ErrorCode::ALL.len()];
    let reason = Reason::ALL[index % Reason::ALL.len()];
    let script = match (code, code.step()) {
        (ErrorCode::CaptchaBlocked, _) => Script::Captcha,
        (_, AwaitingExternalAction) => Script::Push,
        (_, AwaitingInput) => Script::Factor,
        _ => Script::Password,
    };
    let credential = match reason {
        Reason::ExternalCredential => Credential::ExternalPath,
        Reason::NoCredential | Reason::NoPriorSuccessfulLogin => Credential::None,
        _ => Credential::Kernel,
    };
    let kind = if index.is_multiple_of(3) {
        Login
    } else {
        Reauth
    };
    Sketch {
        flow: Some((Failed, code.step(), kind)),
        code,
        reason: Some(reason),
        credential,
        script,
        ..FAILING
    }
}

/// The sort of the `index`th connection, where that is laid down: between them
/// they take every value of every member.
pub(crate) fn telling(index: usize) -> Option<Sketch> {
    if let Some(sketch) = TELLING.get(index) {
        return Some(*sketch);
    }
    let index = index - TELLING.len();
    (index < ErrorCode::ALL.len()).then(|| failing_with(index))
}

/// The sort of any other connection, from a draw of 0 to 99 and another of
/// any size.
pub(crate) fn usual(percent: u64, draw: usize) -> Sketch {
    match percent {
        0..70 => HEALTHY,
        70..76 => LIVELY,
        76..82 => SHORT_SESSIONS,
        82..87 => MANUAL,
        87..90 => LOGGED_OUT,
        90..93 => failing_with(draw),
        93..94 => STALE_FAILURE,
        94..95 => WAITING,
        95..96 => PUSH,
        96..97 => UNVERIFIABLE,
        _ => UNCHECKED,
    }
}
