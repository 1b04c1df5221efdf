//! The paging rules of `GET /auth/connections` and `GET /org/projects`, as the
//! official clients converged on them. Pure: headers in, decision out.

use http::HeaderMap;
use thiserror::Error;

const HAS_MORE: &str = "x-has-more";
const NEXT_OFFSET: &str = "x-next-offset";

/// Headers from which the rest of the list cannot be told. The list is then
/// not whole, whatever it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum PageError {
    /// `X-Has-More: true` and no readable `X-Next-Offset`: going on would mean
    /// guessing, stopping would cut the list short.
    #[error("X-Has-More is true, but X-Next-Offset is missing or not a number")]
    NoOffset,
    /// `X-Has-More: true` and `X-Next-Offset: 0`: zero means "no more".
    #[error("X-Has-More is true, but X-Next-Offset is 0, which means that there is no more")]
    ZeroOffset,
    /// Lists that end too early, whatever their headers say.
    #[error("it lacks connections that are there when they are asked for by their ids")]
    CutShort,
    /// One page after the other has the same rows again.
    #[error("{pages} pages in a row brought nothing new, and X-Has-More is still true")]
    NothingNew {
        /// How many.
        pages: u64,
    },
    /// The next offset does not lie behind the one just asked for.
    #[error("X-Next-Offset {next} does not advance past offset {asked}")]
    NoAdvance {
        /// The offset of the page just read.
        asked: u64,
        /// What it named as the next.
        next: u64,
    },
}

/// Decides what follows the page that was asked for at `asked`: the absolute
/// offset of the next one, or nothing.
///
/// The length of the page is never added to `X-Next-Offset`, and an empty page
/// is the end only if the headers say so.
pub(crate) fn next_page(asked: u64, headers: &HeaderMap) -> Result<Option<u64>, PageError> {
    match (has_more(headers), next_offset(headers)) {
        (Some(false), _) | (None, None | Some(0)) => Ok(None),
        (Some(true), None) => Err(PageError::NoOffset),
        (Some(true), Some(0)) => Err(PageError::ZeroOffset),
        (_, Some(next)) if next <= asked => Err(PageError::NoAdvance { asked, next }),
        (_, Some(next)) => Ok(Some(next)),
    }
}

/// `X-Has-More`, as the official clients read booleans; `None` where it is
/// missing or unreadable.
fn has_more(headers: &HeaderMap) -> Option<bool> {
    let value = text(headers, HAS_MORE)?;
    let is_any = |words: [&str; 3]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is_any(["true", "1", "on"]) {
        Some(true)
    } else if is_any(["false", "0", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// `X-Next-Offset`; `None` where it is missing or not a number.
fn next_offset(headers: &HeaderMap) -> Option<u64> {
    text(headers, NEXT_OFFSET)?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn decide(
        asked: u64,
        has_more: Option<&str>,
        next: Option<&str>,
    ) -> Result<Option<u64>, PageError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("X-Has-More", has_more), ("X-NEXT-offset", next)] {
            if let Some(value) = value {
                let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        next_page(asked, &headers)
    }

    #[test]
    fn rule_1_false_ends_the_list_whatever_the_offset_says() {
        assert_eq!(decide(0, Some("false"), Some("100")), Ok(None));
    }

    #[test]
    fn rule_2_no_offset_and_no_word_of_more_is_the_last_page() {
        assert_eq!(decide(0, None, None), Ok(None));
        assert_eq!(decide(0, None, Some("0")), Ok(None));
    }

    #[test]
    fn rule_3_more_without_an_offset_is_refused() {
        assert_eq!(decide(0, Some("true"), None), Err(PageError::NoOffset));
        assert_eq!(
            decide(0, Some("true"), Some("next")),
            Err(PageError::NoOffset)
        );
        assert_eq!(
            decide(0, Some("true"), Some("-5")),
            Err(PageError::NoOffset)
        );
    }

    #[test]
    fn rule_4_more_at_offset_zero_is_refused() {
        assert_eq!(
            decide(100, Some("true"), Some("0")),
            Err(PageError::ZeroOffset)
        );
    }

    #[test]
    fn rule_5_an_offset_must_advance() {
        for next in ["100", "99", "1"] {
            assert!(matches!(
                decide(100, Some("true"), Some(next)),
                Err(PageError::NoAdvance { asked: 100, .. })
            ));
        }
    }

    #[test]
    fn rule_7_the_next_offset_is_absolute() {
        assert_eq!(decide(200, Some("true"), Some("300")), Ok(Some(300)));
    }

    #[test]
    fn rule_8_booleans_as_the_official_clients_read_them() {
        for yes in ["true", "TRUE", "1", "on", " true "] {
            assert_eq!(decide(0, Some(yes), Some("100")), Ok(Some(100)));
        }
        for no in ["false", "0", "off"] {
            assert_eq!(decide(0, Some(no), Some("100")), Ok(None));
        }
        // An unreadable word says nothing; the offset still does.
        assert_eq!(decide(0, Some("maybe"), Some("100")), Ok(Some(100)));
    }

    proptest! {
        #[test]
        fn a_walk_that_follows_the_headers_always_advances(
            asked in any::<u64>(), more in any::<Option<bool>>(), next in any::<Option<u64>>()
        ) {
            let more_text = more.map(|more| more.to_string());
            let next_text = next.map(|next| next.to_string());
            if let Ok(Some(offset)) = decide(asked, more_text.as_deref(), next_text.as_deref()) {
                prop_assert!(offset > asked);
                prop_assert_ne!(more, Some(false));
            }
        }
    }
}
