//! What is written, and how.

use super::negotiate::Format;
use crate::model::{CollectorSet, States};

/// What to write, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Families of other collectors are left out.
    pub collectors: CollectorSet,
    /// Which series an enum gets.
    pub states: States,
    pub format: Format,
    /// Whether it is compressed, as RFC 1952 says.
    pub gzip: bool,
}
