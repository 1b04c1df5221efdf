//! What to look for, and where: projects and connections as the configuration
//! names them.

use thiserror::Error;

/// Why a text is no id, without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct InvalidId(&'static str);

/// Reads a project's id, for the header `X-Kernel-Project-Id`: visible ASCII.
pub(crate) fn project_id(text: &str) -> Result<Box<str>, InvalidId> {
    if is_id(text) && text.is_ascii() {
        return Ok(text.into());
    }
    Err(InvalidId(
        "not a project ID (a name will not do); it has 1 to 256 visible ASCII characters without \
         / \\ ? # %",
    ))
}

/// Reads a connection's id. The API calls it opaque; this much is certain: it
/// is one segment of a path, so not empty, not `.` or `..`, and without
/// `/ \ ? # %`, white space or control characters.
pub(crate) fn connection_id(text: &str) -> Result<Box<str>, InvalidId> {
    if is_id(text) {
        return Ok(text.into());
    }
    Err(InvalidId(
        "not a connection ID; it has 1 to 256 bytes without / \\ ? # %, spaces or control characters",
    ))
}

/// `.` and `..` would walk the path, and URL parsers read `\` as `/`.
fn is_id(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text != "."
        && text != ".."
        && !text.contains(|c: char| {
            matches!(c, '/' | '\\' | '?' | '#' | '%') || c.is_whitespace() || c.is_control()
        })
}

/// The projects of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Projects {
    /// No project header: what the key sees without one.
    Unscoped,
    /// These, by id, one or more, each once.
    Listed(Vec<Box<str>>),
    /// Every active one that `GET /org/projects` names.
    All,
}

/// The connections of a project. Names are compared as the API sends them,
/// before a profile name is hashed or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// These, by id, one or more, sorted, each once. Then there is at most one
    /// project.
    Ids(Vec<Box<str>>),
    /// Every one that matches one of `domains` and one of `profiles`, exactly;
    /// an empty list matches all.
    Every {
        /// `domain` is one of these.
        domains: Vec<Box<str>>,
        /// `profile_name` is one of these.
        profiles: Vec<Box<str>>,
    },
}

impl Default for Selection {
    /// Every connection.
    fn default() -> Self {
        Self::Every {
            domains: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

impl Selection {
    /// These connections.
    pub(crate) fn ids(mut ids: Vec<Box<str>>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Ids(ids)
    }

    /// Whether a connection with this id can be among them.
    pub(crate) fn wants_id(&self, id: &str) -> bool {
        match self {
            Self::Ids(ids) => ids.binary_search_by(|known| (**known).cmp(id)).is_ok(),
            Self::Every { .. } => true,
        }
    }

    /// Whether this connection is one of them.
    pub(crate) fn wants(&self, id: &str, domain: &str, profile: &str) -> bool {
        let among = |list: &[Box<str>], name: &str| {
            list.is_empty() || list.iter().any(|wanted| **wanted == *name)
        };
        match self {
            Self::Ids(_) => self.wants_id(id),
            Self::Every { domains, profiles } => among(domains, domain) && among(profiles, profile),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_is_one_segment_of_a_path(id in "\\PC{0,20}|[ -~]{0,4}") {
            if connection_id(&id).is_ok() {
                let url = reqwest::Url::parse(&format!("https://host/auth/connections/{id}")).unwrap();
                prop_assert_eq!(url.path_segments().unwrap().count(), 3, "{}", url);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
