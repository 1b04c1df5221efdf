//! The writer: one for all formats, which differ in a family's head and in the
//! last line.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::blocks::Blocks;
use super::catalogue::{ConnectionValue, Family, Own, Source, Subject, Value, families};
use super::chunks::Chunks;
use super::gzip::Gzip;
use super::lines::Lines;
use super::options::Options;
use super::piecewise::{CHUNK_BYTES, Text};
use super::registry;
use super::text::put_label;
use crate::model::{Fleet, Scope, Timestamp};

/// A block has at least so many bytes, and at most so many and those of one
/// connection.
const BLOCK_BYTES: RangeInclusive<usize> = 96 * 1024..=384 * 1024;

/// Of so many connections one may end a block.
const BLOCK_ENDS: u32 = 16;

/// Where the text may be cut.
#[derive(Clone, Copy)]
enum Cut {
    /// From this length on.
    At(usize),
    /// Behind connections whose labels say so: another connection that comes or
    /// goes moves none of the other cuts.
    Block,
}

impl Cut {
    /// Whether it is cut behind the connection of these labels.
    #[inline]
    fn is_here(self, out: &[u8], labels: &str) -> bool {
        match self {
            Self::At(limit) => out.len() >= limit,
            Self::Block if out.len() < *BLOCK_BYTES.start() => false,
            Self::Block => {
                // FNV-1a, whose upper bits are mixed best.
                let mix = |mark: u32, byte| (mark ^ u32::from(byte)).wrapping_mul(0x0100_0193);
                let ends = labels.bytes().fold(0x811c_9dc5, mix) < u32::MAX / BLOCK_ENDS;
                ends || out.len() >= *BLOCK_BYTES.end()
            }
        }
    }
}

/// The answer to a scrape or a probe, and how far it is written: rendered as it
/// is read, on from where it stopped.
#[derive(Debug)]
pub(crate) struct Exposition {
    fleet: Arc<Fleet>,
    own: Own,
    now: Timestamp,
    options: Options,
    /// Index among [`families`]; one past them is the end of the text.
    family: usize,
    /// The family at `family`, once it is begun.
    begun: Option<Lines>,
    /// Index of the scope, or of the account.
    outer: usize,
    /// Index within the scope.
    inner: usize,
    scratch: String,
}

impl Exposition {
    /// The whole answer, as the socket takes it. `now` is this machine's time:
    /// ages are as of then. What is compressed is kept in `blocks`.
    pub(crate) fn body(
        fleet: Arc<Fleet>,
        own: Own,
        now: Timestamp,
        options: Options,
        blocks: &Arc<Blocks>,
    ) -> Chunks<Self> {
        let gzip = options.gzip.then(|| Gzip::new(blocks, &fleet, options));
        Chunks::new(Self::new(fleet, own, now, options), gzip)
    }

    pub(super) fn new(fleet: Arc<Fleet>, own: Own, now: Timestamp, options: Options) -> Self {
        Self {
            fleet,
            own,
            now,
            options,
            family: 0,
            begun: None,
            outer: 0,
            inner: 0,
            scratch: String::new(),
        }
    }

    /// An answer of `/probe` has only what is about the connection and the
    /// probe.
    fn wants(&self, family: &Family) -> bool {
        let subject = match family.subject {
            Subject::Connection | Subject::ConfiguredConnection | Subject::Probe => true,
            Subject::Scope | Subject::Account | Subject::Exporter => self.own.probe.is_none(),
        };
        subject
            && family
                .collector
                .is_none_or(|collector| self.options.collectors.has(collector))
    }

    fn advance(&mut self, out: &mut Vec<u8>, cut_of: impl Fn(&Family) -> Cut) -> (bool, bool) {
        while let Some(family) = families().get(self.family) {
            if self.wants(family) {
                let cut = cut_of(family);
                let is_block = matches!(cut, Cut::Block);
                if is_block && !out.is_empty() {
                    return (false, false);
                }
                let mut lines = self
                    .begun
                    .take()
                    .unwrap_or_else(|| Lines::new(family, self.options));
                if !self.write(&mut lines, family, out, cut) {
                    self.begun = Some(lines);
                    return (false, is_block);
                }
                if is_block && !out.is_empty() {
                    self.end_family();
                    return (false, true);
                }
            }
            self.end_family();
        }
        if self.family == families().len() {
            self.family += 1;
            if self.options.format.is_open_metrics() {
                out.extend_from_slice(b"# EOF\n");
            }
        }
        (true, false)
    }

