//! What faults do to a page and to a body.

use serde_json::{Value, json};

use super::fault::{FaultKind, Rows, Spoil};

/// Rows hidden by [`FaultKind::EmptyPage`].
const HOLE: usize = 100;

/// A page of a list: which rows are on it, and what its headers say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) start: usize,
    pub(crate) length: usize,
    pub(crate) has_more: bool,
    /// `None`: no header.
    pub(crate) next_offset: Option<usize>,
}

impl Page {
    /// The page of `limit` rows at `offset` of a list of `total` rows.
    pub(crate) fn new(offset: usize, limit: usize, total: usize, faults: &[FaultKind]) -> Self {
        let mut limit = limit;
        for fault in faults {
            if let FaultKind::PageCap(cap) = fault {
                limit = limit.min(*cap);
            }
        }
        let end = offset.saturating_add(limit);
        let mut page = Self {
            start: offset.min(total),
            length: end.min(total) - offset.min(total),
            has_more: end < total,
            next_offset: None,
        };
        for fault in faults {
            match fault {
                FaultKind::EmptyPage(hole) if *hole <= total => {
                    let real = |position: usize| {
                        let shown = if position <= *hole {
                            position
                        } else {
                            position.saturating_sub(HOLE).max(*hole)
                        };
                        shown.min(total)
                    };
                    page.start = real(offset);
                    page.length = real(end) - page.start;
                    page.has_more = end < total + HOLE;
                }
                FaultKind::DuplicateRows(again) => {
                    let again = (*again).min(limit.saturating_sub(1));
                    let start = offset - (offset / limit.max(1)) * again;
                    page.start = start.min(total);
                    page.length = start.saturating_add(limit).min(total) - page.start;
                    page.has_more = start.saturating_add(limit) < total;
                }
                _ => {}
            }
        }
        page.next_offset = Some(if page.has_more { end } else { 0 });
        for fault in faults {
            let next = match fault {
                FaultKind::MoreWithoutOffset => None,
                FaultKind::MoreWithZero => Some(0),
                FaultKind::Circle if offset >= 2 * limit => Some(limit),
                FaultKind::StuckOffset if offset > 0 => Some(offset),
                FaultKind::Circle | FaultKind::StuckOffset => Some(end),
                _ => continue,
            };
            page.has_more = true;
            page.next_offset = next;
        }
        page
    }
}

/// Spoils rows of `body`, an object or an array of objects.
pub(crate) fn spoil(body: String, how: Spoil, rows: &Rows) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&body) else {
        return body;
    };
    match &mut value {
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                let struck = match rows {
                    Rows::All => true,
                    Rows::At(at) => *at == position,
                    Rows::Id(id) => item.get("id").and_then(Value::as_str) == Some(id),
                };
                if struck {
                    spoil_row(item, how);
                }
            }
        }
        single => spoil_row(single, how),
    }
    value.to_string()
}

fn spoil_row(row: &mut Value, how: Spoil) {
    let Value::Object(members) = row else { return };
    match how {
        Spoil::Text => *row = json!("not an object"),
        Spoil::Null => *row = Value::Null,
        Spoil::NoId => {
            members.remove("id");
        }
        Spoil::NoStatus => {
            members.remove("status");
        }
        Spoil::Types => {
            members.insert("status".into(), json!(17));
            members.insert("domain".into(), json!({"name": "x"}));
            members.insert("save_credentials".into(), json!("yes"));
            members.insert("last_auth_check_at".into(), json!([]));
        }
        Spoil::UnknownValues => {
            for (name, value) in [
                ("status", "HALF_AUTHENTICATED"),
                ("flow_status", "PAUSED"),
                ("flow_step", "MEDITATING"),
                ("flow_type", "REVERSE"),
                ("error_code", "gremlins"),
                ("can_reauth_reason", "because"),
                ("health_check_unavailable_reason", "weather"),
            ] {
                members.insert(name.into(), json!(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Follows the headers from 0 to the end.
    fn walk(total: usize, limit: usize, faults: &[FaultKind]) -> Vec<usize> {
        let mut seen = Vec::new();
        let mut offset = 0;
        for _ in 0..10_000 {
            let page = Page::new(offset, limit, total, faults);
            seen.extend(page.start..page.start + page.length);
            if !page.has_more {
                return seen;
            }
            offset = page.next_offset.expect("these faults leave the header");
        }
        panic!("the walk does not end");
    }

    proptest! {
        #[test]
        fn headers_lead_through_every_row_once(
            total in 0_usize..700, limit in 1_usize..100, cap in 1_usize..100, hole in 0_usize..700,
        ) {
            let all: Vec<usize> = (0..total).collect();
            prop_assert_eq!(&walk(total, limit, &[]), &all);
            prop_assert_eq!(&walk(total, limit, &[FaultKind::PageCap(cap)]), &all);
            prop_assert_eq!(&walk(total, limit, &[FaultKind::EmptyPage(hole)]), &all);
        }

        #[test]
        fn duplicates_hide_no_row(total in 0_usize..700, limit in 2_usize..100, again in 1_usize..9) {
            let mut seen = walk(total, limit, &[FaultKind::DuplicateRows(again)]);
            prop_assert!(total <= limit || seen.len() > total);
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen, (0..total).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_empty_page_has_more_to_come() {
        let page = Page::new(100, 100, 250, &[FaultKind::EmptyPage(100)]);
        assert_eq!(
            (page.length, page.has_more, page.next_offset),
            (0, true, Some(200))
        );
    }

    #[test]
    fn a_circle_has_no_end_and_a_stuck_offset_no_progress() {
        let next = |offset, fault| Page::new(offset, 100, 250, &[fault]).next_offset;
        assert_eq!(next(0, FaultKind::Circle), Some(100));
        assert_eq!(next(100, FaultKind::Circle), Some(200));
        assert_eq!(next(200, FaultKind::Circle), Some(100));
        assert_eq!(next(100, FaultKind::StuckOffset), Some(100));
        assert_eq!(next(100, FaultKind::MoreWithZero), Some(0));
        assert_eq!(next(100, FaultKind::MoreWithoutOffset), None);
    }
}
