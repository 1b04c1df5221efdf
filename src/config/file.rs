//! The config file: known keys only, each given once, every value with its
//! place.

use std::fmt::Display;
use std::fs::File as FsFile;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use exporter_toolkit::yaml;

use super::error::{ConfigError, Origin};
use super::key::reason;
use super::setting::{Row, Source, Text};
use super::yaml::{Node, Value, kind, text};
use crate::redact;

/// More is no config file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The one section that is a list of sections.
const ACCOUNTS: &str = "accounts";

/// A config file whose every key is known and given once.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    source: String,
    root: Node,
}

impl File {
    /// Reads it; `rows` are the settings that may stand in it.
    pub(super) fn read(path: &Path, rows: &[Row]) -> Result<Self, ConfigError> {
        let error = |what: String| {
            let origin = Origin::file(path, None);
            origin.error(format_args!("config file: {what}"))
        };
        let mut bytes = Vec::new();
        FsFile::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|problem| error(reason(problem.kind())))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(error("larger than 1 MiB".to_owned()));
        }
        let source = String::from_utf8(bytes).map_err(|_| error("not UTF-8 text".to_owned()))?;
        let root = yaml::from_str(&source).map_err(|problem| {
            let what = redact::guessed(&problem.to_string());
            Origin::file(path, problem.place()).error(what)
        })?;
        let file = Self {
            path: path.to_owned(),
            source,
            root,
        };
        file.root().check(rows, "")?;
        Ok(file)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// All of it.
    pub(super) fn root(&self) -> Entry<'_> {
        Entry {
            file: self,
            node: &self.root,
            key: String::new(),
        }
    }

    /// The accounts, one or more; `None` when the file leaves them out.
    pub(super) fn accounts(&self) -> Option<Vec<Entry<'_>>> {
        self.root().get(ACCOUNTS)?.items()
    }
}

/// A node and the keys that lead to it, as in `accounts[0].name`.
pub(super) struct Entry<'a> {
    file: &'a File,
    node: &'a Node,
    key: String,
}

impl<'a> Entry<'a> {
    fn to(&self, key: &str, node: &'a Node) -> Self {
        let dot = if self.key.is_empty() || key.starts_with('[') {
            ""
        } else {
            "."
        };
        Self {
            file: self.file,
            node,
            key: format!("{}{dot}{key}", self.key),
        }
    }

