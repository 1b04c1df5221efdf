//! Names and bcrypt hashes of those who may ask.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bcrypt::HashParts;
use secrecy::{ExposeSecret, SecretString};

use crate::yaml::{Problem, Text};

/// The least that bcrypt knows.
const MIN_COST: u32 = 4;
/// A check of this cost takes a minute or more; beyond, nobody would get in.
const MAX_COST: u32 = 20;
/// `$2y$10$`, 22 characters of salt, 31 of hash.
const HASH_LENGTH: usize = 60;

/// `basic_auth_users`: who may ask, by name.
#[derive(Clone, Default)]
pub(crate) struct Users {
    by_name: BTreeMap<String, (SecretString, u32)>,
    highest_cost: u32,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.by_name.len())
    }
}

impl Users {
    pub(super) fn parse(written: BTreeMap<String, Text>) -> Result<Self, Problem> {
        let mut users = Self::default();
        for (name, text) in written {
            let hash = text.value().map_or("", String::as_str);
            let cost = cost(hash).map_err(|what| text.problem("basic_auth_users", what))?;
            users.highest_cost = users.highest_cost.max(cost);
            users.by_name.insert(name, (SecretString::from(hash), cost));
        }
        Ok(users)
    }

    /// Whether nobody is named, so that everyone may ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many are named.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The checks that `name` is put to; nobody without a name here passes.
    pub(crate) fn trial(&self, name: Option<&str>) -> Trial {
        let known = name.and_then(|name| self.by_name.get(name));
        Trial {
            hash: known.map(|(hash, _)| hash.clone()),
            cost: known.map_or(self.highest_cost, |(_, cost)| *cost),
            highest_cost: self.highest_cost,
        }
    }
}

/// What a password is checked against. It takes the same time for every name,
/// whether it exists or not and whatever its hash costs.
pub(crate) struct Trial {
    hash: Option<SecretString>,
    cost: u32,
    highest_cost: u32,
}

impl Trial {
    /// What outcomes may be remembered by: it changes when the hash does.
    pub(crate) fn identity(&self) -> &[u8] {
        let hash = self.hash.as_ref().map(ExposeSecret::expose_secret);
        hash.map_or(b"", str::as_bytes)
    }

    /// Takes long: 2^cost steps of bcrypt.
    pub(crate) fn passes(&self, password: &[u8]) -> bool {
        let verify = |hash: &str| bcrypt::verify(password, hash).unwrap_or(false);
        let right = if let Some(hash) = &self.hash {
            verify(hash.expose_secret())
        } else {
            verify(&fake(self.cost));
            false
        };
        // A check of one cost takes as long as those of all lower ones together
        // and the lowest once more, so these make up for what is missing.
        for cost in self.cost..self.highest_cost {
            verify(&fake(cost));
        }
        right
    }
}

/// A hash of this cost that no password is known for.
fn fake(cost: u32) -> String {
    format!("$2b${cost:02}$abcdefghijklmnopqrstuuOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO")
}

/// The cost of a hash, or what is wrong with it.
fn cost(hash: &str) -> Result<u32, String> {
    if hash.len() < HASH_LENGTH {
        return Err(
            "the hashed password is too short to be a bcrypt hash; make one with `htpasswd -nBC 10 \
             USER`"
                .to_owned(),
        );
    }
    if !["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|version| hash.starts_with(version))
    {
        return Err(
            "the hashed password is not a bcrypt hash of the kinds 2a, 2b and 2y".to_owned(),
        );
    }
    let parts = HashParts::from_str(hash)
        .map_err(|_| "the hashed password is not a bcrypt hash".to_owned())?;
    let cost = parts.get_cost();
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        return Err(format!(
            "the bcrypt cost {cost} is not between {MIN_COST} and {MAX_COST}; each step doubles the \
             time of a check, 10 to 14 are usual"
        ));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_hash_is_a_hash_of_its_cost() {
        for known in MIN_COST..=MAX_COST {
            assert_eq!(cost(&fake(known)), Ok(known));
        }
        assert!(matches!(bcrypt::verify("", &fake(MIN_COST)), Ok(false)));
    }
}
