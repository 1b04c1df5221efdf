//! What to look for, and where: projects and connections as the configuration
//! names them.

/// Reads a project's id, for the header `X-Kernel-Project-Id`: visible ASCII.
/// Fails with words that do not repeat the text.
pub(crate) fn project_id(text: &str) -> Result<Box<str>, &'static str> {
    if text.contains(',') {
        return Err("one project ID at a time; repeat --kernel.project, or give the file a list");
    }
    if is_id(text) && text.is_ascii() {
        return Ok(text.into());
    }
    Err(
        "not a project ID (a name will not do); it has 1 to 256 visible ASCII characters without \
         / \\ ? # %",
    )
}

/// Reads a connection's id. The API calls it opaque; this much is certain: it
/// is one segment of a path, so not empty, not `.` or `..`, and without
/// `/ \ ? # %`, white space or control characters. Fails with words that do not
/// repeat the text.
pub(crate) fn connection_id(text: &str) -> Result<Box<str>, &'static str> {
    if is_id(text) {
        return Ok(text.into());
    }
    Err(
        "not a connection ID; it has 1 to 256 bytes without / \\ ? # %, spaces or control characters",
    )
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
        /// Not these, whatever the lists say. The API cannot leave any out: it
        /// is asked for all of them.
        exclude: Exclude,
    },
}

/// Connections that are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exclude {
    /// `domain` is one of these.
    pub domains: Vec<NamePattern>,
    /// `profile_name` is one of these.
    pub profiles: Vec<NamePattern>,
}

impl Exclude {
    fn has(&self, domain: &str, profile: &str) -> bool {
        let among = |list: &[NamePattern], name| list.iter().any(|pattern| pattern.matches(name));
        among(&self.domains, domain) || among(&self.profiles, profile)
    }
}

/// A name, or how names begin or end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NamePattern {
    Exactly(Box<str>),
    /// `tmp-*`.
    Beginning(Box<str>),
    /// `*.test`.
    Ending(Box<str>),
}

impl NamePattern {
    /// Whether `name` is one of those.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(text) => **text == *name,
            Self::Beginning(text) => name.starts_with(&**text),
            Self::Ending(text) => name.ends_with(&**text),
        }
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self::Every {
            domains: Vec::new(),
            profiles: Vec::new(),
            exclude: Exclude::default(),
        }
    }
}

impl Selection {
    pub(crate) fn ids(mut ids: Vec<Box<str>>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Ids(ids)
    }

    /// Whether connections that nobody has named can be among them.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Every { .. })
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
            Self::Every {
                domains,
                profiles,
                exclude,
            } => {
                among(domains, domain) && among(profiles, profile) && !exclude.has(domain, profile)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_excluded_is_so_whatever_is_named() {
        let selection = Selection::Every {
            domains: vec!["a.test".into(), "b.example".into()],
            profiles: Vec::new(),
            exclude: Exclude {
                domains: vec![NamePattern::Ending(".test".into())],
                profiles: vec![
                    NamePattern::Beginning("tmp-".into()),
                    NamePattern::Exactly("old".into()),
                ],
            },
        };
        let wants = |domain, profile| selection.wants("id", domain, profile);
        assert!(wants("b.example", "bot"));
        assert!(wants("b.example", "older") && wants("b.example", "a-tmp-"));
        assert!(!wants("a.test", "bot"), "excluded, though it is named");
        assert!(!wants("b.example", "tmp-1") && !wants("b.example", "tmp-"));
        assert!(!wants("b.example", "old"));
        assert!(!wants("c.example", "bot"), "not among the domains");
    }

    proptest! {
        #[test]
        fn an_id_is_one_segment_of_a_path(id in "\\PC{0,20}|[ -~]{0,4}") {
            if connection_id(&id).is_ok() {
                let url = url::Url::parse(&format!("https://host/auth/connections/{id}")).unwrap();
                prop_assert_eq!(url.path_segments().unwrap().count(), 3, "{}", url);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
