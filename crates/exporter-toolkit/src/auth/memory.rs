//! What is remembered of earlier password checks.

use std::collections::{HashSet, VecDeque};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// Stands for a name, a hash and a password together.
pub(super) type Key = [u8; 32];

/// Makes keys with a secret of its own, so that neither passwords nor anything
/// they could be guessed from stay in memory.
#[derive(Default)]
pub(super) struct Mixer {
    /// Drawn when it is first needed: the first random number of the process
    /// takes 25 ms of measuring the processor's jitter, which a server without
    /// passwords should not start with.
    secret: OnceLock<[u8; 32]>,
}

impl Mixer {
    fn secret(&self) -> &[u8; 32] {
        self.secret.get_or_init(|| {
            let mut secret = [0; 32];
            aws_lc_rs::default_provider()
                .secure_random
                .fill(&mut secret)
                .expect("the system's random numbers, without which TLS would not work either");
            secret
        })
    }

    /// The key of a check. What it was checked against is part of it, so a
    /// changed password makes the memory of the old one worthless.
    pub(super) fn key(&self, user: &[u8], against: &[u8], password: &[u8]) -> Key {
        let mut mixed = Sha256::new_with_prefix(self.secret());
        for part in [user, against, password] {
            // With the length in front no two lists of parts read alike
            // (CVE-2022-46146 was a cache that joined them with nothing).
            mixed.update((part.len() as u64).to_be_bytes());
            mixed.update(part);
        }
        mixed.finalize().into()
    }
}

/// The newest keys, so many at most.
pub(super) struct Memory {
    capacity: usize,
    keys: HashSet<Key>,
    oldest_first: VecDeque<Key>,
}

impl Memory {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            keys: HashSet::new(),
            oldest_first: VecDeque::new(),
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn insert(&mut self, key: Key) {
        if !self.keys.insert(key) {
            return;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > self.capacity
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut memory = Memory::new(3);
        for byte in [1, 2, 3, 3, 4] {
            memory.insert([byte; 32]);
        }
        let kept: Vec<u8> = (1..=4)
            .filter(|byte| memory.contains(&[*byte; 32]))
            .collect();
        assert_eq!(kept, [2, 3, 4]);
        assert_eq!(memory.oldest_first.len(), memory.keys.len());
    }

    proptest! {
        /// Parts that read alike when joined are told apart, wherever a
        /// crafted name or password moves the borders.
        #[test]
        fn keys_cannot_be_confused(text in "[a:]{0,12}", first in 0..=12usize, second in 0..=12usize) {
            let mixer = Mixer::default();
            let split = |at: usize| {
                text.as_bytes().split_at(at.min(text.len()))
            };
            let (user, password) = split(first);
            let (other_user, other_password) = split(second);
            prop_assert_eq!(
                mixer.key(user, b"h", password) == mixer.key(other_user, b"h", other_password),
                (user, password) == (other_user, other_password)
            );
        }
    }
}
