//! The page at `/`: the fleet for people, those that need somebody first.
//!
//! Made on the server from the last snapshots, without a word to the API.
//! There is no script and nothing from elsewhere, and its content security
//! policy allows neither.
//!
//! - `query`: what the address asks for;
//! - `select`: which connections are shown, without sorting a whole fleet;
//! - `html`: writing text so that it stays text;
//! - `summary`, `table`: the two halves of the page.

mod html;
mod query;
mod select;
mod summary;
mod table;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Response, header};
use sha2::{Digest, Sha256};

use self::html::Html;
pub(super) use self::query::Query;
use self::select::Selected;
use crate::model::{Attention, Fleet, Timestamp};
use exporter_toolkit::server::{Body, full};

const STYLE: &str = include_str!("status_page/style.css");

/// A sign for the browser's tab, so that the browser does not ask for one.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
    viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230b5cad'/%3E%3Cpath \
    d='M9 17l5 5 9-11' fill='none' stroke='white' stroke-width='4'/%3E%3C/svg%3E";

/// Connections a page.
const PAGE_ROWS: usize = 200;

/// What the page is about.
pub(super) struct View<'a> {
    /// The last snapshots.
    pub(super) fleet: &'a Fleet,
    /// Nobody has scraped yet.
    pub(super) untouched: bool,
    /// This machine's time.
    pub(super) now: Timestamp,
    /// Path of the metrics.
    pub(super) telemetry_path: &'a str,
}

impl View<'_> {
    /// The metrics, from this page: relative, so that it also works behind a
    /// proxy that serves it under a path.
    fn metrics_link(&self) -> &str {
        self.telemetry_path.trim_start_matches('/')
    }
}

/// The class and the sign of a level: a colour never says it alone.
const fn look(level: Attention) -> (&'static str, &'static str) {
    match level {
        Attention::Waiting => ("waiting", "!"),
        Attention::NeedsPerson => ("person", "\u{2715}"),
        Attention::NeedsAuth => ("out", "\u{21bb}"),
        Attention::Unknown => ("unknown", "?"),
        Attention::Fine => ("fine", "\u{2713}"),
    }
}

/// The page.
pub(super) fn render(view: &View<'_>, query: &Query) -> String {
    let selected = Selected::new(view.fleet, view.now, query, PAGE_ROWS);
    let mut html = Html::with_capacity(16 * 1024 + selected.rows.len() * 1024);
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    html.text(&summary::title(view, &selected));
    html.raw("</title>\n<link rel=\"icon\" href=\"");
    html.text(ICON);
    html.raw("\">\n<style>");
    html.raw(STYLE);
    html.raw("</style>\n</head>\n<body>\n");
    html.raw("<a class=\"skip\" href=\"#connections\">Skip to the connections</a>\n");
    html.raw("<header>\n<h1>Kernel auth connections</h1>\n<nav aria-label=\"Data\">\n<a href=\"");
    html.text(view.metrics_link());
    html.raw("\">Metrics</a>\n<a href=\"sd\">Service discovery</a>\n</nav>\n</header>\n<main>\n");
    summary::write(&mut html, view, query, &selected);
    table::write(&mut html, view, query, &selected);
    html.raw("</main>\n<footer>\n<p>kernel-auth-exporter ");
    html.text(env!("CARGO_PKG_VERSION"));
    html.raw(
        ". This page shows what the last scrape saw; it never asks the API. \
         It does not refresh by itself: <a href=\"",
    );
    html.text(&query.link(query.level, query.page));
    html.raw("\">load it again</a>.</p>\n</footer>\n</body>\n</html>\n");
    html.finish()
}

/// The answer with that page.
pub(super) fn response(html: String) -> Response<Body> {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("base64 and the words above are visible ASCII")
    });
    let mut response = Response::new(full(html));
    let headers = response.headers_mut();
    let put = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, put("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, put("nosniff"));
    // The address may hold the name of a profile.
    headers.insert(header::REFERRER_POLICY, put("no-referrer"));
    headers.insert(header::CACHE_CONTROL, put("no-store"));
    response
}
