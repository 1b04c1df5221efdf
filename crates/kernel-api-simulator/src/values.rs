//! The words of the API, as this simulator reads its documentation. Kept apart
//! from the exporter's own reading on purpose: each checks the other.

/// Declares an enum whose variants are words on the wire.
macro_rules! words {
    ( $(#[$meta:meta])* $name:ident { $( $variant:ident = $text:literal ),+ $(,)? } ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum $name { $( $variant, )+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The value that a word stands for.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $( $text => Some(Self::$variant), )+ _ => None }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
                let word = String::deserialize(value)?;
                Self::parse(&word)
                    .ok_or_else(|| serde::de::Error::unknown_variant(&word, &[$( $text ),+]))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// `status` of a connection.
    Auth { Authenticated = "AUTHENTICATED", NeedsAuth = "NEEDS_AUTH" }
}

words! {
    /// `flow_status`.
    FlowStatus {
        InProgress = "IN_PROGRESS",
        Success = "SUCCESS",
        Failed = "FAILED",
        Expired = "EXPIRED",
        Canceled = "CANCELED",
    }
}

words! {
    /// `flow_step`.
    FlowStep {
        Discovering = "DISCOVERING",
        AwaitingInput = "AWAITING_INPUT",
        AwaitingExternalAction = "AWAITING_EXTERNAL_ACTION",
        Submitting = "SUBMITTING",
        Completed = "COMPLETED",
    }
}

words! {
    /// `flow_type`.
    FlowKind { Login = "LOGIN", Reauth = "REAUTH" }
}

words! {
    /// `type` of a timeline event.
    EventKind { Login = "login", Reauth = "reauth", HealthCheck = "health_check" }
}

words! {
    /// `status` of a timeline event.
    EventStatus {
        InProgress = "IN_PROGRESS",
        Success = "SUCCESS",
        Expired = "EXPIRED",
        Canceled = "CANCELED",
        Failed = "FAILED",
        Authenticated = "AUTHENTICATED",
        NeedsAuth = "NEEDS_AUTH",
    }
}

words! {
    /// `step` of a timeline event: three more than `flow_step` has.
    EventStep {
        Initialized = "INITIALIZED",
        Discovering = "DISCOVERING",
        AwaitingInput = "AWAITING_INPUT",
        AwaitingExternalAction = "AWAITING_EXTERNAL_ACTION",
        AwaitingHumanIntervention = "AWAITING_HUMAN_INTERVENTION",
        Submitting = "SUBMITTING",
        Completed = "COMPLETED",
        Expired = "EXPIRED",
    }
}

words! {
    /// `error_code`: the published values.
    ErrorCode {
        CredentialsInvalid = "credentials_invalid",
        MfaRequired = "mfa_required",
        ExternalActionRequired = "external_action_required",
        UnsupportedAuthMethod = "unsupported_auth_method",
        BotDetected = "bot_detected",
        CaptchaBlocked = "captcha_blocked",
        LoginFormNotFound = "login_form_not_found",
        ElementNotFound = "element_not_found",
        NavigationConfused = "navigation_confused",
        StuckInLoop = "stuck_in_loop",
        MaxAttemptsReached = "max_attempts_reached",
        MaxStepsExceeded = "max_steps_exceeded",
        DomainNotAllowed = "domain_not_allowed",
        WebsiteError = "website_error",
        NetworkError = "network_error",
        BrowserError = "browser_error",
        AwaitingInputTimeout = "awaiting_input_timeout",
        ExternalActionTimeout = "external_action_timeout",
        SessionExpired = "session_expired",
        NoActiveFlow = "no_active_flow",
        FlowFailed = "flow_failed",
        InternalError = "internal_error",
    }
}

words! {
    /// `can_reauth_reason`.
    Reason {
        ExternalCredential = "external_credential",
        CuaHasCredential = "cua_has_credential",
        HasCredential = "has_credential",
        ViablePlansFound = "viable_plans_found",
        NoRequirementsRecorded = "no_requirements_recorded",
        TotpReauthAllowed = "totp_reauth_allowed",
        OptimisticTotpAttempt = "optimistic_totp_attempt",
        RequirementsSatisfiable = "requirements_satisfiable",
        NoPriorSuccessfulLogin = "no_prior_successful_login",
        NoCredential = "no_credential",
        NoViablePlans = "no_viable_plans",
        ViablePlansRequireExternalAction = "viable_plans_require_external_action",
        RequiresExternalAction = "requires_external_action",
        RequiresTotpWithoutSecret = "requires_totp_without_secret",
        RequiresSmsCode = "requires_sms_code",
        RequiresEmailCode = "requires_email_code",
        RequiresCustomerInput = "requires_customer_input",
    }
}

impl ErrorCode {
    /// The step at which flows fail with it.
    pub(crate) const fn step(self) -> FlowStep {
        match self {
            Self::LoginFormNotFound
            | Self::UnsupportedAuthMethod
            | Self::NetworkError
            | Self::BotDetected
            | Self::NoActiveFlow => FlowStep::Discovering,
            Self::AwaitingInputTimeout | Self::MfaRequired => FlowStep::AwaitingInput,
            Self::ExternalActionTimeout | Self::ExternalActionRequired => {
                FlowStep::AwaitingExternalAction
            }
            _ => FlowStep::Submitting,
        }
    }
}

impl Reason {
    /// Whether it goes with `can_reauth: true`.
    pub(crate) const fn is_positive(self) -> bool {
        matches!(
            self,
            Self::ExternalCredential
                | Self::CuaHasCredential
                | Self::HasCredential
                | Self::ViablePlansFound
                | Self::NoRequirementsRecorded
                | Self::TotpReauthAllowed
                | Self::OptimisticTotpAttempt
                | Self::RequirementsSatisfiable
        )
    }
}

words! {
    /// The class of `credential`. The words are labels, not on the wire.
    Credential {
        None = "none",
        Kernel = "kernel",
        ExternalPath = "external_path",
        ExternalAuto = "external_auto",
        ExternalInert = "external_inert",
    }
}

impl From<FlowKind> for EventKind {
    fn from(kind: FlowKind) -> Self {
        match kind {
            FlowKind::Login => Self::Login,
            FlowKind::Reauth => Self::Reauth,
        }
    }
}

impl From<FlowStatus> for EventStatus {
    fn from(status: FlowStatus) -> Self {
        match status {
            FlowStatus::InProgress => Self::InProgress,
            FlowStatus::Success => Self::Success,
            FlowStatus::Failed => Self::Failed,
            FlowStatus::Expired => Self::Expired,
            FlowStatus::Canceled => Self::Canceled,
        }
    }
}

impl From<Auth> for EventStatus {
    fn from(auth: Auth) -> Self {
        match auth {
            Auth::Authenticated => Self::Authenticated,
            Auth::NeedsAuth => Self::NeedsAuth,
        }
    }
}
