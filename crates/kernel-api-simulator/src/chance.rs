//! Chance that is the same on every run: a small generator per connection, so
//! that what happens to one does not depend on when the others are looked at.

/// `SplitMix64` (Steele, Lea and Flood, 2014): one add and a mix per number.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scatters the bits of `value`.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Chance {
    /// The generator of the `index`th thing in the world of `seed`.
    pub(crate) const fn new(seed: u64, index: u64) -> Self {
        Self(mix(
            mix(seed.wrapping_add(GOLDEN)) ^ index.wrapping_mul(GOLDEN)
        ))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of the remainder is below 2^-40 for every bound used here.
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low).max(0)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(span.saturating_add(1))).unwrap_or(0))
    }

    /// Whether something of `percent` likelihood happens.
    pub(crate) fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// One of `items`, which are not empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64);
        &items[usize::try_from(index).expect("below the length of a slice")]
    }

    /// A name of `length` lowercase letters and digits, as the API's ids are.
    pub(crate) fn name(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut name = String::with_capacity(length);
        let mut bits = 0;
        for position in 0..length {
            // Twelve letters fit into 64 bits.
            if position % 12 == 0 {
                bits = self.next();
            }
            name.push(char::from(LETTERS[(bits % 36) as usize]));
            bits /= 36;
        }
        name
    }
}
