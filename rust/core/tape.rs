//! The tape: recording, reverse sweep and garbage collection.
//!
//! A value outside holds a *slot*. Its place on the tape is a leaf (the slot itself) or a node,
//! which then names the slot as its owner. A node lives while a live value reaches it: the dead
//! end of the tape is cut as values go, all of it when no node has an owner, and the rest is
//! compacted when the tape has doubled since the last compaction.

mod collect;
mod recall;
mod record;
mod trace;
mod watch;

pub use recall::Recorded;
pub use record::Layer;
pub use watch::NO_LINE;

use crate::Error;
use crate::kernel::{Index, NOBODY, Node, Run, SINK, Sweep, Tag, Terms};
use recall::Recalled;

/// An operand: its place and its value. A constant has no place but the sink.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    pub(crate) at: Index,
    pub(crate) value: f64,
}

impl Operand {
    /// A number that is not differentiated.
    #[inline(always)]
    #[must_use]
    pub const fn constant(value: f64) -> Operand {
        Operand { at: SINK, value }
    }

    /// The value at `at`, a place that the tape gave out.
    #[inline(always)]
    #[must_use]
    pub const fn new(at: Index, value: f64) -> Operand {
        Operand { at, value }
    }

    /// Its place.
    #[inline(always)]
    #[must_use]
    pub const fn at(self) -> Index {
        self.at
    }

    /// Its value.
    #[inline(always)]
    #[must_use]
    pub const fn value(self) -> f64 {
        self.value
    }
}

/// The leaf of slot `slot`.
#[inline(always)]
#[must_use]
pub const fn leaf(slot: u32) -> Index {
    !(slot as Index)
}

/// A Wengert list.
#[derive(Debug)]
pub struct Tape {
    nodes: Vec<Node>,
    tags: Vec<Tag>,
    runs: Vec<Run>,
    terms: Terms,
    /// Room is made when the tape has this many nodes.
    limit: usize,
    /// The same for terms.
    terms_limit: usize,
    /// Number of nodes that have an owner.
    owned: usize,
    /// `grad` of every slot.
    grads: Vec<f64>,
    /// Slots that can be given out.
    free: Vec<u32>,
    /// Slots of leaves that are gone but may have nodes still, with their last value.
    retired: Vec<(u32, f64)>,
    /// Data that leaves had before they were assigned to: slot, length of the tape, value.
    assigned: Vec<(u32, u32, f64)>,
    /// Shortest the tape has been since the last assignment.
    shortest: u32,
    adjoints: Vec<f64>,
    /// Scratch for gathering, all zero.
    marks: Vec<u64>,
    recalled: Recalled,
    /// Room for `retired` and `assigned` before the tape is compacted.
    stale_limit: usize,
    /// How often in a row the tape was emptied far below its capacity.
    idle: u32,
    /// How often the tape was frozen and not thawed.
    frozen: u32,
}

impl Default for Tape {
    fn default() -> Tape {
        Tape::new()
    }
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Tape {
        Tape {
            nodes: Vec::new(),
            tags: Vec::new(),
            runs: Vec::new(),
            terms: Terms::default(),
            limit: 0,
            terms_limit: 0,
            owned: 0,
            grads: vec![0.0], // slot 0 is the sink
            free: Vec::new(),
            retired: Vec::new(),
            assigned: Vec::new(),
            shortest: 0,
            adjoints: Vec::new(),
            marks: Vec::new(),
            recalled: Recalled::default(),
            stale_limit: 0,
            idle: 0,
            frozen: 0,
        }
    }

    /// Number of nodes.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A slot for a new value.
    ///
    /// # Errors
    /// [`Error::TooManyValues`] when all slots are in use.
    pub fn open(&mut self) -> Result<u32, Error> {
        if let Some(slot) = self.free.pop() {
            self.grads[slot as usize] = 0.0;
            return Ok(slot);
        }
        if self.grads.len() > Tag::MOST_OWNERS as usize {
            return Err(Error::TooManyValues);
        }
        self.grads.push(0.0);
        Ok((self.grads.len() - 1) as u32)
    }

