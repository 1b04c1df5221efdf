//! Names and bcrypt hashes of those who may ask.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bcrypt::HashParts;
use secrecy::{ExposeSecret, SecretString};

use super::error::Problem;
use super::schema::Text;

/// The least that bcrypt knows.
const MIN_COST: u32 = 4;
/// A check of this cost takes a minute or more; beyond, nobody would get in.
const MAX_COST: u32 = 20;
/// `$2y$10$`, 22 characters of salt, 31 of hash.
const HASH_LENGTH: usize = 60;

/// `basic_auth_users`: who may ask, by name.
#[derive(Clone, Default)]
pub struct Users {
    by_name: BTreeMap<String, SecretString>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.by_name.len())
    }
}

impl Users {
    pub(super) fn parse(written: BTreeMap<String, Text>) -> Result<Self, Problem> {
        let mut by_name = BTreeMap::new();
        for (name, text) in written {
            let hash = text.value.unwrap_or_default();
            if let Err(what) = check(&hash) {
                return Err(Problem::new(what)
                    .with_key("basic_auth_users")
                    .at(text.referenced));
            }
            by_name.insert(name, SecretString::from(hash));
        }
        Ok(Self { by_name })
    }

    /// Whether nobody is named, so that everyone may ask.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many are named.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The bcrypt hash of a user's password.
    pub fn hash(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(ExposeSecret::expose_secret)
    }

    /// Somebody's hash, for checking the password of a user who does not exist
    /// at the price of one who does. `pick` chooses; `None` without users.
    pub fn any_hash(&self, pick: u64) -> Option<&str> {
        let count = u64::try_from(self.by_name.len()).ok()?;
        let index = usize::try_from(pick.checked_rem(count)?).ok()?;
        let hash = self.by_name.values().nth(index)?;
        Some(hash.expose_secret())
    }
}

fn check(hash: &str) -> Result<(), String> {
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
        return Err("the hashed password is no bcrypt hash of the kinds 2a, 2b and 2y".to_owned());
    }
    let parts = HashParts::from_str(hash)
        .map_err(|_| "the hashed password is no bcrypt hash".to_owned())?;
    let cost = parts.get_cost();
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        return Err(format!(
            "the bcrypt cost {cost} is not from {MIN_COST} to {MAX_COST}; each step doubles the time \
             of a check, 10 to 14 are usual"
        ));
    }
    Ok(())
}
