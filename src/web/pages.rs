//! The pages for people: the fleet at `/`, one connection at `/connection`.
//!
//! Made on the server from the last snapshots, without a word to the API.
//! There is no script and nothing from elsewhere, and the content security
//! policy allows neither.
//!
//! - `query`: what the address asks for;
//! - `select`: which connections are shown, without sorting a whole fleet;
//! - `parts`: what several pages show: names, times, levels;
//! - `frame`: what is around every page, and its headers;
//! - `fleet`, `rows`: the page of the fleet, its upper and its lower half;
//! - `connection`: the page of one connection; `help`: what to do about it.

mod connection;
mod fleet;
mod frame;
mod help;
mod parts;
mod query;
mod rows;
mod select;

use http::{Response, StatusCode};

pub(super) use self::parts::View;
pub(super) use self::query::Query;
use self::select::Selected;
use exporter_toolkit::server::Body;

/// Connections a page of the fleet.
const PAGE_ROWS: usize = 100;

/// The fleet.
pub(super) fn fleet(view: &View<'_>, query: &Query) -> Response<Body> {
    let selected = Selected::new(view.fleet, view.now, query, PAGE_ROWS);
    let main = maud::html! {
        (fleet::glance(view, query, &selected))
        (rows::section(view, query, &selected))
    };
    let title = fleet::title(view, &selected);
    frame::response(view, &query.link(), query.paused, &title, &main)
}

/// `id=` of a query string, where there is exactly one.
pub(super) fn asked_id(query: &str) -> Option<String> {
    let mut ids = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "id");
    let (_, id) = ids.next()?;
    let is_one = ids.next().is_none() && !id.is_empty();
    is_one.then(|| id.into_owned())
}

/// What is known of the connection `id` in `view.fleet`.
pub(super) fn connection(view: &View<'_>, id: &str, paused: bool) -> Response<Body> {
    let page = connection::page(view, id, paused);
    let mut response = frame::response(view, &page.link, paused, &page.title, &page.main);
    if !page.found {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// What must hold of any query string of a page: its links lead to it.
#[cfg(any(test, feature = "testing"))]
pub(super) fn fuzz(query: &str) {
    let read = Query::read(query);
    let link = read.link();
    assert_eq!(Query::read(link.trim_start_matches('?')), read);
}