    fn end_family(&mut self) {
        self.family += 1;
        self.outer = 0;
        self.inner = 0;
    }

    fn write(&mut self, lines: &mut Lines, family: &Family, out: &mut Vec<u8>, cut: Cut) -> bool {
        match family.source {
            Source::Connection(value) => self.connections(lines, value, out, cut),
            Source::Found => self.found(lines, out, cut),
            Source::Scope(_) | Source::Account(_) => self.groups(lines, family, out, cut),
            Source::Own(value) => {
                if let Some(value) = value(&self.own) {
                    lines.sample(out, "", "", value);
                }
                true
            }
            Source::Gathered => {
                let mut gathered = self.own.gathered.iter();
                if let Some(gathered) = gathered.find(|gathered| gathered.name() == family.name) {
                    registry::write(out, lines, family, gathered);
                }
                true
            }
        }
    }

    /// Families about scopes and accounts.
    fn groups(&mut self, lines: &mut Lines, family: &Family, out: &mut Vec<u8>, cut: Cut) -> bool {
        loop {
            let scratch = &mut self.scratch;
            let mut put = |scope: &Scope, text: &str, value: Option<Value>| {
                let Some(value) = value else { return };
                scratch.clear();
                if let [label] = family.labels {
                    #[cfg(test)]
                    assert!(label.values.is_none_or(|values| values.contains(&text)));
                    put_label(scratch, label.name, text);
                }
                lines.sample(out, scratch, scope.label_suffix(), value);
            };
            match family.source {
                Source::Scope(tell) => {
                    let Some(view) = self.fleet.scopes.get(self.outer) else {
                        return true;
                    };
                    tell(view, &mut |text, value| put(&view.scope, text, value));
                }
                Source::Account(tell) => {
                    let Some(view) = self.fleet.accounts.get(self.outer) else {
                        return true;
                    };
                    let scope = Scope::new(view.account.as_deref(), None);
                    tell(view, &mut |text, value| put(&scope, text, value));
                }
                _ => return true,
            }
            self.outer += 1;
            if cut.is_here(out, "") {
                return false;
            }
        }
    }

    fn connections(
        &mut self,
        lines: &mut Lines,
        value: ConnectionValue,
        out: &mut Vec<u8>,
        cut: Cut,
    ) -> bool {
        while let Some(view) = self.fleet.scopes.get(self.outer) {
            if let Some(snapshot) = &view.snapshot {
                let now = snapshot.clock.apply(self.now);
                for connection in snapshot.connections.iter().skip(self.inner) {
                    lines.connection(out, value, connection, now);
                    self.inner += 1;
                    if cut.is_here(out, connection.labels.as_str()) {
                        return false;
                    }
                }
            }
            self.outer += 1;
            self.inner = 0;
        }
        true
    }

    fn found(&mut self, lines: &mut Lines, out: &mut Vec<u8>, cut: Cut) -> bool {
        while let Some(view) = self.fleet.scopes.get(self.outer) {
            if let Some(snapshot) = &view.snapshot {
                for (id, found) in snapshot.found.iter().skip(self.inner) {
                    self.scratch.clear();
                    put_label(&mut self.scratch, "connection_id", id);
                    let value = Value::Integer(u64::from(*found));
                    lines.sample(out, &self.scratch, view.scope.label_suffix(), value);
                    self.inner += 1;
                    if cut.is_here(out, "") {
                        return false;
                    }
                }
            }
            self.outer += 1;
            self.inner = 0;
        }
        true
    }
}

impl Text for Exposition {
    /// One connection's lines of one family are not split, so `out` can become
    /// longer by those.
    fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> bool {
        self.advance(out, |_| Cut::At(limit)).0
    }

    /// Lines of one family, where they last as long as what they are about.
    fn block(&mut self, out: &mut Vec<u8>) -> (bool, bool) {
        self.advance(out, |family| {
            if family.lasts() {
                Cut::Block
            } else {
                Cut::At(CHUNK_BYTES)
            }
        })
    }
}
