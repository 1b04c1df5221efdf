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

/// By code, which is a label of our metrics.
type Remedies = BTreeMap<String, Remedy>;

/// By the member of the API that has the code.
static TABLE: LazyLock<BTreeMap<String, Remedies>> = LazyLock::new(|| {
    let text = include_str!("../alerts/remedies.json");
    serde_json::from_str(text).expect("the file of this build, as a test holds")
});

impl Remedy {
    /// Those of `error_code`, `can_reauth_reason` or `flow_step`.
    pub(crate) fn all(member: &str) -> Option<&'static Remedies> {
        TABLE.get(member)
    }

    /// Of the error that ended a login.
    pub(crate) fn of_error(code: ErrorCode) -> Option<&'static Self> {
        Self::all("error_code")?.get(code.as_str())
    }

    /// Of the reason that lets a connection log in again unattended or does
    /// not.
    pub(crate) fn of_reason(reason: ReauthReason) -> Option<&'static Self> {
        Self::all("can_reauth_reason")?.get(reason.as_str())
    }

    /// Of the step at which a live login waits for a person.
    pub(crate) fn of_step(step: FlowStep) -> Option<&'static Self> {
        Self::all("flow_step")?.get(step.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(member: &str) -> Vec<&str> {
        TABLE[member].keys().map(String::as_str).collect()
    }

    #[test]
    fn every_code_and_reason_has_a_remedy_and_nothing_else_does() {
        let sorted = |labels: &[&'static str]| {
            let mut labels = labels.to_vec();
            labels.sort_unstable();
            labels
        };
        assert_eq!(names("error_code"), sorted(ErrorCode::LABELS));
        assert_eq!(names("can_reauth_reason"), sorted(ReauthReason::LABELS));
        assert_eq!(TABLE.len(), 3);
    }

    #[test]
    fn a_login_that_waits_has_a_remedy_and_no_other_has() {
        let waits = [FlowStep::AwaitingExternalAction, FlowStep::AwaitingInput];
        assert_eq!(names("flow_step"), waits.map(FlowStep::as_str));
    }

    #[test]
    fn every_text_is_a_sentence_and_every_command_one_of_kernel() {
        for remedy in TABLE.values().flat_map(BTreeMap::values) {
            assert!(remedy.meaning.ends_with('.'), "{remedy:?}");
            assert!(remedy.advice.ends_with('.'), "{remedy:?}");
            assert!(remedy.command.starts_with("kernel "), "{remedy:?}");
            // An option that sets something says what is to stand there.
            let last = remedy.command.rsplit(' ').next().unwrap();
            assert!(!last.starts_with("--"), "{remedy:?}");
        }
    }
}
