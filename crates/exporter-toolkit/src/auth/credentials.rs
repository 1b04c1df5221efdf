//! `Authorization: Basic`, as Go's `http.Request.BasicAuth` reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

/// A name and a password as claimed. Bytes: nothing says they are UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

impl Credentials {
    /// `None` when the header is absent, repeated or not of this form.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let value = given.next()?.as_bytes();
        if given.next().is_some() {
            // Which of them a proxy in front has looked at, nobody knows.
            return None;
        }
        let (scheme, encoded) = value.split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let mut user = STANDARD.decode(encoded).ok()?;
        let colon = user.iter().position(|byte| *byte == b':')?;
        let password = user.split_off(colon + 1);
        user.pop();
        Some(Self { user, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().expect("a value"));
        Credentials::of(&headers).map(|found| (found.user, found.password))
    }

    fn basic(plain: &str) -> String {
        format!("Basic {}", STANDARD.encode(plain))
    }

    #[test]
    fn the_first_colon_divides() {
        let pair = |user: &str, password: &str| Some((user.into(), password.into()));
        assert_eq!(of(&basic("alice:secret")), pair("alice", "secret"));
        assert_eq!(of(&basic("alice:a:b")), pair("alice", "a:b"));
        assert_eq!(of(&basic(":")), pair("", ""));
        assert_eq!(of("bAsIc YTpi"), pair("a", "b"));
    }

    #[test]
    fn anything_else_is_nothing() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic YTpi=",
            "Basic  YTpi",
            "Basic YT pi",
            "Bearer YTpi",
            "BasicYTpi",
            "Basic YWI=",
        ] {
            assert_eq!(of(value), None, "{value:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(Credentials::of(&headers), None);
        headers.append(
            header::AUTHORIZATION,
            "Basic YTpi".parse().expect("a value"),
        );
        headers.append(
            header::AUTHORIZATION,
            "Basic YTpi".parse().expect("a value"),
        );
        assert_eq!(Credentials::of(&headers), None);
    }
}
