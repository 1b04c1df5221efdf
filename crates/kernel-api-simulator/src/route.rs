//! What can be asked.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// `/auth/connections`
    Connections,
    /// `/auth/connections/{id}`
    Connection,
    /// `/auth/connections/{id}/timeline`
    Timeline,
    /// `/auth/connections/{id}/events`
    Events,
    /// `/org/projects`
    Projects,
    /// `/org/projects/{id_or_name}`
    Project,
    /// `/org/projects/{id_or_name}/limits`
    ProjectLimits,
    /// `/org/limits`
    OrgLimits,
    /// `/org/entitlements`
    OrgEntitlements,
    /// `/auth/context`
    AuthContext,
    /// `/org/api_keys`
    ApiKeys,
    /// `/profiles`
    Profiles,
    /// `/credentials`
    Credentials,
    /// `/org/credential_providers`
    CredentialProviders,
    /// Anything else.
    Other,
}

impl Route {
    /// Every route.
    pub const ALL: &'static [Self] = &[
        Self::Connections,
        Self::Connection,
        Self::Timeline,
        Self::Events,
        Self::Projects,
        Self::Project,
        Self::ProjectLimits,
        Self::OrgLimits,
        Self::OrgEntitlements,
        Self::AuthContext,
        Self::ApiKeys,
        Self::Profiles,
        Self::Credentials,
        Self::CredentialProviders,
        Self::Other,
    ];

    /// Its name in faults and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Connection => "connection",
            Self::Timeline => "timeline",
            Self::Events => "events",
            Self::Projects => "projects",
            Self::Project => "project",
            Self::ProjectLimits => "project_limits",
            Self::OrgLimits => "org_limits",
            Self::OrgEntitlements => "org_entitlements",
            Self::AuthContext => "auth_context",
            Self::ApiKeys => "api_keys",
            Self::Profiles => "profiles",
            Self::Credentials => "credentials",
            Self::CredentialProviders => "credential_providers",
            Self::Other => "other",
        }
    }

    /// The route of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|route| route.as_str() == name)
    }

    /// The route of a path, with the id or name in it.
    pub(crate) fn of(path: &str) -> (Self, Option<Cow<'_, str>>) {
        let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
        let parts = [
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ];
        let (route, id) = match parts {
            [Some("auth"), Some("connections"), None, ..] => (Self::Connections, None),
            [Some("auth"), Some("connections"), Some(id), None, _] => (Self::Connection, Some(id)),
            [
                Some("auth"),
                Some("connections"),
                Some(id),
                Some("timeline"),
                None,
            ] => (Self::Timeline, Some(id)),
            [
                Some("auth"),
                Some("connections"),
                Some(id),
                Some("events"),
                None,
            ] => (Self::Events, Some(id)),
            [Some("org"), Some("projects"), None, ..] => (Self::Projects, None),
            [Some("org"), Some("projects"), Some(id), None, _] => (Self::Project, Some(id)),
            [
                Some("org"),
                Some("projects"),
                Some(id),
                Some("limits"),
                None,
            ] => (Self::ProjectLimits, Some(id)),
            [Some("org"), Some("limits"), None, ..] => (Self::OrgLimits, None),
            [Some("org"), Some("entitlements"), None, ..] => (Self::OrgEntitlements, None),
            [Some("auth"), Some("context"), None, ..] => (Self::AuthContext, None),
            [Some("org"), Some("api_keys"), None, ..] => (Self::ApiKeys, None),
            [Some("profiles"), None, ..] => (Self::Profiles, None),
            [Some("credentials"), None, ..] => (Self::Credentials, None),
            [Some("org"), Some("credential_providers"), None, ..] => {
                (Self::CredentialProviders, None)
            }
            _ => (Self::Other, None),
        };
        (
            route,
            id.map(|id| percent_decode_str(id).decode_utf8_lossy()),
        )
    }
}

impl serde::Serialize for Route {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_routes() {
        for (path, route, id) in [
            ("/auth/connections", Route::Connections, None),
            ("/auth/connections/a%2Fb", Route::Connection, Some("a/b")),
            ("/auth/connections/a/timeline", Route::Timeline, Some("a")),
            ("/auth/connections/a/events", Route::Events, Some("a")),
            ("/auth/connections/a/login", Route::Other, None),
            ("/auth/connections/a/timeline/b", Route::Other, None),
            ("/org/projects/Default", Route::Project, Some("Default")),
            ("/org/limits", Route::OrgLimits, None),
            ("/", Route::Other, None),
        ] {
            let (found, found_id) = Route::of(path);
            assert_eq!((found, found_id.as_deref()), (route, id), "{path}");
        }
        for route in Route::ALL {
            assert_eq!(Route::parse(route.as_str()), Some(*route));
        }
    }
}
