//! What must not be shown: API keys, parts of them, and what could be one.
//!
//! Every text that comes from outside passes here before it is logged, printed
//! or put on a page.

use std::collections::{HashSet, VecDeque};
use std::sync::LazyLock;

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

/// So many bytes of a key in a row tell too much of it.
const PART: usize = 8;

/// No key is shorter, bytes.
const KEY: usize = 20;

/// Keys that are remembered: those in use, and many that were.
const REMEMBERED: usize = 1024;

/// What stands in place of what is not shown.
const HIDDEN: &str = "(not shown)";

/// The longest text of a log line's field, bytes.
const FIELD: usize = 2048;

/// The longest text of a stranger, bytes.
const FOREIGN: usize = 64;

/// The keys that this process has read, and their parts.
#[derive(Default)]
struct Keys {
    oldest_first: VecDeque<SecretString>,
    parts: HashSet<[u8; PART]>,
}

static KEYS: LazyLock<Mutex<Keys>> = LazyLock::new(Mutex::default);

/// From now on `key` comes out nowhere, also when it is no longer in use.
pub(crate) fn remember(key: &SecretString) {
    KEYS.lock().remember(key);
}

impl Keys {
    fn remember(&mut self, key: &SecretString) {
        let shown = key.expose_secret();
        if parts(shown).all(|part| self.parts.contains(&part)) {
            return;
        }
        self.parts.extend(parts(shown));
        self.oldest_first.push_back(key.clone());
        if self.oldest_first.len() > REMEMBERED {
            self.oldest_first.pop_front();
            let kept = self.oldest_first.iter().map(ExposeSecret::expose_secret);
            self.parts = kept.flat_map(parts).collect();
        }
    }

    /// Leaves out what is a part of a key, in any case of its letters.
    fn hide(&self, text: &str) -> Option<String> {
        let mut hidden = vec![false; text.len()];
        for (at, part) in parts(text).enumerate() {
            if self.parts.contains(&part) {
                hidden[at..at + PART].fill(true);
            }
        }
        if !hidden.contains(&true) {
            return None;
        }
        let mut shown = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if !hidden[at] {
                shown.push(c);
            } else if !shown.ends_with(HIDDEN) {
                shown.push_str(HIDDEN);
            }
        }
        Some(shown)
    }
}

fn parts(text: &str) -> impl Iterator<Item = [u8; PART]> {
    text.as_bytes().windows(PART).map(|window| {
        let mut part = [0; PART];
        part.copy_from_slice(window);
        part.make_ascii_lowercase();
        part
    })
}

/// What a field of a log line may say: our own words, and ids among them, which
/// look as random as a key.
pub(crate) fn logged(text: &str) -> String {
    cut(
        &without(text, |word| words(word).any(begins_like_key)),
        FIELD,
    )
}

/// What may be shown of a text that the API or a proxy sent where it should be
/// a code or a name.
pub(crate) fn foreign(text: &str) -> String {
    cut(&guessed(text), FOREIGN)
}

/// What may be said of a text that somebody typed: words that could be a key
/// are left out.
pub(crate) fn guessed(text: &str) -> String {
    without(text, holds_key)
}

fn without(text: &str, is_key: impl Fn(&str) -> bool) -> String {
    let text = KEYS.lock().hide(text).unwrap_or_else(|| text.to_owned());
    let ends = |c: char| c.is_whitespace() || "'\"`=,()".contains(c);
    let shown = |piece: &'_ str| {
        let word = piece.trim_end_matches(|c| ends(c) || c == ':');
        if is_key(word) {
            format!("{HIDDEN}{}", &piece[word.len()..])
        } else {
            piece.to_owned()
        }
    };
    text.split_inclusive(ends).map(shown).collect()
}

fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit)])
}

/// Whether a name, which may look random, is a key all the same: one that this
/// process has read, or what begins like one and is as long.
pub(crate) fn is_key(text: &str) -> bool {
    let mut words = words(text);
    words.any(|word| begins_like_key(word) && word.len() >= KEY)
        || (KEYS.lock().oldest_first.iter()).any(|key| text.contains(key.expose_secret()))
}

