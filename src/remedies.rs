//! What a failed login or a missing re-login means, and what to do: the one
//! table, `alerts/remedies.json`, which runbooks and boards have their texts
//! from as well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::{ErrorCode, FlowStep, ReauthReason};

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
    flow_step: BTreeMap<String, Remedy>,
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

    /// Of the step at which a live login waits for a person.
    pub(crate) fn of_step(step: FlowStep) -> Option<&'static Self> {
        TABLE.flow_step.get(step.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &BTreeMap<String, Remedy>) -> Vec<String> {
        table.keys().cloned().collect()
    }

    #[test]
    fn every_code_and_reason_has_a_remedy_and_nothing_else_does() {
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
    fn a_login_that_waits_has_a_remedy_and_no_other_has() {
        let waits = [FlowStep::AwaitingExternalAction, FlowStep::AwaitingInput];
        assert_eq!(names(&TABLE.flow_step), waits.map(FlowStep::as_str));
    }

    #[test]
    fn every_text_is_a_sentence_and_every_command_one_of_kernel() {
        for remedy in TABLE
            .error_code
            .values()
            .chain(TABLE.can_reauth_reason.values())
            .chain(TABLE.flow_step.values())
        {
            assert!(remedy.meaning.ends_with('.'), "{remedy:?}");
            assert!(remedy.advice.ends_with('.'), "{remedy:?}");
            assert!(remedy.command.starts_with("kernel "), "{remedy:?}");
            // An option that sets something says what is to stand there.
            let last = remedy.command.rsplit(' ').next().unwrap();
            assert!(!last.starts_with("--"), "{remedy:?}");
        }
    }
}
