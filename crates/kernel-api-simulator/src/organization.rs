//! The organisation around the connections: projects, limits, plan, keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::answer::{Answer, Answered, Refusal, list};
use super::chance::Chance;
use super::clock::{DAY, Micros};
use super::connection::TimeStyle;
use super::fault::FaultKind;
use super::http::Asked;
use super::json::{self, Object};
use super::keys::KeyScope;
use super::render::{SENSITIVE_MARK, credential_name};
use super::route::Route;
use super::values::Credential;
use super::world::{Project, World};

/// Members set by hand over the organisation's objects.
#[derive(Debug, Default)]
pub(crate) struct Organization {
    pub(crate) limits: Map<String, Value>,
    pub(crate) plan: Map<String, Value>,
    /// When the key in use expires.
    pub(crate) key_expires: KeyExpiry,
}

/// When a key expires.
#[derive(Debug, Default)]
pub(crate) enum KeyExpiry {
    /// 90 days after the start.
    #[default]
    Usual,
    Never,
    At(Micros),
}

/// Answers what is not about a connection.
pub(crate) fn answer(
    organization: &Organization,
    world: &World,
    asked: &Asked<'_>,
    scope: &KeyScope,
    project: usize,
    struck: &[FaultKind],
) -> Answered {
    let rows = |rows: &[String]| {
        list(asked, struck, rows.len(), |out, start, length| {
            out.push_str(&rows[start..start + length].join(","));
        })
    };
    let with_window = |rows: &[String]| {
        let mut answer = list(asked, struck, rows.len(), |out, start, length| {
            out.push_str(&rows[start..start + length].join(","));
        })?;
        let (offset, limit) = super::answer::window(asked)?;
        answer.header("x-offset", &offset.to_string());
        answer.header("x-limit", &limit.to_string());
        Ok(answer)
    };
    match asked.route {
        Route::Projects => rows(&projects(world, asked)),
        Route::Project | Route::ProjectLimits => {
            let wanted = asked.id.unwrap_or_default();
            let found = world
                .projects
                .iter()
                .find(|project| project.id == wanted || project.name == wanted)
                .ok_or_else(|| Refusal::new(404, "project_not_found", "Project not found"))?;
            Ok(Answer::json(
                200,
                if asked.route == Route::Project {
                    project_object(found)
                } else {
                    r#"{"max_concurrent_sessions":50,"max_concurrent_invocations":null,"max_pooled_sessions":null}"#.to_owned()
                },
            ))
        }
        Route::OrgLimits => Ok(Answer::json(200, limits(organization, world))),
        Route::OrgEntitlements => Ok(Answer::json(200, entitlements(organization, world))),
        Route::AuthContext => {
            let mut answer = Answer::json(200, context(world, asked, scope, project));
            answer.header("cache-control", "private, no-store");
            Ok(answer)
        }
        Route::ApiKeys => rows(&api_keys(organization, world)),
        Route::Profiles => with_window(&profiles(world, project)),
        Route::Credentials => rows(&credentials(world, project, asked)),
        Route::CredentialProviders => with_window(&[provider(world)]),
        _ => Err(Refusal::new(404, "not_found", "No such endpoint")),
    }
}

fn write(how: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::with_capacity(256);
    let mut object = Object::open(&mut out, true, TimeStyle::Millis);
    how(&mut object);
    object.close();
    out
}

fn project_object(project: &Project) -> String {
    write(|object| {
        object.text("id", &project.id);
        object.text("name", &project.name);
        object.text(
            "status",
            if project.archived {
                "archived"
            } else {
                "active"
            },
        );
        object.time("created_at", Some(project.created));
        object.time("updated_at", Some(project.updated));
    })
}

fn projects(world: &World, asked: &Asked<'_>) -> Vec<String> {
    let name = asked.parameter("name").map(|name| name.to_lowercase());
    let query = asked.parameter("query").map(|query| query.to_lowercase());
    world
        .projects
        .iter()
        .filter(|project| {
            let own = project.name.to_lowercase();
            name.as_ref().is_none_or(|name| *name == own)
                && query.as_ref().is_none_or(|query| own.contains(query))
        })
        .map(project_object)
        .collect()
}

