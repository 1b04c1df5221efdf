//! Which requests tell what is wanted at the least cost. Pure.
//!
//! A list page holds up to 100 connections and costs as much as one connection
//! asked for by id, so K ids of a project with N connections cost
//! min(K, pages of the list). N is learnt from walks that came to their end.

use std::fmt;

use crate::model::Selection;

/// `limit` of list requests: the API's maximum.
pub(super) const PAGE: u64 = 100;

/// Up to this many requests are sent without first finding out whether a walk
/// would have been cheaper.
const FEW: u64 = 8;

/// A walk is tried once at this collection of a scope, and then rarely, where
/// asking one by one is the habit and the length of the list is not known.
const FIRST_LOOK: u64 = 10;
const LOOK_AGAIN: u64 = 1_000;

/// So many ids at most are asked for one by one in the place of a list that
/// failed.
const INSTEAD: usize = 100;

/// What goes on failing is left alone for at most two to the power of this many
/// collections.
const LONGEST: u32 = 6;

/// The list, narrowed by the API itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) domain: Option<Box<str>>,
    pub(super) profile: Option<Box<str>>,
}

/// What earlier collections have taught about a scope's lists.
#[derive(Clone, Debug)]
pub(super) struct Knowledge {
    /// Rows of the whole, unnarrowed list.
    pub(super) total: Option<u64>,
    /// Rows that the unnarrowed list has at least: a walk broke off there.
    pub(super) at_least: u64,
    /// Rows a page: the distance between the offsets the API names.
    pub(super) stride: u64,
    /// Rows of each narrowed list, in the order of [`narrowed`].
    pub(super) narrowed: Vec<Option<u64>>,
    /// Collections so far.
    pub(super) turn: u64,
    /// Of the whole list, which failed where ids could be had.
    list: Rest,
    /// Of ids in its place, which could not be had either.
    ids: Rest,
}

/// What failed, and is left alone for a while.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    /// In a row.
    failures: u32,
    /// The turn at which it is tried again.
    until: u64,
}

impl Rest {
    /// It has failed once more in this turn.
    fn begin(&mut self, turn: u64) {
        self.until = turn + (1 << self.failures.min(LONGEST));
        self.failures += 1;
    }
}

impl Default for Knowledge {
    fn default() -> Self {
        Self {
            total: None,
            at_least: 0,
            stride: PAGE,
            narrowed: Vec::new(),
            turn: 0,
            list: Rest::default(),
            ids: Rest::default(),
        }
    }
}

impl Knowledge {
    /// Whether what `selection` wants is to be asked for one by one where the
    /// list failed in this turn.
    pub(super) fn does_without_list(&self, selection: &Selection) -> bool {
        let few = matches!(selection, Selection::Ids(ids) if ids.len() <= INSTEAD);
        few && self.turn >= self.ids.until
    }

    /// The list failed and ids could be had, or may be: it is left alone for a
    /// while.
    pub(super) fn leave_list(&mut self) {
        self.list.begin(self.turn);
        self.ids.failures = 0;
    }

    /// The list failed, and so did the ids: it is not the list's fault.
    pub(super) fn blame_nobody(&mut self) {
        self.ids.begin(self.turn);
        self.list = Rest::default();
    }

    /// The list was read.
    pub(super) fn list_works(&mut self) {
        self.list = Rest::default();
        self.ids = Rest::default();
    }

    fn pages(&self, rows: u64) -> u64 {
        rows.div_ceil(self.stride.max(1)).max(1)
    }
}

/// How to go about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The whole list; given up after so many pages if it has not ended.
    Walk { give_up_after: Option<u64> },
    /// One narrowed list after the other.
    Narrowed,
    /// Each configured id by itself.
    ById,
}

impl Plan {
    /// The whole list, however long it is.
    const WALK: Self = Self::Walk {
        give_up_after: None,
    };
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Walk {
                give_up_after: None,
            } => f.write_str("the whole list"),
            Self::Walk {
                give_up_after: Some(pages),
            } => write!(f, "the whole list, given up after {pages} pages"),
            Self::Narrowed => f.write_str("lists narrowed by domain or profile"),
            Self::ById => f.write_str("each connection by its id"),
        }
    }
}

/// A plan, what it is expected to cost, and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) plan: Plan,
    /// Requests, as far as can be told.
    pub(super) cost: u64,
    pub(super) reason: &'static str,
}

/// The narrowed lists that together hold what `selection` wants. The API takes
/// one domain and one profile a request, so the shorter list is gone through
/// and the other one narrows as well where it has a single name.
pub(super) fn narrowed(selection: &Selection) -> Vec<ListQuery> {
    let Selection::Every {
        domains, profiles, ..
    } = selection
    else {
        return Vec::new();
    };
    let single = |names: &[Box<str>]| match names {
        [only] => Some(only.clone()),
        _ => None,
    };
    let by_domain = profiles.is_empty() || (!domains.is_empty() && domains.len() <= profiles.len());
    if by_domain {
        domains
            .iter()
            .map(|domain| ListQuery {
                domain: Some(domain.clone()),
                profile: single(profiles),
            })
            .collect()
    } else {
        profiles
            .iter()
            .map(|profile| ListQuery {
                domain: single(domains),
                profile: Some(profile.clone()),
            })
            .collect()
    }
}

