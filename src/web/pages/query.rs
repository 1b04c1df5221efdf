//! What the page's address asks for.

use crate::model::{Attention, Scope, vocabulary};

/// Longer texts are cut: no name is.
const MAX_TEXT: usize = 256;

/// What to show of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Query {
    /// Only connections of this account.
    pub(super) account: Option<String>,
    /// Only connections of this project.
    pub(super) project: Option<String>,
    /// Only connections with this somewhere in their names; empty: all.
    pub(super) text: String,
    /// Only connections that need this.
    pub(super) level: Option<Attention>,
    pub(super) sort: Sort,
    /// From 1.
    pub(super) page: usize,
    /// The page does not refresh by itself.
    pub(in crate::web) paused: bool,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: Column,
    pub(super) descending: bool,
}

vocabulary! {
    /// What can be sorted by, as addresses name it.
    #[derive(Default)]
    Column {
        /// Who needs a person, and how soon.
        #[default]
        Attention = "attention",
        Left = "left",
        Profile = "profile",
        Domain = "domain",
        Checked = "checked",
    }
}

impl Column {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Attention => "Status",
            Self::Left => "Time left",
            Self::Profile => "Profile",
            Self::Domain => "Domain",
            Self::Checked => "Last auth check",
        }
    }
}

impl Sort {
    /// As addresses name it; backwards with a minus sign.
    pub(super) fn slug(self) -> String {
        let sign = if self.descending { "-" } else { "" };
        format!("{sign}{}", self.column)
    }

    fn read(text: &str) -> Option<Self> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let mut columns = Column::ALL.iter().copied();
        let column = columns.find(|column| column.as_str() == name)?;
        Some(Self { column, descending })
    }
}

impl Query {
    /// `account=`, `project=`, `q=`, `status=`, `sort=`, `page=`, `refresh=`. What
    /// cannot be read is as if it were not there: somebody may have typed it.
    pub(in crate::web) fn read(query: &str) -> Self {
        let mut read = Self {
            page: 1,
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "account" => read.account = Some(value.into_owned()),
                "project" => read.project = Some(value.into_owned()),
                "q" => {
                    let text = value.trim();
                    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
                    text.trim_end().clone_into(&mut read.text);
                }
                "status" => {
                    let mut levels = Attention::ALL.iter().copied();
                    read.level = levels.find(|level| level.as_str() == value);
                }
                "sort" => read.sort = Sort::read(&value).unwrap_or_default(),
                "page" => read.page = value.parse().unwrap_or(1).max(1),
                "refresh" => read.paused = value == "0",
                _ => {}
            }
        }
        read
    }

    /// The address of the page that shows this.
    pub(super) fn link(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.place() {
            query.append_pair(name, value);
        }
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(level) = self.level {
            query.append_pair("status", level.as_str());
        }
        if self.sort != Sort::default() {
            query.append_pair("sort", &self.sort.slug());
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        if self.paused {
            query.append_pair("refresh", "0");
        }
        format!("?{}", query.finish())
    }

    /// The account and the project, as addresses name them.
    pub(super) fn place(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let place = [("account", &self.account), ("project", &self.project)];
        place
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// The first page of what is in `scope`.
    pub(super) fn within(&self, scope: &Scope) -> Self {
        Self {
            account: scope.account().map(str::to_owned),
            project: scope.project().map(str::to_owned),
            page: 1,
            ..self.clone()
        }
    }

    /// The first page of the same in every account and project.
    pub(super) fn anywhere(&self) -> Self {
        Self {
            account: None,
            project: None,
            page: 1,
            ..self.clone()
        }
    }

    /// The same with another level, from the first page on.
    pub(super) fn with_level(&self, level: Option<Attention>) -> Self {
        Self {
            level,
            page: 1,
            ..self.clone()
        }
    }

    pub(super) fn with_page(&self, page: usize) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }

    /// The same by a column, from the first page on; backwards where it is by
    /// that column already.
    pub(super) fn sorted_by(&self, column: Column) -> Self {
        let descending = self.sort.column == column && !self.sort.descending;
        Self {
            sort: Sort { column, descending },
            page: 1,
            ..self.clone()
        }
    }

    /// Every connection of the place, in the same order.
    pub(super) fn everything(&self) -> Self {
        Self {
            text: String::new(),
            ..self.with_level(None)
        }
    }

    /// Whether everything of the place is shown.
    pub(super) fn is_everything(&self) -> bool {
        self.text.is_empty() && self.level.is_none()
    }
}

/// The page of the fleet, from any page.
pub(super) const fn home(paused: bool) -> &'static str {
    if paused { "./?refresh=0" } else { "./" }
}

/// `link`, which has a query string, to the page as it stands.
pub(super) fn without_refresh(link: &str) -> String {
    let sign = if link.ends_with('?') { "" } else { "&" };
    format!("{link}{sign}refresh=0")
}

/// `link`, to the page that refreshes by itself.
pub(super) fn with_refresh(link: &str) -> &str {
    let link = link.strip_suffix("refresh=0").unwrap_or(link);
    link.strip_suffix('&').unwrap_or(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_links_to() {
        let text = "project=p+1&account=main&q=a+%26+b&status=needs-login&sort=-domain&page=3&refresh=0&other=x";
        let query = Query::read(text);
        assert_eq!(query.project.as_deref(), Some("p 1"));
        assert_eq!(query.text, "a & b");
        assert_eq!(query.level, Some(Attention::NeedsPerson));
        assert_eq!(query.sort.column, Column::Domain);
        assert!(query.sort.descending && query.paused);
        assert_eq!(query.page, 3);
        assert_eq!(Query::read(&query.link()[1..]), query);
    }

    #[test]
    fn each_link_keeps_the_rest() {
        let query = Query::read("q=x&status=waiting&page=2&refresh=0");
        let level = query.with_level(Some(Attention::Fine));
        assert_eq!(level.link(), "?q=x&status=logged-in&refresh=0");
        let sorted = query.sorted_by(Column::Profile);
        assert_eq!(sorted.link(), "?q=x&status=waiting&sort=profile&refresh=0");
        let back = sorted.sorted_by(Column::Profile);
        assert_eq!(back.link(), "?q=x&status=waiting&sort=-profile&refresh=0");
        assert_eq!(query.with_page(1).link(), "?q=x&status=waiting&refresh=0");
        assert_eq!(back.everything().link(), "?sort=-profile&refresh=0");
        let placed = Query::read("project=p&q=x&page=2&status=waiting");
        assert_eq!(placed.everything().link(), "?project=p");
        assert_eq!(placed.anywhere().link(), "?q=x&status=waiting");
        for link in ["?", "?q=x", "connection?id=a"] {
            assert_eq!(with_refresh(&without_refresh(link)), link);
        }
    }

    #[test]
    fn nonsense_shows_everything() {
        for text in ["", "page=0", "page=-1", "page=x&status=x&sort=x", "q=++"] {
            let query = Query::read(text);
            assert!(query.is_everything() && query.page == 1, "{text}");
            assert_eq!(query.link(), "?");
        }
        let long = format!("q={}", "ü".repeat(1_000));
        assert!(Query::read(&long).text.len() <= MAX_TEXT);
    }
}
