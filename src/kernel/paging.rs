//! The paging rules of `GET /auth/connections` and `GET /org/projects`, as the
//! official clients converged on them. Pure: headers in, decision out.

use http::HeaderMap;
use thiserror::Error;

const HAS_MORE: &str = "x-has-more";
const NEXT_OFFSET: &str = "x-next-offset";

/// What a page says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// This was the last page.
    Last,
    /// More rows follow at this absolute offset.
    Next(u64),
}

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
    /// The next offset does not lie behind the one just asked for.
    #[error("X-Next-Offset {next} does not advance past offset {asked}")]
    NoAdvance {
        /// The offset of the page just read.
        asked: u64,
        /// What it named as the next.
        next: u64,
    },
}

/// The two paging headers, as far as they can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct PageHeaders {
    /// `X-Has-More`; `None` where it is missing or unreadable.
    pub has_more: Option<bool>,
    /// `X-Next-Offset`; `None` where it is missing or not a number.
    pub next_offset: Option<u64>,
}

impl PageHeaders {
    /// Reads them. Header names compare without regard to case; booleans as
    /// the official clients accept them.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::trim)
        };
        Self {
            has_more: text(HAS_MORE).and_then(|value| {
                let any =
                    |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
                if any(&["true", "1", "on"]) {
                    Some(true)
                } else if any(&["false", "0", "off"]) {
                    Some(false)
                } else {
                    None
                }
            }),
            next_offset: text(NEXT_OFFSET).and_then(|value| value.parse().ok()),
        }
    }
}

/// Decides what follows the page that was asked for at `asked`.
///
/// `X-Next-Offset` is absolute: the length of the page is never added to it,
/// and an empty page is the end only if the headers say so.
pub(crate) fn next_page(asked: u64, headers: PageHeaders) -> Result<Page, PageError> {
    match (headers.has_more, headers.next_offset) {
        (Some(false), _) | (None, None | Some(0)) => Ok(Page::Last),
        (Some(true), None) => Err(PageError::NoOffset),
        (Some(true), Some(0)) => Err(PageError::ZeroOffset),
        (_, Some(next)) if next <= asked => Err(PageError::NoAdvance { asked, next }),
        (_, Some(next)) => Ok(Page::Next(next)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn decide(asked: u64, has_more: Option<&str>, next: Option<&str>) -> Result<Page, PageError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("X-Has-More", has_more), ("X-NEXT-offset", next)] {
            if let Some(value) = value {
                let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        next_page(asked, PageHeaders::read(&headers))
    }

    #[test]
    fn rule_1_false_ends_the_list_whatever_the_offset_says() {
        assert_eq!(decide(0, Some("false"), Some("100")), Ok(Page::Last));
    }

    #[test]
    fn rule_2_no_offset_and_no_word_of_more_is_the_last_page() {
        assert_eq!(decide(0, None, None), Ok(Page::Last));
        assert_eq!(decide(0, None, Some("0")), Ok(Page::Last));
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
        assert_eq!(decide(200, Some("true"), Some("300")), Ok(Page::Next(300)));
    }

    #[test]
    fn rule_8_booleans_as_the_official_clients_read_them() {
        for yes in ["true", "TRUE", "1", "on", " true "] {
            assert_eq!(decide(0, Some(yes), Some("100")), Ok(Page::Next(100)));
        }
        for no in ["false", "0", "off"] {
            assert_eq!(decide(0, Some(no), Some("100")), Ok(Page::Last));
        }
        // An unreadable word says nothing; the offset still does.
        assert_eq!(decide(0, Some("maybe"), Some("100")), Ok(Page::Next(100)));
    }

    proptest! {
        #[test]
        fn a_walk_that_follows_the_headers_always_advances(
            asked in any::<u64>(), more in any::<Option<bool>>(), next in any::<Option<u64>>()
        ) {
            if let Ok(Page::Next(offset)) =
                next_page(asked, PageHeaders { has_more: more, next_offset: next })
            {
                prop_assert!(offset > asked);
                prop_assert_ne!(more, Some(false));
            }
        }
    }
}
