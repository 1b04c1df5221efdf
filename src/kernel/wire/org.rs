//! The organisation's objects. Every member is optional: the official clients
//! do not agree which of them are always there.

use serde::{Deserialize, Deserializer};

use super::member::{JsonStr, Member};
use crate::model::{Plan, Timestamp};

/// `GET /org/limits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct OrgLimits {
    /// Connections of the whole organisation.
    #[serde(rename = "auth_connections_used", deserialize_with = "count")]
    pub connections_used: Option<u64>,
    /// `null`: no limit.
    #[serde(rename = "max_auth_connections", deserialize_with = "count")]
    pub connections_limit: Option<u64>,
    /// Browser sessions that run.
    #[serde(rename = "concurrent_sessions_used", deserialize_with = "count")]
    pub sessions_used: Option<u64>,
    /// Browser sessions that may run.
    #[serde(rename = "max_concurrent_sessions", deserialize_with = "count")]
    pub sessions_limit: Option<u64>,
    /// Seconds.
    #[serde(
        rename = "min_health_check_interval_seconds",
        deserialize_with = "count"
    )]
    pub min_health_check_interval: Option<u64>,
}

impl OrgLimits {
    /// Reads the body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

/// `GET /org/entitlements`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entitlements {
    /// The plan that is in force.
    pub plan: Option<Plan>,
    /// `features.managed_auth.health_check_interval_min_seconds`.
    pub min_health_check_interval: Option<u64>,
}

impl Entitlements {
    /// Reads the body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            plan: Option<WirePlan<'a>>,
            features: Option<Features>,
        }
        #[derive(Deserialize)]
        struct WirePlan<'a> {
            #[serde(borrow)]
            id: Option<JsonStr<'a>>,
            #[serde(borrow)]
            effective_id: Option<JsonStr<'a>>,
        }
        #[derive(Deserialize)]
        struct Features {
            managed_auth: Option<ManagedAuth>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct ManagedAuth {
            #[serde(deserialize_with = "count")]
            health_check_interval_min_seconds: Option<u64>,
        }
        let wire: Wire<'_> = serde_json::from_slice(body)?;
        let name = wire.plan.and_then(|plan| plan.effective_id.or(plan.id));
        let managed = wire.features.and_then(|features| features.managed_auth);
        Ok(Self {
            plan: name
                .filter(|name| !name.0.is_empty())
                .map(|name| Plan::from_wire(&name.0).unwrap_or(Plan::Other)),
            min_health_check_interval: managed
                .and_then(|managed| managed.health_check_interval_min_seconds),
        })
    }
}

/// `GET /auth/context`: what the key in use is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthContext {
    /// `authentication.credential_id`, where the credential has an id.
    pub credential: Option<Box<str>>,
    /// `organization.id`.
    pub organization: Option<Box<str>>,
    /// `authorization.credential_scope.project_id`: the key is of this project
    /// alone. `None`: of the organisation.
    pub project: Option<Box<str>>,
}

impl AuthContext {
    /// Reads the body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            authentication: Option<Authentication<'a>>,
            #[serde(borrow)]
            organization: Option<Organization<'a>>,
            #[serde(borrow)]
            authorization: Option<Authorization<'a>>,
        }
        #[derive(Deserialize)]
        struct Authentication<'a> {
            #[serde(borrow)]
            credential_id: Option<JsonStr<'a>>,
        }
        #[derive(Deserialize)]
        struct Organization<'a> {
            #[serde(borrow)]
            id: Option<JsonStr<'a>>,
        }
        #[derive(Deserialize)]
        struct Authorization<'a> {
            #[serde(borrow)]
            credential_scope: Option<CredentialScope<'a>>,
        }
        #[derive(Deserialize)]
        struct CredentialScope<'a> {
            #[serde(borrow)]
            project_id: Option<JsonStr<'a>>,
        }
        let wire: Wire<'_> = serde_json::from_slice(body)?;
        let text = |text: Option<JsonStr<'_>>| text.map(|text| text.0.as_ref().into());
        let scope = wire.authorization.and_then(|wire| wire.credential_scope);
        Ok(Self {
            credential: text(wire.authentication.and_then(|wire| wire.credential_id)),
            organization: text(wire.organization.and_then(|wire| wire.id)),
            project: text(scope.and_then(|wire| wire.project_id)),
        })
    }
}

