//! One setting: where it can be given, what it is called there, and how it is
//! read from text.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::error::{ConfigError, Origin};
use super::key::{open, shown_path};
use crate::duration;

/// What the table says of a setting, whatever its type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The section of the help text.
    pub heading: &'static str,
    /// The flag, without its dashes.
    pub flag: Option<&'static str>,
    /// The key of the config file with those above it. Below `accounts` it
    /// stands in each account.
    pub key: Option<&'static str>,
    /// The variable. Set but empty, it counts as not set.
    pub env: Option<&'static str>,
    pub default: Option<&'static str>,
    /// What stands for the value in the help text; `None` for a switch, whose
    /// flag has a twin that begins with `no-`.
    pub value_name: Option<&'static str>,
    /// Whether there may be several: a flag given again, a list in the file.
    pub repeats: bool,
    /// The word that may stand in the file in place of a list.
    pub word: Option<&'static str>,
    /// What the type does not say of the values, as in `1 to 256`.
    pub bounds: Option<String>,
    pub help: &'static str,
    /// What only the docs say.
    pub note: &'static str,
}

impl Row {
    /// The default as the help text and the docs show it.
    pub(crate) fn shown_default(&self) -> Option<&'static str> {
        match (self.value_name, self.default) {
            (None, Some("true")) => Some("on"),
            (None, _) => Some("off"),
            (Some(_), default) => default,
        }
    }
}

/// One value as text, and where it was given.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub text: OsString,
    pub origin: Origin,
}

impl Text {
    /// Reads it; an error names where it was given.
    pub(crate) fn read<T, E: Display>(
        &self,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        parse(self.str()?).map_err(|problem| self.origin.error(problem))
    }

    pub(crate) fn str(&self) -> Result<&str, ConfigError> {
        let text = self.text.to_str();
        text.ok_or_else(|| self.origin.error("not UTF-8 text"))
    }

    /// What it names as a path. In the config file relative ones start where
    /// the file is.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.origin {
            Origin::File { path, .. } if !self.text.is_empty() => {
                path.parent().unwrap_or(Path::new("")).join(&self.text)
            }
            _ => PathBuf::from(&self.text),
        }
    }
}

type Read<T> = Box<dyn Fn(&[Text]) -> Result<T, ConfigError>>;

/// A row of the table, and how its texts become a `T`.
pub(super) struct Setting<T> {
    row: Row,
    read: Read<T>,
}

impl<T: 'static> Setting<T> {
    fn new(
        value_name: Option<&'static str>,
        read: impl Fn(&[Text]) -> Result<T, ConfigError> + 'static,
    ) -> Self {
        let row = Row {
            value_name,
            ..Row::default()
        };
        Self {
            row,
            read: Box::new(read),
        }
    }

    /// Reads what was given, else the default.
    pub(super) fn read(&self, mut given: Vec<Text>) -> Result<T, ConfigError> {
        if given.is_empty() {
            given.extend(self.row.default.map(|default| Text {
                text: default.into(),
                origin: Origin::Nowhere,
            }));
        }
        (self.read)(&given)
    }

    pub(super) fn row(&self) -> &Row {
        &self.row
    }

    pub(super) fn into_row(mut self, heading: &'static str) -> Row {
        self.row.heading = heading;
        self.row
    }

    fn repeating(mut self) -> Self {
        self.row.repeats = true;
        self
    }

    fn within(mut self, bounds: String) -> Self {
        self.row.bounds = Some(bounds);
        self
    }

    pub(super) fn flag(mut self, name: &'static str) -> Self {
        self.row.flag = Some(name);
        self
    }

    pub(super) fn key(mut self, key: &'static str) -> Self {
        self.row.key = Some(key);
        self
    }

    pub(super) fn env(mut self, name: &'static str) -> Self {
        self.row.env = Some(name);
        self
    }

    pub(super) fn default(mut self, text: &'static str) -> Self {
        self.row.default = Some(text);
        self
    }

    pub(super) fn or_word(mut self, word: &'static str) -> Self {
        self.row.word = Some(word);
        self
    }

    pub(super) fn help(mut self, text: &'static str) -> Self {
        self.row.help = text;
        self
    }

    pub(super) fn note(mut self, text: &'static str) -> Self {
        self.row.note = text;
        self
    }
}

/// What settings are read from.
pub(super) trait Source {
    /// What it says of a row; nothing when it says nothing.
    fn texts(&self, row: &Row) -> Result<Vec<Text>, ConfigError>;

    fn read<T: 'static>(&self, setting: &Setting<T>) -> Result<T, ConfigError> {
        setting.read(self.texts(setting.row())?)
    }
}

/// A value with a default.
pub(super) fn value<T: 'static, E: Display>(
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E> + 'static,
) -> Setting<T> {
    Setting::new(Some(name), move |texts| {
        let text = texts.last().expect("a setting of this kind has a default");
        text.read(&parse)
    })
}

