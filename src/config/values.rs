//! Values that are right by construction, and how each is read from text.

use std::fmt;
use std::net::IpAddr;

use tracing_subscriber::filter::LevelFilter;
use url::Url;

use crate::model::{NamePattern, vocabulary};

/// The API's base URL: `http` or `https`, without trailing slash, user, query
/// or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiUrl {
    text: String,
    is_loopback: bool,
}

impl ApiUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str = "not a base URL; write it as in https://api.onkernel.com";
        if text.trim() != text {
            return Err(SYNTAX);
        }
        let url = Url::parse(text).map_err(|_| SYNTAX)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the URL must begin with https:// (or http://)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL contains a user or password; remove it: the API takes only a key");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(
                "the URL contains a query or fragment; remove everything from the ? or # on",
            );
        }
        // Requests are sent to what HTTP takes for a URI; some hosts are none.
        if url.as_str().parse::<http::Uri>().is_err() {
            return Err(SYNTAX);
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            is_loopback: url.host_str().is_some_and(is_loopback),
        })
    }

    /// The URL without trailing slash: a path that begins with `/` may follow.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it leads to this machine, as far as its text tells.
    pub(crate) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether a key would travel unencrypted to another machine.
    pub(super) fn is_in_the_clear(&self) -> bool {
        self.text.starts_with("http:") && !self.is_loopback
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The label value `account`.
pub(super) fn account_name(text: &str) -> Result<Box<str>, &'static str> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err("not an account name; it must be 1 to 128 bytes without control characters");
    }
    Ok(text.into())
}

/// The part of something that may be used: above 0, at most 1.
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or("not a share; write a number above 0 and up to 1, as in 0.5")
}

/// The path that scrapes ask for. It is none of the paths this server has
/// already given away.
pub(super) fn telemetry_path(text: &str) -> Result<String, &'static str> {
    if !is_path(text) {
        return Err(
            "not a path; write it as in /metrics, with a leading / and visible ASCII other than \\ ? # %",
        );
    }
    if matches!(text, "/" | "/connection" | "/probe" | "/sd" | "/-") || text.starts_with("/-/") {
        return Err(
            "the path is taken; /, /connection, /probe, /sd and everything under /-/ serve other things",
        );
    }
    Ok(text.to_owned())
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 256
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['?', '#', '%', '\\'])
        && !text.contains("//")
}

/// What stands before every path of this server: nothing, or `/name` without
/// slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// As `--web.route-prefix` of Prometheus' servers: with or without slashes
    /// around it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let inner = text.trim_matches('/');
        if inner.is_empty() {
            return Ok(Self::default());
        }
        let prefix = format!("/{inner}");
        if !is_path(&prefix) {
            return Err("not a path; write it as in /kernel, of visible ASCII other than \\ ? # %");
        }
        Ok(Self(prefix))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where others reach this server: a URL, or its path alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalUrl {
    /// Scheme, host and port as a browser names them; empty where there is
    /// only a path.
    origin: String,
    path: Prefix,
}

impl ExternalUrl {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str =
            "not a URL of this server; write it as in https://proxy.example/kernel/";
        if text.starts_with('/') {
            let (origin, path) = (String::new(), Prefix::parse(text)?);
            return Ok(Self { origin, path });
        }
        let url = Url::parse(text).map_err(|_| SYNTAX)?;
        let of_the_web = matches!(url.scheme(), "http" | "https");
        let is_more = url.query().is_some() || url.fragment().is_some();
        let has_user = !url.username().is_empty() || url.password().is_some();
        if text.trim() != text || !of_the_web || is_more || has_user {
            return Err(SYNTAX);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            path: Prefix::parse(url.path())?,
        })
    }

    /// What browsers send as `Origin` from a page of this server.
    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        self.origin == origin
    }

    pub(super) fn path(&self) -> &Prefix {
        &self.path
    }
}

impl fmt::Display for ExternalUrl {
    /// With a slash at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/", self.origin, self.path.0)
    }
}

/// A domain, matched exactly by the API.
pub(super) fn domain(text: &str) -> Result<Box<str>, &'static str> {
    let legal = (1..=253).contains(&text.len())
        && !text.contains(|c: char| {
            matches!(c, '/' | ':' | '?' | '#' | '@') || c.is_whitespace() || c.is_control()
        });
    if !legal {
        return Err("not a domain; write the bare name, as in example.com, not a URL");
    }
    if text.contains('*') {
        return Err("matched exactly, so * stands for itself; patterns go into accounts[].exclude");
    }
    Ok(text.into())
}

