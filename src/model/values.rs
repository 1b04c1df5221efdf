//! The closed sets of values a connection's members can take, one byte each.

use super::vocabulary::vocabulary;

vocabulary! {
    /// `status`: the last known authentication state. An inconclusive health
    /// check leaves it as it was.
    AuthStatus {
        /// Logged in when last seen.
        Authenticated = "AUTHENTICATED",
        /// Logged out: agents that use the profile fail.
        NeedsAuth = "NEEDS_AUTH",
    }
    own {
        /// A value that this build does not know.
        Unknown = "UNKNOWN",
    }
}

vocabulary! {
    /// `flow_status`: state of the most recent login flow. It keeps its value
    /// after the flow has ended.
    FlowStatus {
        /// The flow runs, or ran into its expiry and was not yet swept.
        InProgress = "IN_PROGRESS",
        /// It logged in.
        Success = "SUCCESS",
        /// It ended with an error code.
        Failed = "FAILED",
        /// Its deadline passed.
        Expired = "EXPIRED",
        /// Somebody cancelled it.
        Canceled = "CANCELED",
    }
    own {
        /// No flow was ever started, or the API names none.
        None = "NONE",
        /// A value that this build does not know.
        Unknown = "UNKNOWN",
    }
}

vocabulary! {
    /// `type` of a timeline event.
    EventType {
        /// A login that a person or a client started.
        Login = "login",
        /// A login that repeats an earlier one with what is stored.
        Reauth = "reauth",
        /// A look at whether the connection is logged in.
        HealthCheck = "health_check",
    }
}

vocabulary! {
    /// `status` of a timeline event that has ended: the first four are those
    /// of a login, the others of a health check.
    EventOutcome {
        /// It logged in.
        Success = "SUCCESS",
        /// It ended with an error code.
        Failed = "FAILED",
        /// Its deadline passed.
        Expired = "EXPIRED",
        /// Somebody cancelled it.
        Canceled = "CANCELED",
        /// Seen logged in.
        Authenticated = "AUTHENTICATED",
        /// Seen logged out.
        NeedsAuth = "NEEDS_AUTH",
    }
}

vocabulary! {
    /// `flow_step`: where the most recent flow is, or was when it ended.
    FlowStep {
        /// Reading the login page.
        Discovering = "DISCOVERING",
        /// Waiting for a person to type something.
        AwaitingInput = "AWAITING_INPUT",
        /// Waiting for a push, a key or a mail link.
        AwaitingExternalAction = "AWAITING_EXTERNAL_ACTION",
        /// Sending what was typed.
        Submitting = "SUBMITTING",
        Completed = "COMPLETED",
    }
    own {
        /// The API names no step.
        None = "NONE",
        /// A value that this build does not know.
        Unknown = "UNKNOWN",
    }
}

vocabulary! {
    /// `flow_type`: kind of the most recent flow. `REAUTH` does not mean that
    /// nobody was involved.
    FlowType {
        /// Started by a person or a client.
        Login = "LOGIN",
        /// Repeats an earlier login with what is stored.
        Reauth = "REAUTH",
    }
    own {
        /// The API names no kind.
        None = "NONE",
        /// A value that this build does not know.
        Unknown = "UNKNOWN",
    }
}

vocabulary! {
    /// `error_code` of a failed flow: an open string in the API, so everything
    /// outside the published list is [`Self::Other`].
    ErrorCode {
        /// The site refused the credentials.
        CredentialsInvalid = "credentials_invalid",
        /// A second factor was asked for and not available.
        MfaRequired = "mfa_required",
        /// An outside step was asked for and not available.
        ExternalActionRequired = "external_action_required",
        /// For example passkey only.
        UnsupportedAuthMethod = "unsupported_auth_method",
        /// Blocked as automation.
        BotDetected = "bot_detected",
        /// An unsolved CAPTCHA.
        CaptchaBlocked = "captcha_blocked",
        /// No login form on the page.
        LoginFormNotFound = "login_form_not_found",
        /// An expected element was not on the page.
        ElementNotFound = "element_not_found",
        /// The page could not be understood.
        NavigationConfused = "navigation_confused",
        /// The flow went in circles.
        StuckInLoop = "stuck_in_loop",
        /// Gave up after too many tries.
        MaxAttemptsReached = "max_attempts_reached",
        /// Gave up after too many steps.
        MaxStepsExceeded = "max_steps_exceeded",
        /// A redirect left `allowed_domains`.
        DomainNotAllowed = "domain_not_allowed",
        /// The site showed an error page.
        WebsiteError = "website_error",
        /// DNS, connection or proxy.
        NetworkError = "network_error",
        /// The browser failed.
        BrowserError = "browser_error",
        /// Nobody answered in time.
        AwaitingInputTimeout = "awaiting_input_timeout",
        /// Nobody confirmed in time.
        ExternalActionTimeout = "external_action_timeout",
        /// The flow ran out.
        SessionExpired = "session_expired",
        /// There was no flow.
        NoActiveFlow = "no_active_flow",
        /// Unclassified.
        FlowFailed = "flow_failed",
        /// On Kernel's side.
        InternalError = "internal_error",
    }
    own {
        /// A code that this build does not know.
        Other = "other",
    }
}