/// Connections of the active projects.
fn connections_used(world: &World) -> u64 {
    let active = world.projects.iter().filter(|project| !project.archived);
    active.map(|project| project.rows.len() as u64).sum()
}

/// `text`, an object, with some members replaced.
fn patched(text: String, members: &Map<String, Value>) -> String {
    if members.is_empty() {
        return text;
    }
    let mut object: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    object.extend(members.clone());
    Value::Object(object).to_string()
}

/// A round number that leaves some room above `used`.
fn allowed(used: u64) -> u64 {
    (used + used / 4 + 10).next_multiple_of(10)
}

fn limits(organization: &Organization, world: &World) -> String {
    let used = connections_used(world);
    let busy = world
        .living()
        .filter(|connection| connection.is_busy())
        .count() as u64;
    let text = write(|object| {
        object.number("auth_connections_used", used);
        object.number("max_auth_connections", allowed(used));
        object.number("min_health_check_interval_seconds", 300);
        object.number("max_concurrent_sessions", 100);
        object.null("default_project_max_concurrent_sessions");
        object.number("concurrent_sessions_used", busy.min(100));
        object.number("concurrent_sessions_available", 100 - busy.min(100));
        object.number("vaults_used", 1);
        object.null("max_vaults");
    });
    patched(text, &organization.limits)
}

