//! The organisation around the connections: projects, limits, plan, keys.

use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::clock::{DAY, Micros};
use super::fault::FaultKind;
use super::json::stamp;
use super::keys::KeyScope;
use super::render::SENSITIVE_MARK;
use super::reply::{Reply, list};
use super::request::{ApiError, ApiRequest};
use super::route::Route;
use super::state::{KeyExpiry, Organization};
use super::world::{Project, World};

/// Answers what is not about a connection.
pub(crate) fn answer(
    organization: &Organization,
    world: &World,
    request: &ApiRequest<'_>,
    scope: &KeyScope,
    project: usize,
    faults: &[FaultKind],
) -> Result<Reply, ApiError> {
    let one = |object: Value| Ok(Reply::json(200, object.to_string()));
    let rows = |rows: &[Value]| {
        list(request, faults, rows.len(), |out, start, length| {
            let rows = rows[start..start + length].iter().map(Value::to_string);
            out.push_str(&rows.collect::<Vec<_>>().join(","));
        })
    };
    match request.route {
        Route::Projects => rows(&projects(world, request)),
        Route::Project => {
            let wanted = request.id.unwrap_or_default();
            let found = world
                .find_project(wanted)
                .ok_or_else(|| ApiError::new(404, "project_not_found", "Project not found"))?;
            one(project_object(&world.projects[found]))
        }
        Route::OrgLimits => one(limits(organization, world)),
        Route::OrgEntitlements => one(entitlements(organization, world)),
        Route::AuthContext => {
            let mut reply = one(context(world, request, scope, project))?;
            reply.header("cache-control", "private, no-store");
            Ok(reply)
        }
        Route::ApiKeys => rows(&api_keys(organization, world)),
        _ => Err(ApiError::new(404, "not_found", "No such endpoint")),
    }
}

fn project_object(project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "status": if project.archived { "archived" } else { "active" },
        "created_at": stamp(project.created),
        "updated_at": stamp(project.updated),
    })
}

fn projects(world: &World, request: &ApiRequest<'_>) -> Vec<Value> {
    let name = request.parameter("name").map(|name| name.to_lowercase());
    let query = request.parameter("query").map(|query| query.to_lowercase());
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

/// `object` with some members replaced.
fn patched(mut object: Value, members: &Map<String, Value>) -> Value {
    if let Value::Object(object) = &mut object {
        object.extend(members.clone());
    }
    object
}

/// A round number that leaves some room above `used`.
fn allowed(used: u64) -> u64 {
    (used + used / 4 + 10).next_multiple_of(10)
}

fn limits(organization: &Organization, world: &World) -> Value {
    let used = connections_used(world);
    let busy = world.living().filter(|connection| connection.is_busy());
    let busy = (busy.count() as u64).min(100);
    let object = json!({
        "auth_connections_used": used,
        "max_auth_connections": allowed(used),
        "min_health_check_interval_seconds": 300,
        "max_concurrent_sessions": 100,
        "default_project_max_concurrent_sessions": null,
        "concurrent_sessions_used": busy,
        "concurrent_sessions_available": 100 - busy,
        "vaults_used": 1,
        "max_vaults": null,
    });
    patched(object, &organization.limits)
}

fn entitlements(organization: &Organization, world: &World) -> Value {
    let plan = json!({
        "id": "ENTERPRISE",
        "effective_id": "ENTERPRISE",
        "status": "ACTIVE",
        "is_trialing": false,
        "trial_ends_at": null,
    });
    let enabled = json!({"enabled": true});
    json!({
        "plan": patched(plan, &organization.plan),
        "features": {
            "browser_extensions": {"enabled": true, "max_stored_per_org": null},
            "browser_pools": enabled,
            "browser_replays": {"enabled": true, "retention_days": 30},
            "credential_providers": enabled,
            "credentials": enabled,
            "custom_proxies": enabled,
            "file_io": enabled,
            "gpu": enabled,
            "managed_auth": {
                "enabled": true,
                "max_connections": allowed(connections_used(world)),
                "health_check_interval_min_seconds": 300,
                "health_check_interval_default_seconds": 3600,
                "health_check_interval_max_seconds": 86_400,
            },
            "managed_proxies": enabled,
            "profiles": enabled,
            "proxy_bypass_hosts": enabled,
            "search": enabled,
            "vaults": enabled,
        },
        "limits": {
            "default_max_concurrent_invocations_per_app": 10,
            "max_concurrent_browsers": 100,
            "max_concurrent_invocations": 100,
            "max_vaults": null,
        },
    })
}

/// An id that belongs to the organisation.
fn identifier(world: &World, prefix: &str, number: u64) -> String {
    let name = Chance::new(world.seed ^ 0x6f72_6761, number).name(20);
    format!("{prefix}_{name}")
}

fn context(world: &World, request: &ApiRequest<'_>, scope: &KeyScope, project: usize) -> Value {
    let key = identifier(world, "key", 0);
    let credential = match scope {
        KeyScope::Project(id) => Some(id),
        _ => None,
    };
    let named = request.project.is_some() || request.project_id.is_some();
    let effective = (named || credential.is_some()).then(|| &world.projects[project].id);
    json!({
        "authentication": {"method": "api_key", "source": "api_key", "credential_id": key},
        "principal": {"type": "api_key", "id": key},
        "organization": {"id": identifier(world, "org", 1)},
        "authorization": {
            "credential_scope": {"project_id": credential},
            "effective_scope": {"project_id": effective},
        },
    })
}

fn api_keys(organization: &Organization, world: &World) -> Vec<Value> {
    let start = world.started;
    let in_use = match organization.key_expires {
        KeyExpiry::Usual => Some(start + 90 * DAY),
        KeyExpiry::Never => None,
        KeyExpiry::At(time) => Some(time),
    };
    let key = |number: u64, id: u64, name: &str, expires: Option<Micros>| {
        json!({
            "id": identifier(world, "key", id),
            "name": name,
            "masked_key": format!("sk_{SENSITIVE_MARK}…{number}"),
            "created_at": stamp(start - 200 * DAY),
            "expires_at": expires.map(stamp),
            "deleted_at": null,
            "project_id": null,
            "project_name": null,
            "policy": null,
            "created_by": {
                "id": identifier(world, "user", 2),
                "email": format!("owner@{SENSITIVE_MARK}.example"),
                "name": SENSITIVE_MARK,
            },
        })
    };
    vec![
        key(0, 0, "exporter", in_use),
        key(1, 11, "agents", None),
        key(2, 12, "last year's trial", Some(start - 30 * DAY)),
    ]
}