/// Chooses for `selection`, given what is known.
pub(super) fn choose(selection: &Selection, known: &Knowledge) -> Choice {
    let choice = |plan, cost, reason| Choice { plan, cost, reason };
    let whole = known.total.map(|rows| known.pages(rows));
    let (one_by_one, cost) = match selection {
        Selection::Ids(ids) => (Plan::ById, ids.len() as u64),
        Selection::Every {
            domains, profiles, ..
        } if domains.is_empty() && profiles.is_empty() => {
            let cost = whole.unwrap_or_else(|| known.pages(known.at_least));
            return choice(Plan::WALK, cost, "every connection is wanted");
        }
        Selection::Every { .. } => {
            let rows = |at| known.narrowed.get(at).copied().flatten().unwrap_or(0);
            let lists = 0..narrowed(selection).len();
            (Plan::Narrowed, lists.map(|at| known.pages(rows(at))).sum())
        }
    };
    if known.turn < known.list.until {
        return choice(one_by_one, cost, "the list failed lately");
    }
    let look =
        known.turn == FIRST_LOOK || (known.turn > 0 && known.turn.is_multiple_of(LOOK_AGAIN));
    match whole {
        Some(pages) if pages < cost => choice(Plan::WALK, pages, "the whole list has fewer pages"),
        Some(_) if !look || cost < 2 => choice(one_by_one, cost, "the whole list has more pages"),
        None if cost <= FEW && !(look && cost >= 2) => {
            let reason = "few requests; the list's length is not known";
            choice(one_by_one, cost, reason)
        }
        None if known.at_least > 0 && !look => {
            choice(one_by_one, cost, "a walk was given up as too long")
        }
        _ => {
            let give_up_after = Some((cost / 2).max(1));
            let plan = Plan::Walk { give_up_after };
            choice(plan, cost, "finding out how long the list is")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Exclude;

    fn ids(count: usize) -> Selection {
        Selection::Ids((0..count).map(|id| id.to_string().into()).collect())
    }

    fn every(domains: usize, profiles: usize) -> Selection {
        let names = |count: usize| (0..count).map(|name| name.to_string().into()).collect();
        Selection::Every {
            domains: names(domains),
            profiles: names(profiles),
            exclude: Exclude::default(),
        }
    }

    fn known(total: u64) -> Knowledge {
        Knowledge {
            total: Some(total),
            turn: 1,
            ..Knowledge::default()
        }
    }

    #[test]
    fn ids_cost_the_smaller_of_their_number_and_the_pages() {
        assert_eq!(choose(&ids(300), &known(400)).cost, 4);
        assert_eq!(choose(&ids(300), &known(400)).plan, Plan::WALK);
        assert_eq!(choose(&ids(3), &known(2_000)).plan, Plan::ById);
        assert_eq!(choose(&ids(3), &known(50)).cost, 1);
        assert_eq!(choose(&ids(1), &known(50)).plan, Plan::ById);
    }

    #[test]
    fn a_few_ids_are_asked_for_at_once_and_many_after_a_look() {
        assert_eq!(choose(&ids(3), &Knowledge::default()).plan, Plan::ById);
        assert_eq!(
            choose(&ids(300), &Knowledge::default()).plan,
            Plan::Walk {
                give_up_after: Some(150)
            }
        );
        let gave_up = Knowledge {
            at_least: 15_000,
            turn: 1,
            ..Knowledge::default()
        };
        assert_eq!(choose(&ids(300), &gave_up).plan, Plan::ById);
    }

    #[test]
    fn the_habit_is_questioned_once_in_a_while() {
        let at = |turn| {
            choose(
                &ids(3),
                &Knowledge {
                    turn,
                    ..Knowledge::default()
                },
            )
            .plan
        };
        assert_eq!(at(9), Plan::ById);
        assert_eq!(
            at(10),
            Plan::Walk {
                give_up_after: Some(1)
            }
        );
        assert_eq!(at(11), Plan::ById);
        assert_eq!(
            choose(
                &ids(1),
                &Knowledge {
                    turn: 10,
                    ..Knowledge::default()
                }
            )
            .plan,
            Plan::ById
        );
    }

    #[test]
    fn the_api_narrows_where_that_is_cheaper() {
        assert_eq!(
            choose(&every(1, 1), &Knowledge::default()).plan,
            Plan::Narrowed
        );
        assert_eq!(choose(&every(5, 0), &known(50)).plan, Plan::WALK);
        assert_eq!(choose(&every(5, 0), &known(5_000)).plan, Plan::Narrowed);
        let inflated = Knowledge {
            narrowed: vec![Some(2_400), Some(2_500)],
            ..known(5_000)
        };
        assert_eq!(choose(&every(2, 0), &inflated).cost, 49);
    }

    #[test]
    fn the_shorter_list_of_names_is_gone_through() {
        assert_eq!(narrowed(&every(2, 1)).len(), 1);
        assert_eq!(narrowed(&every(2, 3)).len(), 2);
        assert_eq!(
            narrowed(&every(1, 3)),
            vec![ListQuery {
                domain: Some("0".into()),
                profile: None
            }]
        );
        let both = narrowed(&every(1, 1));
        assert!(both[0].domain.is_some() && both[0].profile.is_some());
        assert!(narrowed(&every(0, 0)).is_empty());
    }

    proptest! {
        #[test]
        fn a_known_list_never_costs_more_than_the_cheapest_way(
            count in 1_usize..500, total in 0_u64..100_000, turn in 1_u64..9
        ) {
            let pages = total.div_ceil(PAGE).max(1);
            let choice = choose(&ids(count), &Knowledge { turn, ..known(total) });
            prop_assert_eq!(choice.cost, pages.min(count as u64));
        }
    }
}
