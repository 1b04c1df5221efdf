//! A key in the wrong place is in no message.

use super::support::{SECRET, load, load_with_key, write_config};
use crate::config::rows;
use proptest::prelude::*;

const EVERYTHING: &str = "\
api: {url: https://api.onkernel.com, timeout: 10s, concurrency: 8, quota_share: 0.5, ca_file: key}
accounts:
  - name: production
    api_key_file: key
    projects: [proj_a]
    connections: [ma_abc]
  - name: staging
    api_key_env: TEST_KEY
    projects: all
    domains: [example.com]
    profiles: ['billing bot']
metrics: {states: all, profile_name: keep}
collectors: {timeline: true}
";

/// Where a word of [`EVERYTHING`] begins and ends.
fn words() -> Vec<(usize, usize)> {
    let in_word = |c: char| !c.is_whitespace() && !"{}[],'".contains(c);
    let mut words = Vec::new();
    let mut start = None;
    for (index, c) in EVERYTHING.char_indices() {
        match (in_word(c), start) {
            (true, None) => start = Some(index),
            (false, Some(begin)) => {
                words.push((begin, index));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// As a label it would be in every series.
#[test]
fn a_key_is_no_name() {
    for flag in ["project", "connection", "domain", "profile"] {
        let error = load_with_key(&[&format!("--kernel.{flag}={SECRET}")]);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("this is an API key"), "{message}");
    }
    let short = load_with_key(&["--kernel.profile=sk_shop", "--kernel.domain=eyjafjall.is"]);
    assert!(short.is_ok(), "{short:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// A key pasted over a word, or next to one.
    #[test]
    fn no_message_shows_a_key_in_the_file(
        word in 0..words().len(),
        before in prop::sample::select(vec!["", " ", "'", "\"", "{", "x: ", "? ", "- ", "&", "*", "!"]),
        after in prop::sample::select(vec!["", " ", ":", ": ", "'", "\"", "}", "/", " #"]),
        keep in any::<bool>(),
    ) {
        let (start, end) = words()[word];
        let kept = if keep { &EVERYTHING[start..end] } else { "" };
        let text = format!("{}{before}{SECRET}{after}{kept}{}", &EVERYTHING[..start], &EVERYTHING[end..]);
        let (directory, file) = write_config(&text);
        if let Err(error) = load(&[&file], &[("TEST_KEY", SECRET)]) {
            // Its name is random, and may hold these letters by chance.
            let message = error.to_string().replace(directory.path().to_str().unwrap(), "");
            prop_assert!(!message.contains("Zq9"), "{}\n{}", message, text);
            prop_assert_eq!(message.lines().count(), 1);
        }
    }

    /// A key in any flag or variable.
    #[test]
    fn no_message_shows_a_key_in_a_flag(
        flag in prop::sample::select(
            rows()
                .iter()
                .filter(|row| row.value_name.is_some() && row.heading != "Logging")
                .filter_map(|row| row.flag)
                .collect::<Vec<_>>()
        ),
        variable in prop::sample::select(vec![
            "KERNEL_API_KEY", "KERNEL_API_KEY_FILE", "KERNEL_BASE_URL", "KERNEL_PROJECT",
        ]),
        around in prop::sample::select(vec![("", ""), (" ", "\n"), ("http://x:", "@host"), ("a b ", "")]),
    ) {
        let value = format!("{}{SECRET}{}", around.0, around.1);
        let argument = format!("--{flag}={value}");
        for result in [load(&[&argument], &[]), load(&[], &[(variable, &value)])] {
            if let Err(error) = result {
                let message = error.to_string();
                prop_assert!(!message.contains("Zq9"), "{}", message);
                prop_assert_eq!(message.lines().count(), 1);
            }
        }
    }

    /// No file makes it panic.
    #[test]
    fn any_file_is_read_or_refused(text in "[ -~\n\u{e4}]{0,200}") {
        let (_directory, file) = write_config(&text);
        let _ = load_with_key(&[&file]);
    }
}
