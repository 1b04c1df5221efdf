//! Values that are right by construction, and how each is read from text.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::Url;

use super::error::Problem;
use crate::duration;

/// A text that was checked when it was read.
macro_rules! checked_text {
    ( $(#[$meta:meta])* $name:ident ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(String);

        impl $name {
            /// The text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// The label value `account`: 1 to 128 bytes without control characters.
    AccountName
}

impl AccountName {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
            return Err(Problem::fixed(
                "not an account name: 1 to 128 bytes without control characters",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The API's base URL: `http` or `https`, without trailing slash, user, query
/// or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiUrl(String);

impl ApiUrl {
    /// Refuses `http` to hosts other than this machine unless `allow_http`.
    pub(crate) fn parse(text: &str, allow_http: bool) -> Result<Self, Problem> {
        const SYNTAX: Problem =
            Problem::fixed("not a base URL; write it as in https://api.onkernel.com");
        if text.trim() != text {
            return Err(SYNTAX);
        }
        let url = Url::parse(text).map_err(|_| SYNTAX)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Problem::fixed(
                "the URL must begin with https:// (or http://)",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Problem::fixed(
                "the URL holds a user or password; take it out: the API takes a key only",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Problem::fixed(
                "the URL holds a query or fragment; take out all from ? or #",
            ));
        }
        if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
            return Err(Problem::fixed(
                "http:// would send the key in the clear to another machine; use https://, or allow \
                 it with --kernel.allow-http (api.allow_http in the config file)",
            ));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL without trailing slash: a path that begins with `/` may follow.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The part of the organisation's published limit that this exporter may use:
/// above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct QuotaShare(f64);

impl QuotaShare {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        text.parse()
            .ok()
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .map(Self)
            .ok_or(Problem::fixed(
                "not a share; write a number above 0 and up to 1, as in 0.5",
            ))
    }

    /// The share itself.
    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

/// The path that scrapes ask for. It is none of the paths this server has
/// already given away.
pub(crate) fn telemetry_path(text: &str) -> Result<String, Problem> {
    let legal = text.starts_with('/')
        && text.len() <= 256
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['?', '#', '%', '\\'])
        && !text.contains("//");
    if !legal {
        return Err(Problem::fixed(
            "not a path; write it as in /metrics: a leading /, visible ASCII without \\ ? # %",
        ));
    }
    if matches!(text, "/" | "/probe" | "/sd" | "/-") || text.starts_with("/-/") {
        return Err(Problem::fixed(
            "the path is taken; /, /probe, /sd and all under /-/ serve other things",
        ));
    }
    Ok(text.to_owned())
}

/// A domain, matched exactly by the API.
pub(crate) fn domain(text: &str) -> Result<Box<str>, Problem> {
    let legal = (1..=253).contains(&text.len())
        && !text.contains(|c: char| {
            matches!(c, '/' | ':' | '?' | '#' | '@') || c.is_whitespace() || c.is_control()
        });
    if legal {
        Ok(text.into())
    } else {
        Err(Problem::fixed(
            "not a domain; write the bare name, as in example.com, not a URL",
        ))
    }
}

/// A profile's name, matched exactly by the API.
pub(crate) fn profile(text: &str) -> Result<Box<str>, Problem> {
    if (1..=255).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(text.into())
    } else {
        Err(Problem::fixed(
            "not a profile name: 1 to 255 bytes without control characters",
        ))
    }
}

/// `true` or `false`.
pub(crate) fn boolean(text: &str) -> Result<bool, Problem> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::fixed("must be true or false")),
    }
}

/// A duration within `bounds`.
pub(crate) fn duration_in(
    bounds: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, Problem> {
    move |text| {
        let value = duration::parse(text).map_err(|error| Problem::new(error.to_string()))?;
        if bounds.contains(&value) {
            return Ok(value);
        }
        Err(Problem::new(format!(
            "must be between {} and {}",
            duration::format(*bounds.start()),
            duration::format(*bounds.end())
        )))
    }
}

/// A whole number within `bounds`.
pub(crate) fn count_in(bounds: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, Problem> {
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|value| digits && bounds.contains(value))
            .ok_or_else(|| {
                Problem::new(format!(
                    "must be a whole number between {} and {}",
                    bounds.start(),
                    bounds.end()
                ))
            })
    }
}

/// A whole number from 1 to `most`.
pub(crate) fn count_up_to(most: u32) -> impl Fn(&str) -> Result<NonZeroUsize, Problem> {
    move |text| {
        let count = count_in(1..=most)(text)?;
        let count = usize::try_from(count).expect("a usize has 32 bits or more");
        Ok(NonZeroUsize::new(count).expect("counts from 1"))
    }
}

/// One of a closed list.
pub(crate) fn one_of<T: Copy>(
    all: &'static [T],
    labels: &'static [&'static str],
) -> impl Fn(&str) -> Result<T, Problem> {
    move |text| {
        let index = labels.iter().position(|label| *label == text);
        index
            .map(|index| all[index])
            .ok_or_else(|| Problem::new(format!("must be one of: {}", labels.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.255.0.9",
            "[::1]",
            "2130706433",
        ] {
            let url = ApiUrl::parse(&format!("http://{host}:4010"), false);
            assert!(url.is_ok(), "{host}: {url:?}");
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
            let url = format!("http://{host}:4010");
            assert!(ApiUrl::parse(&url, false).is_err(), "{host}");
            assert!(ApiUrl::parse(&url, true).is_ok(), "{host}");
            assert!(
                ApiUrl::parse(&url.replace("http", "https"), false).is_ok(),
                "{host}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_base_url_takes_a_path_behind_it(path in "(/[a-z.]{0,4}){0,3}") {
            let base = ApiUrl::parse(&format!("https://host{path}"), false).unwrap();
            prop_assert!(!base.as_str().ends_with('/'));
            let whole = format!("{base}/auth/connections");
            let read = Url::parse(&whole).unwrap();
            prop_assert_eq!(read.as_str(), whole.as_str());
        }
    }
}