/// A value that may be left out; empty is as good as that.
pub(super) fn optional<T: 'static, E: Display>(
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E> + 'static,
) -> Setting<Option<T>> {
    Setting::new(Some(name), move |texts| {
        let given = texts.last().filter(|text| !text.text.is_empty());
        given.map(|text| text.read(&parse)).transpose()
    })
}

/// A value within `bounds`; what `parse` has no words for is out of bounds.
fn bounded<T: PartialOrd + 'static, E: Display>(
    name: &'static str,
    bounds: RangeInclusive<T>,
    what: &'static str,
    show: fn(&T) -> String,
    parse: impl Fn(&str) -> Result<T, Option<E>> + 'static,
) -> Setting<T> {
    let (least, most) = (show(bounds.start()), show(bounds.end()));
    let words = format!("{least} to {most}");
    let parse = move |text: &str| match parse(text) {
        Ok(value) if bounds.contains(&value) => Ok(value),
        Err(Some(problem)) => Err(problem.to_string()),
        Ok(_) | Err(None) => Err(format!("must be {what}between {least} and {most}")),
    };
    value(name, parse).within(words)
}

/// A span of time.
pub(super) fn duration(bounds: RangeInclusive<Duration>) -> Setting<Duration> {
    let show = |span: &Duration| duration::format(*span);
    bounded("DURATION", bounds, "", show, |text| {
        duration::parse(text).map_err(Some)
    })
}

/// A whole number, written in digits.
pub(super) fn count<T>(bounds: RangeInclusive<T>) -> Setting<T>
where
    T: FromStr + PartialOrd + Display + 'static,
{
    bounded("N", bounds, "a whole number ", T::to_string, |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.ok_or(None::<String>)
    })
}

/// One of a closed list.
pub(super) fn one_of<T: Copy + 'static>(
    name: &'static str,
    all: &'static [T],
    labels: &'static [&'static str],
) -> Setting<T> {
    value(name, move |text: &str| {
        let index = labels.iter().position(|label| *label == text);
        index
            .map(|index| all[index])
            .ok_or_else(|| format!("must be one of: {}", labels.join(", ")))
    })
}

/// On or off.
pub(super) fn switch() -> Setting<bool> {
    Setting::new(None, |texts: &[Text]| match texts.last() {
        None => Ok(false),
        Some(text) => text.read(|text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false"),
        }),
    })
}

/// Several values, each once.
pub(super) fn list<T, E>(
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E> + 'static,
) -> Setting<Vec<T>>
where
    T: Clone + Eq + Hash + 'static,
    E: Display,
{
    Setting::new(Some(name), move |texts| each_once(texts, &parse)).repeating()
}

/// At most one text, read later.
pub(super) fn text(name: &'static str) -> Setting<Option<Text>> {
    Setting::new(Some(name), |texts| Ok(texts.last().cloned()))
}

/// Several texts, read later.
pub(super) fn texts(name: &'static str) -> Setting<Vec<Text>> {
    Setting::new(Some(name), |texts| Ok(texts.to_vec())).repeating()
}

/// A path, of a file that somebody else reads.
pub(super) fn path() -> Setting<Option<PathBuf>> {
    Setting::new(Some("FILE"), |texts: &[Text]| {
        let path = texts.last().map(Text::path);
        if path.as_deref() == Some(Path::new("")) {
            return Err(texts[0].origin.error("empty; give the path of a file"));
        }
        Ok(path)
    })
}

/// A path; empty is as good as left out.
pub(super) fn path_or_empty() -> Setting<Option<PathBuf>> {
    Setting::new(Some("FILE"), |texts: &[Text]| {
        let text = texts.last().filter(|text| !text.text.is_empty());
        Ok(text.map(Text::path))
    })
}

/// Whether the file that `text` names, if any, can be read now.
pub(super) fn readable(text: &Text) -> Result<(), ConfigError> {
    if text.text.is_empty() {
        return Ok(());
    }
    let path = text.path();
    let error = |what| {
        let shown = shown_path(&path);
        text.origin.error(format_args!("file {shown}: {what}"))
    };
    open(&path).map(drop).map_err(error)
}

/// Reads each; a value that was there before is an error.
pub(super) fn each_once<T: Clone + Eq + Hash, E: Display>(
    texts: &[Text],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, ConfigError> {
    let mut values = Vec::with_capacity(texts.len());
    let mut seen = HashSet::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        // Values of one flag have one origin: their number tells them apart.
        let which = match text.origin {
            Origin::Flag(_) if texts.len() > 1 => format!("value {}: ", index + 1),
            _ => String::new(),
        };
        let error = |problem: &dyn Display| text.origin.error(format!("{which}{problem}"));
        let value = parse(text.str()?).map_err(|problem| error(&problem))?;
        if !seen.insert(value.clone()) {
            return Err(error(&"given twice"));
        }
        values.push(value);
    }
    Ok(values)
}