/// What a page of `GET /org/api_keys` says of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyExpiry {
    /// Nothing: it is not on this page.
    NotHere,
    /// It has no end.
    Never,
    /// `expires_at`.
    At(Timestamp),
}

impl KeyExpiry {
    /// Looks for the key `id` in the body. The other members of a row say whose
    /// key it is, and are not read.
    pub(crate) fn of(id: &str, body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            id: Option<JsonStr<'a>>,
            #[serde(default)]
            expires_at: Member<Timestamp>,
        }
        let rows: Vec<Wire<'_>> = serde_json::from_slice(body)?;
        let row = rows
            .iter()
            .find(|row| row.id.as_ref().is_some_and(|name| name.0 == id));
        Ok(match row.map(|row| &row.expires_at) {
            None => Self::NotHere,
            Some(Member::Known(at)) => Self::At(*at),
            Some(_) => Self::Never,
        })
    }
}

/// A count; whatever is none is absent and does not lose the others.
fn count<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire {
        Whole(u64),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Wire::deserialize(reader)? {
        Wire::Whole(number) => Some(number),
        Wire::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_member_by_member() {
        let body = br#"{"auth_connections_used":7,"max_auth_connections":null,
            "concurrent_sessions_used":"many","max_concurrent_sessions":-1,"x":[1]}"#;
        assert_eq!(
            OrgLimits::read(body).unwrap(),
            OrgLimits {
                connections_used: Some(7),
                ..OrgLimits::default()
            }
        );
        assert_eq!(OrgLimits::read(b"{}").unwrap(), OrgLimits::default());
        assert!(OrgLimits::read(b"[").is_err());
    }

    #[test]
    fn the_plan_in_force_counts() {
        let plan = |body: &str| Entitlements::read(body.as_bytes()).unwrap().plan;
        assert_eq!(
            plan(r#"{"plan":{"id":"FREE","effective_id":"START_UP"}}"#),
            Some(Plan::StartUp)
        );
        assert_eq!(plan(r#"{"plan":{"id":"free"}}"#), Some(Plan::Free));
        assert_eq!(plan(r#"{"plan":{"id":"GALACTIC"}}"#), Some(Plan::Other));
        assert_eq!(plan(r#"{"plan":null,"features":{}}"#), None);
        let body = br#"{"features":{"managed_auth":{"health_check_interval_min_seconds":300}}}"#;
        let read = Entitlements::read(body).unwrap();
        assert_eq!(read.min_health_check_interval, Some(300));
    }

    #[test]
    fn the_key_in_use_is_found_by_its_id() {
        let body = br#"{"authentication":{"method":"api_key","credential_id":"key_1"},
            "organization":{"id":"org_1"},"authorization":{"credential_scope":{"project_id":null}}}"#;
        let context = AuthContext::read(body).unwrap();
        assert_eq!(context.credential.as_deref(), Some("key_1"));
        assert_eq!(context.organization.as_deref(), Some("org_1"));
        assert_eq!(context.project, None);
        assert_eq!(AuthContext::read(b"{}").unwrap(), AuthContext::default());
        let body = br#"{"authorization":{"credential_scope":{"project_id":"proj_1"}}}"#;
        let project = AuthContext::read(body).unwrap().project;
        assert_eq!(project.as_deref(), Some("proj_1"));
        let keys = br#"[{"id":"key_0","expires_at":null},
            {"id":"key_1","expires_at":"2026-12-01T00:00:00Z","masked_key":"sk_x"}]"#;
        assert_eq!(KeyExpiry::of("key_0", keys).unwrap(), KeyExpiry::Never);
        assert_eq!(KeyExpiry::of("key_2", keys).unwrap(), KeyExpiry::NotHere);
        let expected = KeyExpiry::At(Timestamp::from_seconds(1_796_083_200));
        assert_eq!(KeyExpiry::of("key_1", keys).unwrap(), expected);
    }
}