    /// Gives back the slot of a value that has no node and was never an operand.
    pub fn release(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// The `grad` of the value in `slot`.
    #[inline(always)]
    #[must_use]
    pub fn grad(&self, slot: u32) -> f64 {
        self.grads[slot as usize]
    }

    /// Sets the `grad` of the value in `slot`.
    #[inline(always)]
    pub fn set_grad(&mut self, slot: u32, grad: f64) {
        self.grads[slot as usize] = grad;
    }

    /// Owners of the nodes, in the order of the tape; [`NOBODY`] where no value holds the node.
    pub fn owners(&self) -> impl Iterator<Item = u32> {
        self.tags.iter().map(|tag| tag.owner())
    }

    /// The slot of the value that holds the node at `at`; [`NOBODY`] where none does.
    #[must_use]
    pub fn owner(&self, at: Index) -> u32 {
        self.tags[at as usize].owner()
    }

    /// Makes `slot` the owner of the node `at`, which had none.
    pub fn own(&mut self, at: Index, slot: u32) {
        debug_assert_eq!(self.owner(at), NOBODY);
        self.tags[at as usize].set_owner(slot);
        self.owned += 1;
    }

    /// Sweeps backwards from `root` with this seed: owned nodes that it reaches get their adjoint
    /// as `grad`, leaves have theirs added to it.
    #[inline(never)]
    pub fn backward(&mut self, root: Index, seed: f64) {
        if root < 0 {
            self.recalled.forget_sweep();
            self.grads[!root as usize] += seed;
            return;
        }
        self.recalled.swept(root, seed);
        let scope = self.sweep(root, seed);
        let base = self.base();
        match scope {
            Scope::All => {
                let leaves = self.adjoints[..base].iter_mut().rev();
                for (grad, adjoint) in self.grads.iter_mut().zip(leaves) {
                    *grad += *adjoint;
                    *adjoint = 0.0;
                }
            }
            Scope::Leaves(leaves) => {
                for at in leaves {
                    let adjoint = &mut self.adjoints[(base as isize + at as isize) as usize];
                    self.grads[!at as usize] += *adjoint;
                    *adjoint = 0.0;
                }
            }
        }
        // What went to constants goes: another leaf may stand there in the next sweep.
        self.adjoints[base - 1] = 0.0;
        self.grads[0] = 0.0;
    }

    /// Where node 0 stands in the array of adjoints.
    fn base(&self) -> usize {
        self.grads.capacity()
    }

    /// Runs the nodes from `root` downwards. The leaves' adjoints stay in the array.
    fn sweep(&mut self, root: Index, seed: f64) -> Scope {
        let base = self.base();
        let need = base + self.nodes.len();
        if self.adjoints.len() < need {
            // All zero between sweeps, so there is nothing to move: fresh pages are zero already.
            self.adjoints =
                vec![0.0; need.max(base + self.nodes.capacity().min(2 * self.nodes.len()))];
        }
        self.adjoints[base + root as usize] = seed;
        let (rest, passed) = self.kernel(base).dense(root as usize);
        if rest == 0 {
            self.settle(root, &passed);
        }
        // Few nodes may reach few of many leaves: then those are looked up, not all looked at.
        if rest == 0 && base <= 8 * (root as usize) + 4096 {
            return Scope::All;
        }
        let mut marks = std::mem::take(&mut self.marks);
        let (nodes, leaves) = self.reach_with(root, &mut marks);
        self.marks = marks;
        for i in passed {
            if rest != 0 && nodes.binary_search(&(i as Index)).is_ok() {
                self.grads[self.tags[i].owner() as usize] = 0.0;
            }
        }
        let below = nodes.partition_point(|&i| (i as usize) < rest);
        self.kernel(base).sparse(&nodes[..below]);
        Scope::Leaves(leaves)
    }

    /// Sets the `grad` of those of the nodes `passed`, descending, that `root` reaches: their
    /// adjoint is zero.
    fn settle(&mut self, root: Index, passed: &[usize]) {
        let Some(&last) = passed.last() else { return };
        let mut reached = vec![false; root as usize + 1 - last];
        reached[root as usize - last] = true;
        for i in (last..=root as usize).rev() {
            if reached[i - last] {
                self.each_operand(i, |at| {
                    if at >= last as Index {
                        reached[at as usize - last] = true;
                    }
                });
            }
        }
        for &i in passed.iter().filter(|&&i| reached[i - last]) {
            self.grads[self.tags[i].owner() as usize] = 0.0;
        }
    }

    fn kernel(&mut self, base: usize) -> Sweep<'_> {
        Sweep {
            nodes: &self.nodes,
            runs: &self.runs,
            terms: &self.terms,
            tags: &self.tags,
            adjoints: &mut self.adjoints,
            base,
            grads: &mut self.grads,
        }
    }
}

/// Which leaves a sweep may have reached.
enum Scope {
    All,
    Leaves(Vec<Index>),
}
