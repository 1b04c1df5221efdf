//! What is wrong with the configuration, where, and the exit code it earns.

use std::fmt;
use std::path::{Path, PathBuf};

use exporter_toolkit::yaml::Place;

use super::key::shown_path;

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the command line; the flag's name without its dashes.
    Flag(&'static str),
    /// In an environment variable, by name.
    Env(&'static str),
    /// In the config file; `key` with those above it, as in
    /// `accounts[0].name`, and empty for the file as a whole.
    File {
        path: PathBuf,
        place: Option<Place>,
        key: String,
    },
    /// Nowhere: a default, or something that is missing.
    Nowhere,
}

impl Origin {
    pub(crate) fn file(path: &Path, place: Option<Place>) -> Self {
        Self::File {
            path: path.to_owned(),
            place,
            key: String::new(),
        }
    }

    /// The flag or the variable, where it is one.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Flag(name) => Some(format!("--{name}")),
            Self::Env(name) => Some((*name).to_owned()),
            Self::File { .. } | Self::Nowhere => None,
        }
    }

    /// An error about what was given here. `problem` never holds the value
    /// itself: a key can be pasted anywhere.
    pub(crate) fn error(&self, problem: impl fmt::Display) -> ConfigError {
        let exit_code = match self {
            Self::Flag(_) | Self::Nowhere => 2,
            Self::Env(_) | Self::File { .. } => 1,
        };
        ConfigError {
            origin: self.clone(),
            problem: problem.to_string(),
            exit_code,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}: "),
            Self::Env(name) => write!(f, "{name}: "),
            Self::File { path, place, key } => {
                f.write_str(&shown_path(path))?;
                if let Some(place) = place {
                    write!(f, ":{place}")?;
                }
                f.write_str(": ")?;
                match key.as_str() {
                    "" => Ok(()),
                    key => write!(f, "{key}: "),
                }
            }
            Self::Nowhere => Ok(()),
        }
    }
}

/// The configuration cannot be used.
///
/// Displays as one line: where, what is wrong, what to do. It holds neither a
/// key nor any other value from the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}{problem}")]
pub(crate) struct ConfigError {
    origin: Origin,
    problem: String,
    exit_code: u8,
}

impl ConfigError {
    /// What the process exits with: 2 for usage (a flag, or no key at all), 1
    /// for the config file, the environment, and files that cannot be used.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The same with exit code 1: the flag is right, the file it names is not.
    pub(crate) fn about_a_file(self) -> Self {
        Self {
            exit_code: 1,
            ..self
        }
    }

    /// The same with exit code 2.
    pub(crate) fn about_usage(self) -> Self {
        Self {
            exit_code: 2,
            ..self
        }
    }
}
