//! The search for the end of a long list of unknown length, by doubling. Pure.

/// From this many pages on, the end of a list of unknown length is looked for
/// by doubling: a probe that misses wastes one request, a list of thousands of
/// pages read one by one would miss every deadline.
const GALLOP_FROM: u64 = 32;

/// A gap this small is walked, not probed.
const SMALL_GAP: u64 = 8;

/// The search for the end of a long list of unknown length.
#[derive(Debug, Default)]
pub(super) struct Gallop {
    /// To be sent.
    pub(super) due: Option<u64>,
    /// Sent, not answered.
    pub(super) out: Option<u64>,
    /// Sent ahead of their turn, and not behind the end.
    pub(super) asked: Vec<u64>,
    /// A page known to be behind the end.
    beyond: Option<u64>,
}

impl Gallop {
    /// Plans the next probe behind the pages before `sure`, if one is due.
    pub(super) fn plan(&mut self, sure: u64) {
        if self.out.is_some() || sure < GALLOP_FROM {
            return;
        }
        let probe = match self.beyond {
            Some(beyond) if beyond.saturating_sub(sure) <= SMALL_GAP => return,
            Some(beyond) => sure + (beyond - sure) / 2,
            None => sure * 2,
        };
        self.due = Some(probe);
        self.out = Some(probe);
        self.asked.push(probe);
    }

    /// The page at `index` is behind the end.
    pub(super) fn missed(&mut self, index: u64) {
        self.beyond = Some(index);
        self.asked.retain(|asked| *asked != index);
    }
}