vocabulary! {
    /// `can_reauth_reason`: why `can_reauth` is what it is. Take the sign from
    /// `can_reauth`, never from this list.
    ReauthReason {
        /// An external provider is attached.
        ExternalCredential = "external_credential",
        /// Computer-use flow with a stored credential.
        CuaHasCredential = "cua_has_credential",
        /// A Kernel credential is attached; plan not verified.
        HasCredential = "has_credential",
        /// A stored login plan can be replayed.
        ViablePlansFound = "viable_plans_found",
        /// Nothing is known that could fail.
        NoRequirementsRecorded = "no_requirements_recorded",
        /// TOTP is the only requirement and its secret is stored.
        TotpReauthAllowed = "totp_reauth_allowed",
        /// TOTP was needed and no secret is stored; a bounded attempt.
        OptimisticTotpAttempt = "optimistic_totp_attempt",
        /// No recognised blocker.
        RequirementsSatisfiable = "requirements_satisfiable",
        /// Never logged in.
        NoPriorSuccessfulLogin = "no_prior_successful_login",
        /// No credential is attached.
        NoCredential = "no_credential",
        /// A credential, but no plan that can be replayed.
        NoViablePlans = "no_viable_plans",
        /// Every plan contains an outside step.
        ViablePlansRequireExternalAction = "viable_plans_require_external_action",
        /// The requirements contain an outside step.
        RequiresExternalAction = "requires_external_action",
        /// TOTP is needed and no secret is stored.
        RequiresTotpWithoutSecret = "requires_totp_without_secret",
        /// A code by SMS cannot be received unattended.
        RequiresSmsCode = "requires_sms_code",
        /// A code by mail cannot be received unattended.
        RequiresEmailCode = "requires_email_code",
        /// Another field or choice is missing.
        RequiresCustomerInput = "requires_customer_input",
    }
    own {
        /// A reason that this build does not know.
        Other = "other",
    }
}

vocabulary! {
    /// `health_check_unavailable_reason`: why scheduled checks prove nothing.
    HealthCheckUnavailable {
        /// Checks are on, but there is no URL to check.
        NoAuthCheckUrl = "no_auth_check_url",
    }
    own {
        /// A reason that this build does not know.
        Other = "other",
    }
}

vocabulary! {
    /// `credential`, reduced to its class: its name and path are never read.
    CredentialKind {
        /// No credential is attached.
        None = "none",
        /// `{name}`: stored at Kernel.
        Kernel = "kernel",
        /// `{provider, path}`: one item of an external vault.
        ExternalPath = "external_path",
        /// `{provider, auto: true}`: looked up in an external vault by domain.
        ExternalAuto = "external_auto",
        /// `{provider}` alone: accepted by the API and without effect.
        ExternalInert = "external_inert",
    }
}

vocabulary! {
    /// `sso_provider`: a free text of which these are named in the API's
    /// reference.
    SsoProvider {
        Google = "google",
        Github = "github",
        Microsoft = "microsoft",
    }
    own {
        /// Any other one.
        Other = "other",
    }
}

vocabulary! {
    /// `plan` of `GET /org/entitlements`.
    Plan {
        Free = "FREE",
        Hobbyist = "HOBBYIST",
        StartUp = "START_UP",
        Enterprise = "ENTERPRISE",
    }
    own {
        /// A plan that this build does not know.
        Other = "other",
    }
}

vocabulary! {
    /// A kind of input that a live flow can wait for.
    PendingInput {
        /// `fields`, else `discovered_fields`.
        Field = "field",
        /// `choices`.
        Choice = "choice",
        /// `mfa_options`, where there are no `choices`.
        MfaOption = "mfa_option",
        /// `sign_in_options`, where there are no `choices`.
        SignInOption = "sign_in_option",
        /// `pending_sso_buttons`, where there are no `choices`.
        SsoButton = "sso_button",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_reads_back_in_any_case() {
        for status in [AuthStatus::Authenticated, AuthStatus::NeedsAuth] {
            assert_eq!(
                AuthStatus::from_wire(&status.as_str().to_lowercase()),
                Some(status)
            );
        }
        for code in ErrorCode::ALL
            .iter()
            .filter(|code| **code != ErrorCode::Other)
        {
            assert_eq!(
                ErrorCode::from_wire(&code.as_str().to_uppercase()),
                Some(*code)
            );
        }
    }

    #[test]
    fn own_values_are_never_read_from_the_api() {
        assert_eq!(AuthStatus::from_wire("UNKNOWN"), None);
        assert_eq!(FlowStatus::from_wire("NONE"), None);
        assert_eq!(FlowStatus::from_wire("PENDING"), None);
        assert_eq!(ErrorCode::from_wire("other"), None);
    }

    #[test]
    fn labels_follow_the_order_of_the_variants() {
        for (index, reason) in ReauthReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        assert_eq!(
            ReauthReason::ALL.len(),
            18,
            "17 published reasons and `other`"
        );
        assert_eq!(ErrorCode::ALL.len(), 23, "22 published codes and `other`");
        assert_eq!(CredentialKind::ALL.len(), CredentialKind::LABELS.len());
    }
}
