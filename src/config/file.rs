//! The config file: which keys there are, and where each value stands.

use std::fs::File as FsFile;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin, Position, Problem};
use super::key::{looks_like_key, reason};
use super::yaml::{self, Entry, Node, Value};

/// More is no config file, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

const ROOT: &[&str] = &["api", "accounts", "metrics", "collectors"];
const API: &[&str] = &[
    "url",
    "allow_http",
    "timeout",
    "concurrency",
    "cache",
    "hold",
    "quota_share",
    "ca_file",
    "max_connections",
    "timeline_requests",
];
const ACCOUNT: &[&str] = &[
    "name",
    "api_key_file",
    "api_key_env",
    "projects",
    "connections",
    "domains",
    "profiles",
];
const METRICS: &[&str] = &["states", "profile_name"];

/// One value as text, and where it was given.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

impl Setting {
    /// Reads it; an error names where it was given.
    pub(crate) fn read<T, P: Into<Problem>>(
        &self,
        parse: impl Fn(&str) -> Result<T, P>,
    ) -> Result<T, ConfigError> {
        parse(&self.text).map_err(|problem| self.origin.error(problem.into()))
    }
}

/// Several values, or the word that stands for all.
#[derive(Debug)]
pub(crate) enum Settings {
    /// A single value where a list may stand too.
    Word(Setting),
    List(Vec<Setting>),
}

/// A config file whose every key is known and given once.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    api: Section,
    metrics: Section,
    collectors: Section,
    accounts: Option<Vec<Section>>,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let origin = Origin::file(path);
        let problem = |text: String| origin.error(Problem::new(text));
        let mut bytes = Vec::new();
        FsFile::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| problem(format!("config file: {}", reason(error.kind()))))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(problem("config file: larger than 1 MiB".to_owned()));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| problem("config file: not UTF-8 text".to_owned()))?;
        Self::parse(path, &text)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let root = yaml::parse(text).map_err(|(position, problem)| {
            let origin = Origin::File {
                path: path.to_owned(),
                position,
                key: String::new(),
            };
            origin.error(problem)
        })?;
        let mut root = Section::of(path, "", root, ROOT)?;
        let api = root.section("api", API)?;
        let metrics = root.section("metrics", METRICS)?;
        let collectors = root.section("collectors", crate::model::Collector::LABELS)?;
        let accounts = root.sections("accounts", ACCOUNT)?;
        Ok(Self {
            path: path.to_owned(),
            api,
            metrics,
            collectors,
            accounts,
        })
    }

    /// What a path in the file means: relative ones start where the file is.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    pub(crate) fn api(&self, key: &str) -> Result<Option<Setting>, ConfigError> {
        self.api.value(key)
    }

    pub(crate) fn metrics(&self, key: &str) -> Result<Option<Setting>, ConfigError> {
        self.metrics.value(key)
    }

    pub(crate) fn collector(&self, key: &str) -> Result<Option<Setting>, ConfigError> {
        self.collectors.value(key)
    }

    /// The accounts, one or more; `None` when the file leaves them out.
    pub(crate) fn accounts(&self) -> Option<&[Section]> {
        self.accounts.as_deref()
    }
}

/// A mapping of the file.
#[derive(Debug)]
pub(crate) struct Section {
    path: PathBuf,
    /// The keys above, as in `accounts[0]`; empty for the root.
    key: String,
    position: Position,
    entries: Vec<Entry>,
}

impl Section {
    fn of(path: &Path, key: &str, node: Node, known: &[&str]) -> Result<Self, ConfigError> {
        let mut section = Self {
            path: path.to_owned(),
            key: key.to_owned(),
            position: node.position,
            entries: Vec::new(),
        };
        match node.value {
            Value::Map(entries) => section.entries = entries,
            // All keys commented out.
            Value::Null => return Ok(section),
            other => {
                let text = format!("must be a mapping of keys and values, not {}", other.kind());
                return Err(section.origin().error(Problem::new(text)));
            }
        }
        section.check_keys(known)?;
        Ok(section)
    }

