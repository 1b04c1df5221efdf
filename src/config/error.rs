//! What is wrong with the configuration, where, and the exit code it earns.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::key::shown_path;
use crate::model::InvalidId;

/// What is wrong with one value, and what would be right. Never the value
/// itself: a key can be pasted anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(Cow<'static, str>);

impl Problem {
    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }
}

impl From<InvalidId> for Problem {
    fn from(problem: InvalidId) -> Self {
        Self::new(problem.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line; the flag's name with its dashes.
    Flag(&'static str),
    /// In an environment variable, by name.
    Env(Cow<'static, str>),
    /// In the config file.
    File {
        /// The file.
        path: PathBuf,
        /// Where in it; `None` for the file as a whole.
        position: Option<Position>,
        /// The key with those above it, as in `accounts[0].name`; may be empty.
        key: String,
    },
    /// Nowhere: something is missing.
    Missing,
}

impl Origin {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File {
            path: path.to_owned(),
            position: None,
            key: String::new(),
        }
    }

    /// An error about what was given here.
    pub(crate) fn error(&self, problem: Problem) -> ConfigError {
        let exit_code = match self {
            Self::Flag(_) | Self::Missing => 2,
            Self::Env(_) | Self::File { .. } => 1,
        };
        ConfigError {
            origin: self.clone(),
            problem,
            exit_code,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Env(name) => f.write_str(name),
            Self::File {
                path,
                position,
                key,
            } => {
                f.write_str(&shown_path(path))?;
                if let Some(position) = position {
                    write!(f, ":{position}")?;
                }
                if key.is_empty() {
                    return Ok(());
                }
                write!(f, ": {key}")
            }
            Self::Missing => Ok(()),
        }
    }
}

/// The configuration cannot be used.
///
/// Displays as one line: where, what is wrong, what to do. It holds neither a
/// key nor any other value from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    origin: Origin,
    problem: Problem,
    exit_code: u8,
}

impl ConfigError {
    /// What the process exits with: 2 for usage (a flag, or no key at all), 1
    /// for the config file, the environment, and files that cannot be used.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The same with exit code 1: the flag is right, the file it names is not.
    pub(crate) fn about_a_file(mut self) -> Self {
        self.exit_code = 1;
        self
    }

    /// The same with exit code 2.
    pub(crate) fn about_usage(mut self) -> Self {
        self.exit_code = 2;
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Missing {
            write!(f, "{}: ", self.origin)?;
        }
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for ConfigError {}
