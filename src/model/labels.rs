//! What identifies a connection on every one of its series, escaped once.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use super::Scope;

/// The longest label value that leaves this program, in bytes before escaping.
pub(crate) const MAX_LABEL_BYTES: usize = 256;

/// Appends `value` as the text formats want a label value: `\`, `"` and line
/// feed escaped (Prometheus text format 0.0.4 and OpenMetrics 1.0.0 ABNF,
/// `escaped-string`, agree on these three and on nothing else).
///
/// NUL, which some parsers take for the end of input, becomes U+FFFD.
pub(crate) fn escape_label_into(out: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest
        .bytes()
        .position(|byte| matches!(byte, b'\\' | b'"' | b'\n' | 0))
    {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            b'\n' => "\\n",
            _ => "\u{FFFD}",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

fn unescape(escaped: &str) -> Cow<'_, str> {
    if !escaped.contains('\\') {
        return Cow::Borrowed(escaped);
    }
    let mut out = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => break,
            }),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// Bounds `value` to [`MAX_LABEL_BYTES`].
///
/// A longer one keeps its beginning and ends in `…` and 16 hex digits of its
/// SHA-256, so that two long values stay two.
pub(crate) fn bound_label(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_LABEL_BYTES {
        return Cow::Borrowed(value);
    }
    let mut end = MAX_LABEL_BYTES - '…'.len_utf8() - 16;
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…{}", &value[..end], short_hash(value)))
}

/// The first 16 hex digits of the SHA-256 of `value`.
pub(crate) fn short_hash(value: &str) -> String {
    let digest = Sha256::digest(value.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(head))
}

/// `connection_id`, `domain`, `profile_name`, and `project` and `account`
/// where the configuration names them: escaped, in one allocation.
///
/// The text is `connection_id="…",domain="…"` and so on, without braces.
/// `profile_name` is left out where the configuration drops it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LabelBlock {
    text: Box<str>,
    id_len: u16,
    domain_len: u16,
    /// `None`: there is no `profile_name` label.
    profile_len: Option<u16>,
}

const ID: &str = "connection_id=\"";
const DOMAIN: &str = "\",domain=\"";
const PROFILE: &str = "\",profile_name=\"";

impl LabelBlock {
    /// Escapes the names of one connection. Each is bounded first; an escape
    /// at most doubles or (NUL) triples a byte, so lengths fit 16 bits.
    ///
    /// `scratch` is reused between calls and saves growing a new buffer.
    pub(crate) fn new(
        id: &str,
        domain: &str,
        profile_name: Option<&str>,
        scope: &Scope,
        scratch: &mut String,
    ) -> Self {
        scratch.clear();
        let mut put = |before: &str, value: &str| {
            scratch.push_str(before);
            let start = scratch.len();
            escape_label_into(scratch, &bound_label(value));
            u16::try_from(scratch.len() - start).unwrap_or(u16::MAX)
        };
        let id_len = put(ID, id);
        let domain_len = put(DOMAIN, domain);
        let profile_len = profile_name.map(|name| put(PROFILE, name));
        scratch.push('"');
        scratch.push_str(scope.label_suffix());
        Self {
            text: Box::from(scratch.as_str()),
            id_len,
            domain_len,
            profile_len,
        }
    }

    /// The escaped labels, without braces.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The connection's `id`.
    pub(crate) fn id(&self) -> Cow<'_, str> {
        unescape(self.escaped_id())
    }

    /// The connection's `id` as it stands in the text: the same string for the
    /// same id, and cheap to compare.
    pub(crate) fn escaped_id(&self) -> &str {
        &self.text[ID.len()..ID.len() + usize::from(self.id_len)]
    }

    /// The connection's `domain`, bounded.
    pub(crate) fn domain(&self) -> Cow<'_, str> {
        let start = ID.len() + usize::from(self.id_len) + DOMAIN.len();
        unescape(&self.text[start..start + usize::from(self.domain_len)])
    }

    /// The connection's `profile_name`, bounded and as the configuration lets
    /// it be seen; `None` where it is dropped.
    pub(crate) fn profile_name(&self) -> Option<Cow<'_, str>> {
        let len = usize::from(self.profile_len?);
        let start = ID.len()
            + usize::from(self.id_len)
            + DOMAIN.len()
            + usize::from(self.domain_len)
            + PROFILE.len();
        Some(unescape(&self.text[start..start + len]))
    }
}

impl fmt::Debug for LabelBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(id: &str, domain: &str, profile: Option<&str>) -> LabelBlock {
        LabelBlock::new(id, domain, profile, &Scope::default(), &mut String::new())
    }

    #[test]
    fn reads_as_prometheus_labels() {
        let scope = Scope::new(Some("prod"), Some("proj_a"));
        let block = LabelBlock::new("i", "d", Some("p"), &scope, &mut String::new());
        assert_eq!(
            block.as_str(),
            r#"connection_id="i",domain="d",profile_name="p",project="proj_a",account="prod""#
        );
        assert_eq!(
            self::block("i", "d", None).as_str(),
            r#"connection_id="i",domain="d""#
        );
    }

    #[test]
    fn long_values_are_bounded_and_stay_apart() {
        let (a, b) = ("x".repeat(10_000), format!("{}y", "x".repeat(9_999)));
        assert!(bound_label(&a).len() <= MAX_LABEL_BYTES);
        assert_ne!(bound_label(&a), bound_label(&b));
        assert!(bound_label(&"é".repeat(5_000)).len() <= MAX_LABEL_BYTES);
    }

    proptest! {
        #[test]
        fn names_survive_escaping(id in "[^\\x00]{1,60}", domain in "[^\\x00]{0,60}",
                                  profile in proptest::option::of("[^\\x00]{0,60}")) {
            let block = block(&id, &domain, profile.as_deref());
            prop_assert_eq!(block.id(), id.as_str());
            prop_assert_eq!(block.domain(), domain.as_str());
            let name = block.profile_name();
            prop_assert_eq!(name.as_deref(), profile.as_deref());
            prop_assert!(!block.as_str().contains(['\n', '\0']));
        }

        #[test]
        fn any_length_is_bounded(value in "\\PC{0,600}") {
            prop_assert!(bound_label(&value).len() <= MAX_LABEL_BYTES);
        }
    }
}
