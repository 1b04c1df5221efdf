//! What a failed login or a missing re-login means, and what to do: the one
//! table, `alerts/remedies.json`, which runbooks and boards have their texts
//! from as well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::{ErrorCode, ReauthReason};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remedy {
    pub meaning: String,
    #[serde(rename = "remedy")]
    pub advice: String,
    /// Of Kernel's own program, with `<id>` for the connection's.
    pub command: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    error_code: BTreeMap<String, Remedy>,
    can_reauth_reason: BTreeMap<String, Remedy>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = include_str!("../alerts/remedies.json");
    serde_json::from_str(text).expect("the file of this build, as a test holds")
});

impl Remedy {
    /// Of the error that ended a login.
    pub(crate) fn of_error(code: ErrorCode) -> Option<&'static Self> {
        TABLE.error_code.get(code.as_str())
    }

    /// Of the reason that lets a connection log in again unattended or does
    /// not.
    pub(crate) fn of_reason(reason: ReauthReason) -> Option<&'static Self> {
        TABLE.can_reauth_reason.get(reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_reason_has_a_remedy_and_nothing_else_does() {
        let names =
            |table: &BTreeMap<String, Remedy>| -> Vec<String> { table.keys().cloned().collect() };
        let sorted = |labels: &[&str]| {
            let mut labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
            labels.sort();
            labels
        };
        assert_eq!(names(&TABLE.error_code), sorted(ErrorCode::LABELS));
        assert_eq!(
            names(&TABLE.can_reauth_reason),
            sorted(ReauthReason::LABELS)
        );
    }

    #[test]
    fn every_text_is_a_sentence_and_every_command_one_of_kernel() {
        for remedy in TABLE
            .error_code
            .values()
            .chain(TABLE.can_reauth_reason.values())
        {
            assert!(remedy.meaning.ends_with('.'), "{remedy:?}");
            assert!(remedy.advice.ends_with('.'), "{remedy:?}");
            assert!(remedy.command.starts_with("kernel "), "{remedy:?}");
        }
    }
}
