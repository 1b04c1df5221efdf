//! Connections, as the API tells of them.

use crate::kernel::Decoder;
use crate::model::{Connection, ProfileNameMode, Scope, Selection};

/// Everything in the array `body`.
pub(crate) fn listed(body: &str) -> Vec<Connection> {
    let (scope, selection) = (Scope::default(), Selection::default());
    let decoder = Decoder {
        scope: &scope,
        profile_names: ProfileNameMode::Keep,
        selection: &selection,
        marks: false,
    };
    decoder.list(body.as_bytes()).unwrap().connections
}