/// Of paths and URLs only what begins like a key counts: the rest of them may
/// well be long.
pub(crate) fn holds_key(text: &str) -> bool {
    if text.contains('/') {
        words(text).any(begins_like_key)
    } else {
        looks_like_key(text)
    }
}

/// Whether a text could hold a key: begins like one, or is long and random in
/// looks.
pub(crate) fn looks_like_key(text: &str) -> bool {
    let is_random = |word: &str| {
        let runs = |c| matches!(c, '-' | '_');
        let random = |run: &str| run.len() >= 12 && run.contains(|c: char| c.is_ascii_digit());
        word.len() >= 24 && word.split(runs).any(random)
    };
    words(text).any(|word| begins_like_key(word) || is_random(word))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
}

fn begins_like_key(word: &str) -> bool {
    word.starts_with("sk_") || word.starts_with("eyJ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_repeated_without_what_could_be_a_key() {
        for (text, expected) in [
            (
                "error: unrecognized subcommand 'eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl' (see --help)",
                "error: unrecognized subcommand '(not shown)' (see --help)",
            ),
            (
                "`seed=sk_live_abc` is no number",
                "`seed=(not shown)` is no number",
            ),
            ("https://user:sk_live_abc@host/ a", "(not shown) a"),
            ("a1b2c3d4e5f6a1b2c3d4e5f6", "(not shown)"),
            (
                "/srv/2026/b1946ac92492d2347c6235b4d2611184.yml:3:1: unknown key",
                "/srv/2026/b1946ac92492d2347c6235b4d2611184.yml:3:1: unknown key",
            ),
            (
                "a similar argument exists: '--kernel.project'",
                "a similar argument exists: '--kernel.project'",
            ),
        ] {
            assert_eq!(guessed(text), expected);
        }
        assert_eq!(foreign(&"ä".repeat(64)), format!("{}…", "ä".repeat(32)));
    }

    #[test]
    fn ids_are_logged_and_keys_are_not() {
        let id = "project b5n0v7s2ah94mc6qiy8ef1dz is gone";
        assert_eq!(logged(id), id);
        assert_eq!(foreign(id), "project (not shown) is gone");
        assert_eq!(
            logged("answered 400 (sk_abc)"),
            "answered 400 ((not shown))"
        );
        assert_eq!(logged(&"a".repeat(9999)).len(), FIELD + "…".len());
    }

    #[test]
    fn only_so_many_keys_are_remembered() {
        let mut keys = Keys::default();
        for number in 0..=REMEMBERED {
            let key = SecretString::from(format!("{number:016}"));
            keys.remember(&key);
            keys.remember(&key);
        }
        assert_eq!(keys.oldest_first.len(), REMEMBERED);
        let last = format!("{REMEMBERED:016}");
        assert_eq!(keys.hide(&last).as_deref(), Some(HIDDEN));
    }

    proptest! {
        /// Wherever a part of a key stands, in whatever case.
        #[test]
        fn a_configured_key_is_nowhere(
            key in "[!-~]{8,60}",
            from in 0..60usize,
            upper in any::<bool>(),
            around in "[ -~\u{e4}\u{1f600}]{0,20}",
        ) {
            let mut keys = Keys::default();
            keys.remember(&SecretString::from(key.clone()));
            let from = from.min(key.len() - PART);
            let part = if upper { key[from..].to_ascii_uppercase() } else { key[from..].to_owned() };
            let shown = keys.hide(&format!("{around}{part}{around}")).unwrap();
            prop_assert!(shown.contains(HIDDEN));
            let lowered = shown.replace(HIDDEN, "\u{0}").to_ascii_lowercase();
            for part in parts(&key) {
                prop_assert!(!lowered.as_bytes().windows(PART).any(|window| window == part));
            }
        }
    }
}
