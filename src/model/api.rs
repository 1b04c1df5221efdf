//! The vocabulary of the conversation with the API: what was asked, and how it
//! went wrong. Label values of the exporter's own metrics.

use super::vocabulary::vocabulary;

vocabulary! {
    /// A kind of request. Label `endpoint`.
    Endpoint {
        /// `GET /auth/connections`.
        Connections = "connections",
        /// `GET /auth/connections/{id}`.
        Connection = "connection",
        /// `GET /auth/connections/{id}/timeline`.
        Timeline = "timeline",
        /// `GET /org/projects`.
        Projects = "projects",
        /// `GET /org/limits`.
        OrgLimits = "org_limits",
        /// `GET /org/entitlements`.
        OrgEntitlements = "org_entitlements",
        /// `GET /auth/context`.
        AuthContext = "auth_context",
        /// `GET /org/api_keys`.
        ApiKeys = "api_keys",
    }
}

vocabulary! {
    /// Why a request, or a collection, did not give what was asked for. Label
    /// `reason` of `kernel_auth_api_errors_total`.
    ErrorReason {
        /// The name of the API's host could not be resolved.
        Dns = "dns",
        /// No connection: refused, unreachable, proxy.
        Connect = "connect",
        /// No secure connection.
        Tls = "tls",
        /// The time for the answer ran out.
        Timeout = "timeout",
        /// The connection broke in the middle of an answer.
        Transport = "transport",
        /// 401: the key is missing, wrong or expired.
        Unauthorized = "unauthorized",
        /// 403: the key may not.
        Forbidden = "forbidden",
        /// 404 for something other than a configured connection.
        NotFound = "not_found",
        /// 404 with the code of an unknown or archived project.
        ProjectNotFound = "project_not_found",
        /// 429: over the organisation's limit.
        RateLimited = "rate_limited",
        /// Any other 4xx.
        ClientError = "client_error",
        /// 5xx.
        ServerError = "server_error",
        /// 3xx, which is not followed.
        Redirect = "redirect",
        /// An answer larger than the bound.
        BodyTooLarge = "body_too_large",
        /// An answer that is not the JSON it should be.
        Decode = "decode",
        /// Page headers that contradict each other, or that lead in a circle.
        Paging = "paging",
        /// A single connection that cannot be read.
        MalformedRow = "malformed_row",
        /// More connections than `--kernel.max-connections`.
        TooManyConnections = "too_many_connections",
        /// The key file cannot be read.
        KeyFile = "key_file",
        /// Something between here and the API answered in its place.
        Proxy = "proxy",
        /// Nothing was sent, to stay within `--kernel.quota-share` of the limit.
        Quota = "quota",
        /// No collection has ended yet. Never an error: only the state of a scope.
        Starting = "starting",
    }
}

impl ErrorReason {
    /// Those that are counted: every one but the state before the first
    /// collection.
    pub(crate) const COUNTED: &'static [&'static str] =
        Self::LABELS.split_at(Self::Starting as usize).0;
}

vocabulary! {
    /// Why a request was sent again. Label `reason` of
    /// `kernel_auth_api_retries_total`.
    RetryReason {
        /// No connection.
        Connect = "connect",
        /// No answer in time.
        Timeout = "timeout",
        /// The connection broke.
        Transport = "transport",
        /// The API answered 408.
        RequestTimeout = "request_timeout",
        /// The API answered 429.
        RateLimited = "rate_limited",
        /// 5xx.
        ServerError = "server_error",
        /// 401 or 403, and the key file has changed.
        KeyChanged = "key_changed",
        /// The server asked for it with `x-should-retry: true`.
        Asked = "asked",
    }
}

vocabulary! {
    /// What requests waited for. Label `reason` of
    /// `kernel_auth_api_wait_seconds_total`.
    WaitReason {
        /// `Retry-After` of a 429.
        RetryAfter = "retry_after",
        /// The pause before a retry.
        Backoff = "backoff",
        /// `--kernel.quota-share`, or the organisation's remaining requests ran low.
        Quota = "quota",
        /// `--kernel.concurrency`.
        Concurrency = "concurrency",
    }
}

vocabulary! {
    /// Where a scrape's data came from. Label `outcome` of
    /// `kernel_auth_exporter_scrapes_total`.
    ScrapeOutcome {
        /// Fetched for this scrape.
        Fresh = "fresh",
        /// From a collection that another scrape started, or within `--kernel.cache`.
        Shared = "shared",
        /// An earlier snapshot, to stay within the quota.
        Budgeted = "budgeted",
        /// An earlier snapshot, because the API failed or was too slow.
        Held = "held",
        /// Nothing to show.
        Empty = "empty",
    }
}

