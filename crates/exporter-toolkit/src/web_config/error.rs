//! What is wrong with a web configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_saphyr::Location;

/// What is wrong with a web configuration: `FILE:LINE:COLUMN: KEY: what`.
///
/// Names keys and files, never another value: a password or key can stand in
/// any place by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfigError {
    file: PathBuf,
    problem: Problem,
}

impl std::error::Error for WebConfigError {}

impl fmt::Display for WebConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.problem.position {
            write!(f, "{line}:{column}:")?;
        }
        if let Some(key) = &self.problem.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.problem.what)
    }
}

/// An error that does not know its file yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    position: Option<(u64, u64)>,
    key: Option<String>,
    what: String,
}

impl Problem {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self {
            position: None,
            key: None,
            what: what.to_string(),
        }
    }

    /// With the key it concerns, as `section.key`.
    pub(super) fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// With the place in the file.
    pub(super) fn at(mut self, location: Location) -> Self {
        // A location that is not known reads as line 0.
        self.position = (location.line() > 0).then(|| (location.line(), location.column()));
        self
    }

    pub(super) fn in_file(self, file: &Path) -> WebConfigError {
        WebConfigError {
            file: file.to_owned(),
            problem: self,
        }
    }
}
