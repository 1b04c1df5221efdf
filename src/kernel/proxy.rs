//! The proxy in front of the API, as the environment names it: the variables
//! that Go's programs read. One that is set but empty counts as not set.

use std::ffi::OsString;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

/// The way to `api`, unless it is direct. Fails where a variable should name a
/// proxy and does not.
pub(super) fn of_environment(api: &str) -> Result<Option<Intercept>, String> {
    of(api, |name| std::env::var_os(name)).map_err(|name| {
        format!(
            "{name}: not the URL of an http or https proxy; write it as in \
             http://proxy.example:3128, or unset the variable"
        )
    })
}

/// The same; its error is the variable.
fn of(
    api: &str,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Intercept>, &'static str> {
    let first = |names: &[&'static str]| {
        let mut set = names.iter().filter_map(|name| Some((*name, env(name)?)));
        set.find(|(_, value)| !value.is_empty())
    };
    let Ok(api) = api.parse::<Uri>() else {
        return Ok(None);
    };
    let named = match api.scheme_str() {
        Some("https") => first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
        _ => first(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
    };
    let Some((name, value)) = named else {
        return Ok(None);
    };
    let proxy = value.to_str().and_then(url).ok_or(name)?;
    let to_api = |direct: String| {
        let rules = Matcher::builder().all(proxy.as_str()).no(direct).build();
        rules.intercept(&api)
    };
    if to_api(String::new()).is_none() {
        return Err(name);
    }
    let direct = first(&["NO_PROXY", "no_proxy"]).map(|(_, list)| list);
    let direct = direct.and_then(|list| {
        let port = port(&api);
        let hosts = list.to_str()?.split(',');
        let hosts: Vec<_> = hosts.filter_map(|entry| host(entry, port)).collect();
        Some(hosts.join(","))
    });
    Ok(to_api(direct.unwrap_or_default()))
}

fn port(api: &Uri) -> u16 {
    api.port_u16().unwrap_or(match api.scheme_str() {
        Some("https") => 443,
        _ => 80,
    })
}

fn url(text: &str) -> Option<Url> {
    let has_scheme = text.contains("://");
    let text = if has_scheme {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// What an entry of `NO_PROXY` says of hosts: one with a port holds for that
/// port alone, which the matcher does not know.
fn host(entry: &str, port: u16) -> Option<&str> {
    let entry = entry.trim();
    let host = match entry.rsplit_once(':') {
        // Not a colon within an IPv6 address.
        Some((host, named)) if !host.contains(':') || host.ends_with(']') => {
            if named.parse() != Ok(port) {
                return None;
            }
            host
        }
        _ => entry,
    };
    Some(host.trim_matches(['[', ']']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(api: &str, variables: &[(&str, &str)]) -> Result<bool, String> {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let proxy = of(api, env).map_err(str::to_owned)?;
        Ok(proxy.is_some())
    }

    #[test]
    fn the_first_that_is_not_empty_counts_and_must_be_a_proxy() {
        let api = "https://api.example";
        assert_eq!(named(api, &[]), Ok(false));
        assert_eq!(named(api, &[("HTTPS_PROXY", "")]), Ok(false));
        assert_eq!(named(api, &[("HTTP_PROXY", "http://p")]), Ok(false));
        for url in [
            "http://p:3128",
            "https://u:p@p",
            "p.example:3128",
            "10.0.0.1:1",
        ] {
            assert_eq!(
                named(api, &[("HTTPS_PROXY", ""), ("https_proxy", url)]),
                Ok(true)
            );
            assert_eq!(named(api, &[("ALL_PROXY", url)]), Ok(true), "{url}");
        }
        for url in [
            "http://",
            "socks5://p:1080",
            "http://p:port",
            "://",
            "p p",
            "http://u:s3cret@",
        ] {
            let error = named(api, &[("https_proxy", url)]).unwrap_err();
            assert_eq!(error, "https_proxy");
        }
    }

    #[test]
    fn an_entry_with_a_port_holds_for_it_alone() {
        for (entry, expected) in [
            ("a.example", Some("a.example")),
            (" .a.example:443 ", Some(".a.example")),
            ("a.example:8443", None),
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("[::1]:443", Some("::1")),
            ("[::1]:80", None),
            ("*", Some("*")),
        ] {
            assert_eq!(host(entry, 443), expected, "{entry}");
        }
    }
}
