//! Watching: while somebody asks where numbers go wrong, the tape keeps the value of every node and
//! the line of the user's code that recorded it. Nothing of this is asked for while recording: who
//! watches freezes the tape and looks at what is new after each line.

use super::Tape;
use crate::kernel::{Index, SINK};

/// The line of nodes of which it is not known.
pub const NO_LINE: u32 = u32::MAX;

/// Below this number of nodes the tape is not compacted for having been watched.
const FLOOR: usize = 1 << 13;

/// What is kept of each node.
#[derive(Debug)]
pub(super) struct Watch {
    values: Vec<f64>,
    lines: Vec<u32>,
    /// How many watch.
    watchers: u32,
    /// Compaction is due when the tape is longer; 0 just after one.
    limit: usize,
}

impl Watch {
    /// Nodes from `len` on are gone.
    pub(super) fn cut(&mut self, len: usize) {
        self.values.truncate(len);
        self.lines.truncate(len);
    }

    /// Nodes have moved down, or are gone where the new place is negative.
    pub(super) fn slide(&mut self, moved: &[Index]) {
        let mut len = 0;
        for from in (0..self.lines.len()).filter(|&from| moved[from] >= 0) {
            self.values[len] = self.values[from];
            self.lines[len] = self.lines[from];
            len += 1;
        }
        self.cut(len);
    }
}

impl Tape {
    /// Begins to watch: places stay what they are from one [`inspect`](Tape::inspect) to the next.
    pub fn watch(&mut self) {
        self.freeze();
        let watch = self.recalled.watch.get_or_insert_with(|| {
            Box::new(Watch { values: Vec::new(), lines: Vec::new(), watchers: 0, limit: FLOOR })
        });
        watch.watchers += 1;
    }

    /// Ends what [`watch`](Tape::watch) began.
    pub fn unwatch(&mut self) {
        let last = self.recalled.watch.as_mut().is_none_or(|watch| {
            watch.watchers -= 1;
            watch.watchers == 0
        });
        if last {
            self.recalled.watch = None;
        }
        self.thaw();
    }

    /// Looks at the nodes that were recorded since the last call, all by the line number `line` of a
    /// list that the caller keeps. Returns the first of them whose value is no finite number; `leaf`
    /// gives the present data of a slot.
    pub fn inspect(&mut self, line: u32, leaf: impl Fn(u32) -> f64) -> Option<Index> {
        let known = self.recalled.watch.as_ref()?.values.len();
        if known == self.nodes.len() {
            return None; // most lines record nothing
        }
        self.look(known, line, leaf)
    }

    fn look(&mut self, start: usize, line: u32, leaf: impl Fn(u32) -> f64) -> Option<Index> {
        let mut watch = self.recalled.watch.take()?;
        let mut leaves = Vec::new();
        for i in start..self.nodes.len() {
            self.each_operand(i, |at| {
                if at < SINK {
                    leaves.push(at);
                }
            });
        }
        leaves.sort_unstable();
        leaves.dedup();
        let past = self.past(&leaves);
        let mut bad = None;
        for i in start as Index..self.nodes.len() as Index {
            let values = &watch.values;
            let value = self.compute(i, |at| {
                if at < 0 { past.leaf(!at as u32, i, &leaf) } else { values[at as usize] }
            });
            watch.values.push(value);
            watch.lines.push(line);
            if bad.is_none() && !value.is_finite() {
                bad = Some(i);
            }
        }
        self.recalled.end = self.recalled.end.max(watch.values.len());
        self.recalled.watch = Some(watch);
        bad
    }

    /// Whether a watched tape has become so long that the next [`make_room`](Tape::make_room) that
    /// finds it thawed shall compact it.
    pub fn overgrown(&mut self) -> bool {
        let len = self.nodes.len();
        let Some(watch) = self.recalled.watch.as_mut() else { return false };
        if watch.limit == 0 {
            watch.limit = FLOOR.max(2 * len); // by what the last compaction has left
        }
        let due = len > watch.limit;
        if due {
            (watch.limit, self.limit) = (0, 0);
        }
        due
    }

    /// The line that recorded the node at `at`; [`NO_LINE`] where it is not known.
    #[must_use]
    pub fn line(&self, at: Index) -> u32 {
        let lines = self.recalled.watch.as_ref().map(|watch| &watch.lines);
        let line = usize::try_from(at).ok().and_then(|i| lines?.get(i));
        line.copied().unwrap_or(NO_LINE)
    }
}
