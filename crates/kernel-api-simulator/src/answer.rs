//! The answers, route by route.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};

use super::body::Body;
use super::connection::{Connection, TimeStyle};
use super::fault::FaultKind;
use super::http::{Asked, Shared, header_pair, lock};
use super::json::Object;
use super::keys::KeyScope;
use super::quirk::Page;
use super::render;
use super::route::Route;
use super::values::EventKind;
use super::world::{Filter, World};

/// An answer before it is sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Sent in place of `text`.
    pub(crate) stream: Option<Body>,
}

impl Answer {
    pub(crate) fn json(status: u16, text: String) -> Self {
        let mut answer = Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: HeaderMap::new(),
            text,
            stream: None,
        };
        answer.header(header::CONTENT_TYPE.as_str(), "application/json");
        answer
    }

    /// An error as the API writes it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let mut text = String::new();
        let mut object = Object::open(&mut text, false, TimeStyle::Seconds);
        object.text("code", code);
        object.text("message", message);
        object.close();
        Self::json(status, text)
    }

    /// Sets a header; what is no header is left out.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        if let Some((name, value)) = header_pair(name, value) {
            self.headers.insert(name, value);
        }
    }
}

/// Why there is no other answer than an error.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::error(refusal.status, refusal.code, &refusal.message)
    }
}

pub(crate) type Answered = Result<Answer, Refusal>;

/// Answers an accepted GET.
pub(crate) fn route(
    shared: &Arc<Shared>,
    asked: &Asked<'_>,
    scope: &KeyScope,
    struck: &[FaultKind],
) -> Answered {
    if *scope == KeyScope::Policy {
        return Err(Refusal::new(
            403,
            "insufficient_scope",
            "The policy of this key does not list this action",
        ));
    }
    let mut world = lock(&shared.world);
    world.catch_up();
    let project = project(&world, asked, scope)?;
    match asked.route {
        Route::Connections => connections(&mut world, asked, project, struck),
        Route::Connection => {
            let connection = connection(&world, asked, project)?;
            let mut text = String::with_capacity(2048);
            render::connection(&mut text, connection);
            Ok(Answer::json(200, text))
        }
        Route::Timeline => timeline(connection(&world, asked, project)?, asked, struck),
        Route::Events => {
            let id = Arc::clone(&connection(&world, asked, project)?.id);
            drop(world);
            Ok(super::follow::answer(Arc::clone(shared), id))
        }
        Route::Other => Err(Refusal::new(404, "not_found", "No such endpoint")),
        _ => {
            let organization = lock(&shared.organization);
            super::organization::answer(&organization, &world, asked, scope, project, struck)
        }
    }
}

/// The project that a request is about.
fn project(world: &World, asked: &Asked<'_>, scope: &KeyScope) -> Result<usize, Refusal> {
    let named = match (asked.project_id, asked.project) {
        (Some(id), _) => Some(world.projects.iter().position(|project| project.id == id)),
        (None, Some(name)) => Some(
            world
                .projects
                .iter()
                .position(|project| project.id == name || project.name == name),
        ),
        (None, None) => None,
    };
    let own = match scope {
        KeyScope::Project(id) => Some(world.projects.iter().position(|project| project.id == *id)),
        _ => None,
    };
    let chosen = named.or(own).unwrap_or(Some(0));
    let active = chosen.filter(|index| !world.projects[*index].archived);
    let Some(index) = active else {
        return Err(Refusal::new(
            404,
            "project_not_found",
            "Project not found or inactive",
        ));
    };
    if own.is_some_and(|own| own != Some(index)) {
        return Err(Refusal::new(
            403,
            "forbidden",
            "This API key belongs to another project",
        ));
    }
    Ok(index)
}

fn connection<'a>(
    world: &'a World,
    asked: &Asked<'_>,
    project: usize,
) -> Result<&'a Connection, Refusal> {
    asked
        .id
        .and_then(|id| world.find(id))
        .map(|index| world.connection(index))
        .filter(|connection| connection.project == project)
        .ok_or_else(|| Refusal::new(404, "not_found", "Auth connection not found"))
}

/// Offset and limit of a list, checked as the API's schema has them.
pub(crate) fn window(asked: &Asked<'_>) -> Result<(usize, usize), Refusal> {
    let offset = asked.number("offset")?.unwrap_or(0);
    let limit = asked.number("limit")?.unwrap_or(20);
    if limit == 0 {
        return Err(Refusal::new(400, "bad_request", "limit must be at least 1"));
    }
    Ok((offset, limit.min(100)))
}

/// A page of a list; `write` appends the rows from one position, so many.
pub(crate) fn list(
    asked: &Asked<'_>,
    struck: &[FaultKind],
    total: usize,
    write: impl FnOnce(&mut String, usize, usize),
) -> Answered {
    let (offset, limit) = window(asked)?;
    let page = Page::new(offset, limit, total, struck);
    let mut text = String::with_capacity(64 + page.length * 1600);
    text.push('[');
    write(&mut text, page.start, page.length);
    text.push(']');
    let mut answer = Answer::json(200, text);
    answer.header("x-has-more", if page.has_more { "true" } else { "false" });
    if let Some(next) = page.next_offset {
        answer.header("x-next-offset", &next.to_string());
    }
    Ok(answer)
}

fn connections(
    world: &mut World,
    asked: &Asked<'_>,
    project: usize,
    struck: &[FaultKind],
) -> Answered {
    let (offset, _) = window(asked)?;
    for fault in struck.iter().filter(|_| offset > 0) {
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
        domain: asked.parameter("domain"),
        profile: asked.parameter("profile_name"),
        query: asked.parameter("query"),
    };
    let total = world.count(project, &filter);
    list(asked, struck, total, |out, start, length| {
        world.write_rows(out, project, &filter, start, length);
    })
}

fn timeline(connection: &Connection, asked: &Asked<'_>, struck: &[FaultKind]) -> Answered {
    let wanted = match asked.parameter("type").as_deref() {
        None => None,
        Some(word) => Some(EventKind::parse(word).ok_or_else(|| {
            Refusal::new(
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
    list(asked, struck, events.len(), |out, start, length| {
        for (position, event) in events.iter().skip(start).take(length).enumerate() {
            if position > 0 {
                out.push(',');
            }
            render::event(out, connection, event);
        }
    })
}
