//! What stands in the templates besides the options: words that would be long
//! or repeated there, and what follows from an option.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Options;
use crate::duration;
use crate::remedies::Remedy;

/// What is the same in every installation. The Helm chart reads it as well.
const TERMS: &str = include_str!("terms.json");

/// What stands for `@name@` in a template.
pub(super) fn value_of(name: &str, options: &Options) -> Option<String> {
    if let Some(value) = options.value_of(name) {
        return Some(value);
    }
    if let Some(stem) = name.strip_suffix("_seconds") {
        return seconds(&options.value_of(&format!("{stem}_for"))?);
    }
    if let Some(kind) = name.strip_prefix("remedies_of_") {
        return remedies(kind);
    }
    let term = |name| {
        let mut all: BTreeMap<String, String> =
            serde_json::from_str(TERMS).expect("src/assets/terms.json, which a test reads");
        all.remove(name)
    };
    if name == "jobs" {
        // A dot is the only thing in a job's name that a pattern reads.
        let job = options.job.replace('.', "[.]");
        return Some(format!(r#"job=~"{job}|{}""#, term("probe_job")?));
    }
    term(name)
}

/// A duration as PromQL's numbers have it.
fn seconds(text: &str) -> Option<String> {
    Some(duration::parse(text).ok()?.as_secs_f64().to_string())
}

/// The remedy of the code in `$code`, with its command, as Prometheus'
/// templates choose it; a look at the connection for any other.
fn remedies(kind: &str) -> Option<String> {
    let mut out = String::new();
    for (code, remedy) in Remedy::all(kind)? {
        let branch = if out.is_empty() { "if" } else { "else if" };
        let (advice, command) = (&remedy.advice, &remedy.command);
        let command = command.replace("<id>", "{{ $labels.connection_id }}");
        // A write to a string does not fail.
        let _ = write!(
            out,
            r#"{{{{ {branch} eq $code "{code}" }}}}{advice} {command}"#
        );
    }
    out.push_str("{{ else }}kernel auth connections get {{ $labels.connection_id }}{{ end }}");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_numbers() {
        let value = |name| value_of(name, &Options::default());
        assert_eq!(value("needs_auth_seconds").as_deref(), Some("300"));
        assert_eq!(value("snapshot_max_age_seconds").as_deref(), Some("600"));
        assert_eq!(value("nothing_seconds"), None);
    }

    #[test]
    fn terms_are_the_same_for_everybody() {
        let value = |name| value_of(name, &Options::default());
        assert_eq!(value("probe_job").as_deref(), Some("kernel-auth-probe"));
        assert_eq!(
            value("jobs").as_deref(),
            Some(r#"job=~"kernel-auth-exporter|kernel-auth-probe""#)
        );
        assert_eq!(value("nothing"), None);
    }

    #[test]
    fn a_remedy_names_its_command() {
        let text = remedies("can_reauth_reason").expect("the table has reasons");
        assert!(text.starts_with(r#"{{ if eq $code "cua_has_credential" }}"#));
        assert!(text.contains(
            "first login by hand. kernel auth connections login {{ $labels.connection_id }}"
        ));
        assert!(text.ends_with("{{ end }}"));
        assert_eq!(remedies("nothing"), None);
    }
}
