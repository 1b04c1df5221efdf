//! The endpoints of connections, and the way to those of the organisation.

use std::sync::Arc;

use super::connection::Connection;
use super::fault::FaultKind;
use super::keys::KeyScope;
use super::organization;
use super::render;
use super::reply::{Reply, list};
use super::request::{ApiError, ApiRequest};
use super::route::Route;
use super::state::{Shared, lock};
use super::values::EventKind;
use super::world::{Filter, World};

/// Answers an accepted GET.
pub(crate) fn answer(
    shared: &Arc<Shared>,
    request: &ApiRequest<'_>,
    scope: &KeyScope,
    faults: &[FaultKind],
) -> Result<Reply, ApiError> {
    if *scope == KeyScope::Policy {
        return Err(ApiError::new(
            403,
            "insufficient_scope",
            "The policy of this key does not list this action",
        ));
    }
    let mut world = lock(&shared.world);
    world.catch_up();
    let project = project(&world, request, scope)?;
    match request.route {
        Route::Connections => connections(&mut world, request, project, faults),
        Route::Connection => {
            let connection = connection(&world, request, project)?;
            let mut text = String::with_capacity(2048);
            render::connection(&mut text, connection);
            Ok(Reply::json(200, text))
        }
        Route::Timeline => timeline(connection(&world, request, project)?, request, faults),
        Route::Events => {
            let id = Arc::clone(&connection(&world, request, project)?.id);
            drop(world);
            Ok(super::follow::answer(Arc::clone(shared), id))
        }
        Route::Other => Err(ApiError::new(404, "not_found", "No such endpoint")),
        _ => {
            let organization = lock(&shared.organization);
            organization::answer(&organization, &world, request, scope, project, faults)
        }
    }
}

/// The project that a request is about.
fn project(world: &World, request: &ApiRequest<'_>, scope: &KeyScope) -> Result<usize, ApiError> {
    let named = match (request.project_id, request.project) {
        (Some(id), _) => Some(world.projects.iter().position(|project| project.id == id)),
        (None, Some(name)) => Some(world.find_project(name)),
        (None, None) => None,
    };
    let own = match scope {
        KeyScope::Project(id) => Some(world.projects.iter().position(|project| project.id == *id)),
        _ => None,
    };
    let chosen = named.or(own).unwrap_or(Some(0));
    let active = chosen.filter(|index| !world.projects[*index].archived);
    let Some(index) = active else {
        return Err(ApiError::new(
            404,
            "project_not_found",
            "Project not found or inactive",
        ));
    };
    if own.is_some_and(|own| own != Some(index)) {
        return Err(ApiError::new(
            403,
            "forbidden",
            "This API key belongs to another project",
        ));
    }
    Ok(index)
}

fn connection<'a>(
    world: &'a World,
    request: &ApiRequest<'_>,
    project: usize,
) -> Result<&'a Connection, ApiError> {
    request
        .id
        .and_then(|id| world.find(id))
        .map(|index| world.connection(index))
        .filter(|connection| connection.project == project)
        .ok_or_else(|| ApiError::new(404, "not_found", "Auth connection not found"))
}

fn connections(
    world: &mut World,
    request: &ApiRequest<'_>,
    project: usize,
    faults: &[FaultKind],
) -> Result<Reply, ApiError> {
    let (offset, _) = request.window()?;
    for fault in faults.iter().filter(|_| offset > 0) {
        match fault {
            FaultKind::DeleteRows(count) => {
                for _ in 0..*count {
                    if let Some(index) = world.projects[project].rows.first().copied() {
                        world.remove(index);
                    }
                }
            }
            FaultKind::InsertRows(count) => {
                for _ in 0..*count {
                    let profile = format!("newcomer-{}", world.projects[project].rows.len());
                    world.create(project, None, "portal.acme.example", &profile);
                }
            }
            _ => {}
        }
    }
    let filter = Filter {
        domain: request.parameter("domain"),
        profile: request.parameter("profile_name"),
        query: request.parameter("query"),
    };
    let total = world.count(project, &filter);
    list(request, faults, total, |out, start, length| {
        world.write_rows(out, project, &filter, start, length);
    })
}

fn timeline(
    connection: &Connection,
    request: &ApiRequest<'_>,
    faults: &[FaultKind],
) -> Result<Reply, ApiError> {
    let wanted = match request.parameter("type").as_deref() {
        None => None,
        Some(word) => Some(EventKind::parse(word).ok_or_else(|| {
            ApiError::new(
                400,
                "bad_request",
                "type must be login, reauth or health_check",
            )
        })?),
    };
    let events: Vec<_> = connection
        .timeline()
        .into_iter()
        .filter(|event| wanted.is_none_or(|wanted| event.kind == wanted))
        .collect();
    list(request, faults, events.len(), |out, start, length| {
        for (position, event) in events.iter().skip(start).take(length).enumerate() {
            if position > 0 {
                out.push(',');
            }
            render::event(out, connection, event);
        }
    })
}
