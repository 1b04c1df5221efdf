//! What is wrong with a web configuration, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::yaml::Problem;

/// What is wrong with a web configuration: `FILE:LINE:COLUMN: KEY: what`, in
/// one line.
///
/// Names keys and files, never another value: a password or key can stand in
/// any place by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfigError {
    file: PathBuf,
    problem: Problem,
}

impl WebConfigError {
    pub(super) fn new(file: &Path, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            problem,
        }
    }
}

impl std::error::Error for WebConfigError {}

impl fmt::Display for WebConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(place) = self.problem.place() {
            write!(f, "{place}:")?;
        }
        write!(f, " {}", self.problem)
    }
}