    fn check_keys(&self, known: &[&str]) -> Result<(), ConfigError> {
        for (index, entry) in self.entries.iter().enumerate() {
            let error = |key: &str, text: String| {
                self.place(key, Some(entry.key_position))
                    .error(Problem::new(text))
            };
            if entry.key == "api_key" {
                let text = "a key does not stand in this file; name a file that holds it with \
                            api_key_file, or an environment variable with api_key_env";
                return Err(error("api_key", text.to_owned()));
            }
            if !known.contains(&entry.key.as_str()) {
                let text = format!("unknown key; known here: {}", known.join(", "));
                return Err(error(&shown_key(&entry.key), text));
            }
            let first = self.entries[..index]
                .iter()
                .find(|other| other.key == entry.key);
            if let Some(first) = first {
                let text = format!("given twice, first on line {}", first.key_position.line);
                return Err(error(&entry.key, text));
            }
        }
        Ok(())
    }

    fn section(&mut self, key: &str, known: &[&str]) -> Result<Self, ConfigError> {
        let node = self.take(key).unwrap_or(Node {
            value: Value::Null,
            position: self.position,
        });
        Self::of(&self.path, key, node, known)
    }

    fn sections(&mut self, key: &str, known: &[&str]) -> Result<Option<Vec<Self>>, ConfigError> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        let origin = self.place(key, Some(node.position));
        let items = match node.value {
            Value::List(items) if !items.is_empty() => items,
            Value::List(_) | Value::Null => {
                return Err(origin.error(Problem::fixed(
                    "no account in it; name one or more, or leave the key out",
                )));
            }
            other => {
                let text = format!("must be a list of accounts, not {}", other.kind());
                return Err(origin.error(Problem::new(text)));
            }
        };
        let read = |(index, item)| {
            let section = Self::of(&self.path, &format!("{key}[{index}]"), item, known)?;
            if section.entries.is_empty() {
                return Err(section
                    .origin()
                    .error(Problem::fixed("empty; an account has a name")));
            }
            Ok(section)
        };
        items
            .into_iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index).node)
    }

    fn find(&self, key: &str) -> Option<&Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.node)
    }

    /// One value.
    pub(crate) fn value(&self, key: &str) -> Result<Option<Setting>, ConfigError> {
        self.find(key).map(|node| self.text(key, node)).transpose()
    }

    /// A list of values, or a single one.
    pub(crate) fn values(&self, key: &str) -> Result<Option<Settings>, ConfigError> {
        let Some(node) = self.find(key) else {
            return Ok(None);
        };
        let Value::List(items) = &node.value else {
            return self.text(key, node).map(Settings::Word).map(Some);
        };
        if items.is_empty() {
            return Err(self.place(key, Some(node.position)).error(Problem::fixed(
                "an empty list; name one or more, or leave the key out",
            )));
        }
        let read = |(index, item)| self.text(&format!("{key}[{index}]"), item);
        let items = items
            .iter()
            .enumerate()
            .map(read)
            .collect::<Result<_, _>>()?;
        Ok(Some(Settings::List(items)))
    }

    fn text(&self, key: &str, node: &Node) -> Result<Setting, ConfigError> {
        let origin = self.place(key, Some(node.position));
        match &node.value {
            Value::Text(text) => Ok(Setting {
                text: text.clone(),
                origin,
            }),
            Value::Null => {
                Err(origin.error(Problem::fixed("no value; give one, or leave the key out")))
            }
            other => {
                let text = format!("must be a single value, not {}", other.kind());
                Err(origin.error(Problem::new(text)))
            }
        }
    }

    /// Where the section stands.
    pub(crate) fn origin(&self) -> Origin {
        self.place("", Some(self.position))
    }

    fn place(&self, key: &str, position: Option<Position>) -> Origin {
        let dot = if self.key.is_empty() || key.is_empty() {
            ""
        } else {
            "."
        };
        Origin::File {
            path: self.path.clone(),
            position,
            key: format!("{}{dot}{key}", self.key),
        }
    }
}

/// An unknown key, unless it could be a secret in the wrong place.
fn shown_key(key: &str) -> String {
    if looks_like_key(key) || key.len() > 64 {
        return "(not shown)".to_owned();
    }
    key.replace(char::is_control, "?")
}
