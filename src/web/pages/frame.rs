//! What is around every page.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Response, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::parts::{View, clock};
use super::query;
use crate::version::Build;
use crate::web::answer::of_now;
use exporter_toolkit::server::{Body, full};

const STYLE: &str = include_str!("style.css");

/// A sign for the browser's tab, so that the browser does not ask for one.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
    viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230b5cad'/%3E%3Cpath \
    d='M9 17l5 5 9-11' fill='none' stroke='white' stroke-width='4'/%3E%3C/svg%3E";

/// The answer with a page. `link` leads to the same page, `paused` says that
/// it does not refresh by itself.
pub(super) fn response(
    view: &View<'_>,
    link: &str,
    paused: bool,
    title: &str,
    main: &Markup,
) -> Response<Body> {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("base64 and the words above are visible ASCII")
    });
    let page = document(view, link, paused, title, main);
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = of_now(kind, full(page.into_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    // The address may hold the name of a profile.
    let no_referrer = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, no_referrer);
    if !paused {
        headers.insert(header::REFRESH, view.refresh.as_secs().into());
    }
    response
}

fn document(view: &View<'_>, link: &str, paused: bool, title: &str, main: &Markup) -> Markup {
    let home = query::home(paused);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    p.home { a href=(home) { "Kernel auth" span.wide { " connections" } } }
                    p.asof {
                        "As of " (clock(view.now, view.now))
                        @if paused {
                            ", paused. " a href=(query::with_refresh(link)) { "Refresh" }
                        } @else {
                            ", refreshes every " (view.refresh.as_secs()) " s. "
                            a href=(query::without_refresh(link)) { "Pause" }
                        }
                    }
                    nav aria-label="Data" {
                        a href=(view.metrics_link()) { "Metrics" }
                        a href="sd" { "Service discovery" }
                    }
                }
                main id="content" tabindex="-1" { (main) }
                footer {
                    p {
                        "kernel-auth-exporter " (Build::current().version)
                        ". This page shows what the last scrape saw; it never asks the API."
                    }
                }
            }
        }
    }
}