vocabulary! {
    /// A member whose value this build did not know. Label `field` of
    /// `kernel_auth_api_unknown_values_total`.
    Field {
        Status = "status",
        /// `flow_status`.
        FlowStatus = "flow_status",
        /// `flow_step`.
        FlowStep = "flow_step",
        /// `flow_type`.
        FlowType = "flow_type",
        /// `error_code`.
        ErrorCode = "error_code",
        /// `can_reauth_reason`.
        CanReauthReason = "can_reauth_reason",
        /// `health_check_unavailable_reason`.
        HealthCheckUnavailableReason = "health_check_unavailable_reason",
        /// `last_auth_at`, not a point in time.
        LastAuthAt = "last_auth_at",
        /// `last_auth_check_at`, not a point in time.
        LastAuthCheckAt = "last_auth_check_at",
        /// `flow_expires_at`, not a point in time.
        FlowExpiresAt = "flow_expires_at",
        /// `domain`, no string.
        Domain = "domain",
        /// `profile_name`, no string.
        ProfileName = "profile_name",
        /// `can_reauth`, neither true nor false; the next likewise.
        CanReauth = "can_reauth",
        /// `health_check_interval`, no number of seconds.
        HealthCheckInterval = "health_check_interval",
        HealthChecks = "health_checks",
        AutoReauth = "auto_reauth",
        SaveCredentials = "save_credentials",
        RecordSession = "record_session",
        /// `credential`, no object.
        Credential = "credential",
        /// `fields`, no array; the next likewise.
        Fields = "fields",
        Choices = "choices",
        DiscoveredFields = "discovered_fields",
        MfaOptions = "mfa_options",
        SignInOptions = "sign_in_options",
        PendingSsoButtons = "pending_sso_buttons",
        /// `website_error`, no string.
        WebsiteError = "website_error",
        /// `allowed_domains`, no array.
        AllowedDomains = "allowed_domains",
        /// `sso_provider`, no string.
        SsoProvider = "sso_provider",
        /// The header `Date` of an answer, more than a day off.
        Date = "date",
        /// `type` of a timeline event.
        EventType = "event_type",
        /// `status` of a timeline event.
        EventStatus = "event_status",
    }
}

vocabulary! {
    /// A group of families that can be switched: `--collector.NAME`.
    Collector {
        /// `kernel_auth_connection_status`.
        Status = "status",
        /// Ages of the last check.
        Auth = "auth",
        /// The most recent login flow.
        Flow = "flow",
        /// Whether an unattended re-login is possible.
        Reauth = "reauth",
        /// How connections are configured.
        Settings = "settings",
        /// What happened, from the API's timeline.
        Timeline = "timeline",
        /// The organisation's limits, plan and key.
        Org = "org",
    }
}

vocabulary! {
    /// How an enum of the API becomes series: `--metrics.states`.
    #[derive(Default)]
    States {
        /// One series for each value it can take, 0 or 1.
        #[default]
        All = "all",
        /// Only the series that is 1.
        Active = "active",
    }
}

vocabulary! {
    /// What becomes of the label `profile_name`: `--metrics.profile-name`.
    #[derive(Default)]
    ProfileNameMode {
        /// It is shown as it is.
        #[default]
        Keep = "keep",
        /// The first 16 hex digits of its SHA-256 are shown.
        Hash = "hash",
        /// There is no such label.
        Drop = "drop",
    }
}

/// Which collectors are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CollectorSet(u8);

impl CollectorSet {
    pub(crate) const EMPTY: Self = Self(0);

    /// The set with `collector` on or off.
    #[must_use]
    pub(crate) const fn with(self, collector: Collector, on: bool) -> Self {
        let bit = 1 << collector as u8;
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }

    /// Whether `collector` is on.
    pub(crate) const fn has(self, collector: Collector) -> bool {
        self.0 & (1 << collector as u8) != 0
    }

    /// What is on in both.
    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Default for CollectorSet {
    /// What costs no request of its own.
    fn default() -> Self {
        [
            Collector::Status,
            Collector::Auth,
            Collector::Flow,
            Collector::Reauth,
            Collector::Settings,
        ]
        .into_iter()
        .fold(Self::EMPTY, |set, collector| set.with(collector, true))
    }
}
