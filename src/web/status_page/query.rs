//! What the page's address asks for.

use crate::model::Attention;

/// Longer texts are cut: no name is.
const MAX_TEXT: usize = 256;

/// What to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Query {
    /// Only connections with this somewhere in their names; empty: all.
    pub(super) text: String,
    /// Only connections that need this.
    pub(super) level: Option<Attention>,
    /// From 1.
    pub(super) page: usize,
}

impl Query {
    /// `q=`, `status=`, `page=`. What cannot be read is as if it were not
    /// there: somebody may have typed it.
    pub(in crate::web) fn read(query: &str) -> Self {
        let mut read = Self {
            page: 1,
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "q" => {
                    let text = value.trim();
                    text[..text.floor_char_boundary(MAX_TEXT)].clone_into(&mut read.text);
                }
                "status" => {
                    let mut levels = Attention::ALL.iter().copied();
                    read.level = levels.find(|level| slug(*level) == value);
                }
                "page" => read.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        read
    }

    /// The address of the same with another status or page.
    pub(super) fn link(&self, level: Option<Attention>, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(level) = level {
            query.append_pair("status", slug(level));
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        format!("?{}", query.finish())
    }

    /// Whether everything is shown.
    pub(super) fn is_everything(&self) -> bool {
        self.text.is_empty() && self.level.is_none()
    }
}

/// A level as addresses name it.
pub(super) const fn slug(level: Attention) -> &'static str {
    match level {
        Attention::Waiting => "waiting",
        Attention::NeedsPerson => "needs-login",
        Attention::NeedsAuth => "logged-out",
        Attention::Unknown => "unknown",
        Attention::Fine => "logged-in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_links_to() {
        let query = Query::read("q=a+%26+b&status=needs-login&page=3&other=x");
        assert_eq!(query.text, "a & b");
        assert_eq!(query.level, Some(Attention::NeedsPerson));
        assert_eq!(query.page, 3);
        assert_eq!(Query::read(&query.link(query.level, 3)[1..]), query);
    }

    #[test]
    fn nonsense_shows_everything() {
        for text in ["", "page=0", "page=-1", "page=x&status=x", "q=++"] {
            let query = Query::read(text);
            assert!(query.is_everything() && query.page == 1, "{text}");
        }
        let long = format!("q={}", "ü".repeat(1_000));
        assert!(Query::read(&long).text.len() <= MAX_TEXT);
    }
}
