//! What can be asked.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::values::words;

words! {
    /// What a request asks for, by the name that faults and the log have for it.
    Route {
        Connections = "connections",
        Connection = "connection",
        Timeline = "timeline",
        Events = "events",
        Projects = "projects",
        Project = "project",
        OrgLimits = "org_limits",
        OrgEntitlements = "org_entitlements",
        AuthContext = "auth_context",
        ApiKeys = "api_keys",
        Other = "other",
    }
}

impl Route {
    /// The route of a path, with the id or name in it.
    pub(crate) fn of(path: &str) -> (Self, Option<Cow<'_, str>>) {
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let (route, id) = match *parts {
            ["auth", "connections"] => (Self::Connections, None),
            ["auth", "connections", id] => (Self::Connection, Some(id)),
            ["auth", "connections", id, "timeline"] => (Self::Timeline, Some(id)),
            ["auth", "connections", id, "events"] => (Self::Events, Some(id)),
            ["auth", "context"] => (Self::AuthContext, None),
            ["org", "projects"] => (Self::Projects, None),
            ["org", "projects", id] => (Self::Project, Some(id)),
            ["org", "limits"] => (Self::OrgLimits, None),
            ["org", "entitlements"] => (Self::OrgEntitlements, None),
            ["org", "api_keys"] => (Self::ApiKeys, None),
            _ => (Self::Other, None),
        };
        let id = id.map(|id| percent_decode_str(id).decode_utf8_lossy());
        (route, id)
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