    /// What stands below, at one key or several with dots between.
    fn get(&self, path: &str) -> Option<Self> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let Some(Value::Map(entries)) = self.node.value() else {
            return None;
        };
        let (_, node) = entries.iter().find(|(key, _)| key.text() == Some(first))?;
        let below = self.to(first, node);
        match rest {
            Some(rest) => below.get(rest),
            None => Some(below),
        }
    }

    fn items(&self) -> Option<Vec<Self>> {
        let Some(Value::List(items)) = self.node.value() else {
            return None;
        };
        let items = items.iter().enumerate();
        Some(
            items
                .map(|(index, item)| self.to(&format!("[{index}]"), item))
                .collect(),
        )
    }

    fn origin(&self) -> Origin {
        Origin::File {
            path: self.file.path.clone(),
            place: self.node.place(),
            key: self.key.clone(),
        }
    }

    pub(super) fn error(&self, problem: impl Display) -> ConfigError {
        self.origin().error(problem)
    }

    fn text(&self) -> Result<Text, ConfigError> {
        match text(self.node, &self.file.source) {
            Some(text) => Ok(Text {
                text: text.to_owned().into(),
                origin: self.origin(),
            }),
            None if self.node.value().is_none() => {
                Err(self.error("no value; give one, or leave the key out"))
            }
            None => {
                let kind = kind(self.node);
                Err(self.error(format_args!("must be a single value, not {kind}")))
            }
        }
    }

    /// Looks at every key of the mapping here, which stands at `path` in the
    /// table, and at those of the mappings in it.
    fn check(&self, rows: &[Row], path: &str) -> Result<(), ConfigError> {
        let entries = match self.node.value() {
            Some(Value::Map(entries)) => entries,
            // All keys commented out.
            None => return Ok(()),
            Some(_) => {
                let kind = kind(self.node);
                return Err(self.error(format_args!(
                    "must be a mapping of keys and values, not {kind}"
                )));
            }
        };
        let known = keys_below(rows, path);
        for (key, node) in entries {
            let error = |shown: &str, problem: &dyn Display| {
                let mut origin = self.to(shown, node).origin();
                if let Origin::File { place, .. } = &mut origin {
                    *place = key.place();
                }
                origin.error(problem)
            };
            let name = key.text().unwrap_or_default();
            if name == "api_key" {
                return Err(error(
                    name,
                    &"the key itself does not belong in this file; name a file that holds it with \
                      api_key_file, or an environment variable with api_key_env",
                ));
            }
            if !known.contains(&name) {
                let known = known.join(", ");
                return Err(error(
                    &shown_key(name),
                    &format_args!("unknown key; expected one of: {known}"),
                ));
            }
        }
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            let place = self.to(name, node);
            let path = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            if path == ACCOUNTS {
                place.check_accounts(rows)?;
            } else if !keys_below(rows, &path).is_empty() {
                place.check(rows, &path)?;
            }
        }
        Ok(())
    }

    fn check_accounts(&self, rows: &[Row]) -> Result<(), ConfigError> {
        if self.node.value().is_none() {
            return Err(self.error("no account in it; name one or more, or leave the key out"));
        }
        let Some(accounts) = self.items() else {
            let kind = kind(self.node);
            return Err(self.error(format_args!("must be a list of accounts, not {kind}")));
        };
        if accounts.is_empty() {
            return Err(self.error("no account in it; name one or more, or leave the key out"));
        }
        for account in accounts {
            account.check(rows, ACCOUNTS)?;
            let empty = match account.node.value() {
                Some(Value::Map(entries)) => entries.is_empty(),
                _ => true,
            };
            if empty {
                return Err(account.error("empty; an account needs a name"));
            }
        }
        Ok(())
    }
}

impl Source for Entry<'_> {
    /// What stands at the row's key, seen from here.
    fn texts(&self, row: &Row) -> Result<Vec<Text>, ConfigError> {
        let key = row.key.map(|key| {
            let below = key
                .strip_prefix(ACCOUNTS)
                .and_then(|key| key.strip_prefix('.'));
            below.unwrap_or(key)
        });
        let Some(place) = key.and_then(|key| self.get(key)) else {
            return Ok(Vec::new());
        };
        if !row.repeats {
            return Ok(vec![place.text()?]);
        }
        match place.items() {
            Some(items) if items.is_empty() => {
                Err(place.error("an empty list; name one or more, or leave the key out"))
            }
            Some(items) => items.iter().map(Self::text).collect(),
            None => {
                let text = place.text()?;
                match row.word {
                    Some(word) if text.text == word => Ok(vec![text]),
                    Some(word) => Err(place.error(format_args!(
                        "must be a list, as in [one, two], or the word {word}"
                    ))),
                    None => Err(place.error("must be a list, as in [one, two]")),
                }
            }
        }
    }
}

/// The keys that may stand in the mapping at `path`.
fn keys_below<'a>(rows: &'a [Row], path: &str) -> Vec<&'a str> {
    let mut keys = Vec::new();
    for key in rows.iter().filter_map(|row| row.key) {
        let below = match path {
            "" => Some(key),
            path => key.strip_prefix(path).and_then(|key| key.strip_prefix('.')),
        };
        let first = below.and_then(|below| below.split('.').next());
        if let Some(first) = first.filter(|first| !keys.contains(first)) {
            keys.push(first);
        }
    }
    keys
}

/// An unknown key, unless it could be a secret in the wrong place.
fn shown_key(key: &str) -> String {
    if redact::looks_like_key(key) || key.len() > 64 {
        return "(not shown)".to_owned();
    }
    key.replace(char::is_control, "?")
}
