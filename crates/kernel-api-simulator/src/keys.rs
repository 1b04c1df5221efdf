//! Who may ask, and how often.

use std::time::Duration;

use tokio::time::Instant;

/// What a key may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// Every project, one per request.
    Organization,
    /// One project, by id.
    Project(String),
    /// Only actions that a policy lists; none of them is served here.
    Policy,
}

/// The keys that are accepted; the first is the organisation's own.
pub(crate) struct Keys(Vec<(String, KeyScope)>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} …)", self.0.len())
    }
}

impl Keys {
    pub(crate) fn new(key: String) -> Self {
        Self(vec![(key, KeyScope::Organization)])
    }

    /// Replaces the organisation's key.
    pub(crate) fn rotate(&mut self, key: String) {
        if let Some(first) = self.0.first_mut() {
            first.0 = key;
        }
    }

    pub(crate) fn add(&mut self, key: String, scope: KeyScope) {
        self.0.push((key, scope));
    }

    /// What `key` may see; `None` when it is not accepted.
    pub(crate) fn scope(&self, key: Option<&str>) -> Option<KeyScope> {
        let found = self.0.iter().find(|(known, _)| Some(known.as_str()) == key);
        found.map(|(_, scope)| scope.clone())
    }
}

/// A token bucket: as many requests a minute, all at once if they like.
#[derive(Debug)]
pub(crate) struct Bucket {
    limit: u32,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            tokens: f64::from(limit),
            filled: Instant::now(),
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes a token, or says how many seconds to wait for the next.
    pub(crate) fn take(&mut self) -> Option<u64> {
        let now = Instant::now();
        let per_second = f64::from(self.limit) / 60.0;
        let gained = now.duration_since(self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + gained).min(f64::from(self.limit));
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / per_second)
            .unwrap_or(Duration::from_mins(1));
        Some(
            wait.as_millis()
                .div_ceil(1000)
                .max(1)
                .try_into()
                .unwrap_or(60),
        )
    }

    pub(crate) fn remaining(&self) -> u32 {
        // Between 0 and the limit, so the cast only drops the fraction.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            self.tokens as u32
        }
    }
}

/// Reads `100/min`, or the number alone.
///
/// # Errors
/// One line that says what a rate looks like.
pub fn parse_rate(text: &str) -> Result<u32, String> {
    let number = text
        .strip_suffix("/min")
        .or_else(|| text.strip_suffix("/m"))
        .unwrap_or(text);
    match number.trim().parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(format!("`{text}` is not a rate such as 100/min")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_lets_its_limit_through_and_refills() {
        let mut bucket = Bucket::new(60);
        for left in (0..60).rev() {
            assert_eq!(bucket.take(), None);
            assert_eq!(bucket.remaining(), left);
        }
        assert_eq!(bucket.take(), Some(1));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(bucket.take(), None);
        assert_eq!(bucket.take(), None);
        assert_eq!(bucket.take(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_bucket_names_whole_seconds() {
        let mut bucket = Bucket::new(7);
        while bucket.take().is_none() {}
        // 60 s / 7 is 8.57 s.
        assert_eq!(bucket.take(), Some(9));
    }

    #[test]
    fn debug_output_has_no_key() {
        let keys = Keys::new("sk_very_private".to_owned());
        assert!(!format!("{keys:?}").contains("private"));
    }
}
