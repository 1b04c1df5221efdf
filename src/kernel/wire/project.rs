//! The array of `GET /org/projects`.

use std::borrow::Cow;

use serde::Deserialize;

use super::is_id;
use super::member::Member;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Project {
    pub id: Box<str>,
    /// `name`, which people know it by.
    pub name: Option<Box<str>>,
    /// `status` is not `archived`: archived projects stay in the list, and
    /// asking for them gives 404.
    pub active: bool,
}

impl Project {
    /// Reads the body. A project whose id cannot be read, or that no header
    /// could name, is one that cannot be asked for: its id is empty.
    pub(crate) fn list(body: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Row<'a> {
            #[serde(borrow, default)]
            id: Member<Cow<'a, str>>,
            #[serde(borrow, default)]
            name: Member<Cow<'a, str>>,
            #[serde(borrow, default)]
            status: Member<Cow<'a, str>>,
        }
        let text = String::from_utf8_lossy(body);
        let rows: Vec<Row<'_>> = serde_json::from_str(&text)?;
        let usable = |id: &&str| is_id(id) && http::HeaderValue::from_str(id).is_ok();
        let project = |row: &Row<'_>| Self {
            id: Some(row.id.or_empty())
                .filter(usable)
                .unwrap_or_default()
                .into(),
            name: Some(row.name.or_empty())
                .filter(|name| !name.is_empty())
                .map(Into::into),
            active: !row.status.or_empty().eq_ignore_ascii_case("archived"),
        };
        Ok(rows.iter().map(project).collect())
    }
}