/// A profile's name, matched exactly by the API.
pub(super) fn profile(text: &str) -> Result<Box<str>, &'static str> {
    if !(1..=255).contains(&text.len()) || text.chars().any(char::is_control) {
        return Err("not a profile name; it must be 1 to 255 bytes without control characters");
    }
    Ok(text.into())
}

/// A name that `parse` reads, or the beginning or the end of names, with a `*`
/// for the rest of them.
pub(super) fn pattern(
    text: &str,
    parse: impl Fn(&str) -> Result<Box<str>, &'static str>,
) -> Result<NamePattern, &'static str> {
    let (make, part): (fn(Box<str>) -> NamePattern, _) =
        match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(""), _) => return Err("a * alone would leave nothing to watch"),
            (Some(end), _) => (NamePattern::Ending, end),
            (None, Some(start)) => (NamePattern::Beginning, start),
            (None, None) => (NamePattern::Exactly, text),
        };
    if part.contains('*') {
        return Err("only one * is allowed, at the beginning or at the end");
    }
    parse(part).map(make)
}

vocabulary! {
    /// How the log is written.
    LogFormat {
        /// `key=value` pairs.
        Logfmt = "logfmt",
        /// One object per line.
        Json = "json",
    }
}

pub(super) const LOG_LEVELS: &[LevelFilter] = &[
    LevelFilter::DEBUG,
    LevelFilter::INFO,
    LevelFilter::WARN,
    LevelFilter::ERROR,
];
pub(super) const LOG_LEVEL_LABELS: &[&str] = &["debug", "info", "warn", "error"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let in_the_clear = |url: &str| ApiUrl::parse(url).unwrap().is_in_the_clear();
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.255.0.9",
            "[::1]",
            "2130706433",
        ] {
            assert!(!in_the_clear(&format!("http://{host}:4010")), "{host}");
        }
        for host in [
            "128.0.0.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:10.0.0.1]",
            "localhost.example",
            "127.0.0.1.example",
            "api.onkernel.com",
        ] {
            assert!(in_the_clear(&format!("http://{host}:4010")), "{host}");
            assert!(!in_the_clear(&format!("https://{host}:4010")), "{host}");
        }
    }

    #[test]
    fn a_host_that_no_request_can_name_is_an_error() {
        assert!(Url::parse("https://a{b").is_ok());
        assert!(ApiUrl::parse("https://a{b").is_err());
    }

    #[test]
    fn what_stands_before_every_path() {
        let external = |text: &str| ExternalUrl::parse(text).map(|url| url.to_string());
        for (text, url, path) in [
            (
                "https://p.example/kernel/",
                "https://p.example/kernel/",
                "/kernel",
            ),
            ("HTTP://P.example:80", "http://p.example/", ""),
            (
                "http://p.example:8080/a/b",
                "http://p.example:8080/a/b/",
                "/a/b",
            ),
            ("/kernel", "/kernel/", "/kernel"),
            ("/", "/", ""),
        ] {
            assert_eq!(external(text).as_deref(), Ok(url), "{text}");
            assert_eq!(ExternalUrl::parse(text).unwrap().path().as_str(), path);
        }
        for text in [
            "p.example/kernel",
            "\"https://p.example\"",
            "https://u:p@p.example/",
            "https://p.example/?a",
            "ftp://p.example/",
            "https://p.example/a b",
            "https://p.example//a//b",
        ] {
            assert!(external(text).is_err(), "{text}");
        }
        for (text, prefix) in [("/", ""), ("kernel", "/kernel"), ("/a/b/", "/a/b")] {
            assert_eq!(Prefix::parse(text).unwrap().as_str(), prefix);
        }
        assert!(Prefix::parse("/a?b").is_err());
    }

    proptest! {
        #[test]
        fn a_base_url_takes_a_path_behind_it(path in "(/[a-z.]{0,4}){0,3}") {
            let base = ApiUrl::parse(&format!("https://host{path}")).unwrap();
            prop_assert!(!base.as_str().ends_with('/'));
            let whole = format!("{base}/auth/connections");
            let read = Url::parse(&whole).unwrap();
            prop_assert_eq!(read.as_str(), whole.as_str());
            prop_assert!(whole.parse::<http::Uri>().is_ok());
        }
    }
}
