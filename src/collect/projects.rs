//! The list of an organisation's projects.

use crate::kernel::{
    Attempt, Client, Error, Page, PageHeaders, Problem, Project, Query, next_page,
};
use crate::model::Endpoint;

/// Projects that are followed, and pages of their list.
const MAX_PROJECTS: usize = 10_000;
const MAX_PAGES: usize = 200;

/// The largest page of projects that is accepted.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Reads the list to its end.
pub(crate) async fn fetch(client: &Client, attempt: Attempt) -> Result<Vec<Project>, Error> {
    let deadline = attempt.deadline();
    let mut projects: Vec<Project> = Vec::new();
    let mut offset = 0;
    for _ in 0..MAX_PAGES {
        let path = format!("/org/projects?limit=100&offset={offset}");
        let query = Query {
            endpoint: Endpoint::Projects,
            path: &path,
            project: None,
            max_body: MAX_BODY,
        };
        let answer = client.get(query, &deadline, Project::list).await?;
        projects.extend(answer.value);
        match next_page(offset, PageHeaders::read(&answer.headers)) {
            Ok(Page::Last) => return Ok(projects),
            Ok(Page::Next(next)) if projects.len() < MAX_PROJECTS => offset = next,
            Ok(Page::Next(_)) => break,
            Err(error) => return Err(client.fail(Endpoint::Projects, Problem::Paging(error))),
        }
    }
    Err(client.fail(
        Endpoint::Projects,
        Problem::TooManyPages { limit: MAX_PAGES },
    ))
}
