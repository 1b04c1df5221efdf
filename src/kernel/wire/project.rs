//! The array of `GET /org/projects`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::is_id;
use super::member::Member;
use super::row::readable;
use crate::model::bound_label;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        let rows: Vec<&RawValue> = serde_json::from_str(&text)?;
        let usable = |id: &&str| is_id(id) && http::HeaderValue::from_str(id).is_ok();
        let project = |row: &Row<'_>| Self {
            id: Some(row.id.or_empty())
                .filter(usable)
                .unwrap_or_default()
                .into(),
            name: Some(row.name.or_empty())
                .filter(|name| !name.is_empty())
                .map(|name| bound_label(name).into()),
            active: !row.status.or_empty().eq_ignore_ascii_case("archived"),
        };
        // One that cannot be read does not lose the others.
        let read = |row: &&RawValue| {
            let read = |text: &str| {
                serde_json::from_str::<Row<'_>>(text)
                    .ok()
                    .as_ref()
                    .map(project)
            };
            let text = row.get();
            let readable = || read(&readable(text)?);
            read(text).or_else(readable).unwrap_or_default()
        };
        Ok(rows.iter().map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_project_does_not_lose_the_others() {
        let long = "x".repeat(5_000);
        let body = format!(
            r#"[null, {{"id":"a","name":"A"}}, {{"id":"b","name":"B \ud83d"}}, 7,
                {{"id":"c","name":"{long}","status":"archived"}}, {{"id":1e999}}]"#
        );
        let read = Project::list(body.as_bytes()).unwrap();
        let ids: Vec<&str> = read.iter().map(|project| &*project.id).collect();
        assert_eq!(ids, ["", "a", "b", "", "c", ""]);
        let names: Vec<_> = read.iter().map(|project| project.name.as_deref()).collect();
        assert_eq!((names[1], names[2]), (Some("A"), None));
        assert_eq!(names[4].map(str::len), Some(256), "a label's length");
        assert!(!read[4].active);
        assert!(Project::list(b"{}").is_err());
    }
}
