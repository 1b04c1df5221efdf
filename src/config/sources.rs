//! Where settings come from. Later wins: defaults, config file, environment,
//! flags.

use std::collections::HashMap;
use std::ffi::OsString;

use super::error::{ConfigError, Origin};
use super::file::File;
use super::setting::{Row, Source, Text};

/// What was given on the command line: the values of each flag, by its name
/// without dashes, in order. A switch has `true` or `false`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(HashMap<&'static str, Vec<OsString>>);

impl Flags {
    /// Adds what was given later: of a flag that repeats all count, of others
    /// the last.
    pub(crate) fn add(&mut self, name: &'static str, values: impl IntoIterator<Item = OsString>) {
        self.0.entry(name).or_default().extend(values);
    }

    /// The values of a flag; none when it was not given.
    pub(crate) fn values(&self, name: &str) -> &[OsString] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Environment variables, so that tests bring their own.
pub(crate) type Env<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The environment of this process: `load(&flags, &process_env)`.
pub(crate) fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A variable's value; empty is as good as not set.
pub(super) fn variable(env: &Env<'_>, name: &str) -> Option<OsString> {
    env(name).filter(|value| !value.is_empty())
}

/// Everything that can hold a setting.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) flags: &'a Flags,
    pub(super) env: &'a Env<'a>,
    pub(super) file: Option<&'a File>,
}

impl Source for Sources<'_> {
    fn texts(&self, row: &Row) -> Result<Vec<Text>, ConfigError> {
        if let Some(flag) = row.flag {
            let given = self.flags.values(flag);
            if !given.is_empty() {
                let text = |text: &OsString| Text {
                    text: text.clone(),
                    origin: Origin::Flag(flag),
                };
                return Ok(given.iter().map(text).collect());
            }
        }
        if let Some(name) = row.env
            && let Some(text) = variable(self.env, name)
        {
            let origin = Origin::Env(name);
            return Ok(vec![Text { text, origin }]);
        }
        self.file
            .map_or(Ok(Vec::new()), |file| file.root().texts(row))
    }
}