fn entitlements(organization: &Organization, world: &World) -> String {
    let plan = patched(
        write(|object| {
            object.text("id", "ENTERPRISE");
            object.text("effective_id", "ENTERPRISE");
            object.text("status", "ACTIVE");
            object.flag("is_trialing", false);
            object.null("trial_ends_at");
        }),
        &organization.plan,
    );
    let managed = write(|object| {
        object.flag("enabled", true);
        object.number("max_connections", allowed(connections_used(world)));
        object.number("health_check_interval_min_seconds", 300);
        object.number("health_check_interval_default_seconds", 3600);
        object.number("health_check_interval_max_seconds", 86_400);
    });
    let features = write(|object| {
        for name in [
            "browser_pools",
            "credential_providers",
            "credentials",
            "custom_proxies",
            "file_io",
            "gpu",
            "managed_proxies",
            "profiles",
            "proxy_bypass_hosts",
            "search",
            "vaults",
        ] {
            object.raw(name, Some(r#"{"enabled":true}"#));
        }
        object.raw(
            "browser_extensions",
            Some(r#"{"enabled":true,"max_stored_per_org":null}"#),
        );
        object.raw(
            "browser_replays",
            Some(r#"{"enabled":true,"retention_days":30}"#),
        );
        object.raw("managed_auth", Some(&managed));
    });
    write(|object| {
        object.raw("plan", Some(&plan));
        object.raw("features", Some(&features));
        object.raw(
            "limits",
            Some(
                r#"{"default_max_concurrent_invocations_per_app":10,"max_concurrent_browsers":100,"max_concurrent_invocations":100,"max_vaults":null}"#,
            ),
        );
    })
}

/// An id that belongs to the organisation.
fn identifier(world: &World, prefix: &str, number: u64) -> String {
    format!(
        "{prefix}_{}",
        Chance::new(world.seed ^ 0x6f72_6761, number).name(20)
    )
}

fn context(world: &World, asked: &Asked<'_>, scope: &KeyScope, project: usize) -> String {
    let key = identifier(world, "key", 0);
    let of_project = |id: Option<&str>| write(|object| object.optional("project_id", id));
    let credential = match scope {
        KeyScope::Project(id) => Some(id.as_str()),
        _ => None,
    };
    let named = asked.project.is_some() || asked.project_id.is_some();
    let effective = (named || credential.is_some()).then(|| world.projects[project].id.as_str());
    let authorization = write(|object| {
        object.raw("credential_scope", Some(&of_project(credential)));
        object.raw("effective_scope", Some(&of_project(effective)));
    });
    let text = |pairs: &[(&str, &str)]| {
        write(|object| {
            for (name, value) in pairs {
                object.text(name, value);
            }
        })
    };
    write(|object| {
        object.raw(
            "authentication",
            Some(&text(&[
                ("method", "api_key"),
                ("source", "api_key"),
                ("credential_id", &key),
            ])),
        );
        object.raw(
            "principal",
            Some(&text(&[("type", "api_key"), ("id", &key)])),
        );
        object.raw(
            "organization",
            Some(&text(&[("id", &identifier(world, "org", 1))])),
        );
        object.raw("authorization", Some(&authorization));
    })
}

fn api_keys(organization: &Organization, world: &World) -> Vec<String> {
    let start = world.started;
    let in_use = match organization.key_expires {
        KeyExpiry::Usual => Some(start + 90 * DAY),
        KeyExpiry::Never => None,
        KeyExpiry::At(time) => Some(time),
    };
    let keys = [
        ("exporter", in_use),
        ("agents", None),
        ("last year's trial", Some(start - 30 * DAY)),
    ];
    let keys = keys.iter().zip(0_u64..);
    keys.map(|((name, expires), number)| {
        let id = identifier(world, "key", if number == 0 { 0 } else { number + 10 });
        let owner = write(|object| {
            object.text("id", &identifier(world, "user", 2));
            object.text("email", &format!("owner@{SENSITIVE_MARK}.example"));
            object.text("name", SENSITIVE_MARK);
        });
        write(|object| {
            object.text("id", &id);
            object.text("name", name);
            object.text("masked_key", &format!("sk_{SENSITIVE_MARK}…{number}"));
            object.time("created_at", Some(start - 200 * DAY));
            object.time("expires_at", *expires);
            object.null("deleted_at");
            object.null("project_id");
            object.null("project_name");
            object.null("policy");
            object.raw("created_by", Some(&owner));
        })
    })
    .collect()
}

fn of_project(
    world: &World,
    project: usize,
) -> impl Iterator<Item = &super::connection::Connection> {
    world
        .living()
        .filter(move |connection| connection.project == project)
}

fn profiles(world: &World, project: usize) -> Vec<String> {
    let names: BTreeSet<&str> = of_project(world, project)
        .map(|connection| &*connection.profile)
        .collect();
    let start = world.started;
    let names = names.into_iter().zip(0_u64..);
    names
        .map(|(name, number)| {
            write(|object| {
                object.text("id", &identifier(world, "prof", number + 100));
                object.text("name", name);
                object.time("created_at", Some(start - 100 * DAY));
                object.time("updated_at", Some(start - DAY));
                object.time("last_used_at", (number % 4 != 3).then_some(start));
            })
        })
        .collect()
}

fn credentials(world: &World, project: usize, asked: &Asked<'_>) -> Vec<String> {
    let domain = asked.parameter("domain");
    let start = world.started;
    of_project(world, project)
        .filter(|connection| connection.settings.credential == Credential::Kernel)
        .filter(|connection| {
            domain
                .as_deref()
                .is_none_or(|domain| *domain == *connection.domain)
        })
        .zip(0_u64..)
        .map(|(connection, number)| {
            let totp = number % 3 == 0;
            let mut name = String::new();
            json::string(&mut name, &credential_name(&connection.profile));
            write(|object| {
                object.text("id", &identifier(world, "cred", number + 1_000_000));
                object.raw("name", Some(&name));
                object.text("domain", &connection.domain);
                object.time("created_at", Some(start - 90 * DAY));
                object.time("updated_at", Some(start - 3 * DAY));
                object.flag("has_values", true);
                object.flag("has_totp_secret", totp);
                object.null("sso_provider");
                if totp {
                    object.number("totp_digits", 6);
                    object.number("totp_period", 30);
                    object.text("totp_algorithm", "SHA1");
                }
            })
        })
        .collect()
}

fn provider(world: &World) -> String {
    write(|object| {
        object.text("id", &identifier(world, "cp", 3));
        object.text("name", &format!("{SENSITIVE_MARK}-vault"));
        object.text("provider_type", "onepassword");
        object.flag("enabled", true);
        object.number("priority", 1);
        object.time("created_at", Some(world.started - 90 * DAY));
        object.time("updated_at", Some(world.started - 90 * DAY));
    })
}
