//! Looking back: what the tape knows of a node. Values of nodes are not kept, since the hot loops
//! do not need them; they are computed again here, from what the leaves were at the recording.

use std::collections::HashMap;

use super::record::{NO_ACTIVATION, activate, affine, logsumexp, total};
use super::watch::Watch;
use super::{Operand, Tape};
use crate::kernel::{Index, NOBODY, RUN, Run, SINK, contribution};
use crate::op::Op;

/// A node as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The operation.
    pub op: Op,
    /// The activation of an affine node.
    pub activation: Option<Op>,
    /// The operands in their order, with their partial derivatives; a constant's place is
    /// [`SINK`] and the number is the constant. An affine node has its inputs, its weights and its
    /// bias, a dot product its two runs.
    pub operands: Vec<(Index, f64)>,
}

/// What has been computed again, for as long as the nodes stay where they are.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    values: HashMap<Index, f64>,
    adjoints: HashMap<Index, f64>,
    /// Root and seed of the last sweep.
    root: Option<(Index, f64)>,
    /// No node from here on is remembered.
    pub(super) end: usize,
    /// What is kept for whoever watches.
    pub(super) watch: Option<Box<Watch>>,
}

/// Data that leaves had before.
pub(super) struct Past {
    retired: HashMap<u32, f64>,
    /// For nodes before a place, by slot.
    before: HashMap<u32, Vec<(u32, f64)>>,
}

impl Past {
    /// The data of the leaf in `slot` when `node` was recorded; `now` gives what it is at present.
    pub(super) fn leaf(&self, slot: u32, node: Index, now: &impl Fn(u32) -> f64) -> f64 {
        let earlier = self.before.get(&slot).and_then(|e| e.iter().find(|e| e.0 > node as u32));
        match earlier {
            Some(&(_, value)) => value,
            None => self.retired.get(&slot).copied().unwrap_or_else(|| now(slot)),
        }
    }
}

impl Recalled {
    /// Whether anything is remembered.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.end > 0
    }

    /// Nodes from `len` on are gone.
    #[inline(always)]
    pub fn cut(&mut self, len: usize) {
        if len < self.end {
            self.reset(len);
        }
    }

    #[inline(never)]
    fn reset(&mut self, len: usize) {
        let mut watch = self.watch.take();
        if let Some(watch) = &mut watch {
            watch.cut(len);
        }
        let end = if watch.is_some() { len } else { 0 };
        *self = Recalled { end, watch, ..Recalled::default() };
    }

    /// Root and seed of the last sweep.
    pub fn last_sweep(&self) -> Option<(Index, f64)> {
        self.root
    }

    /// The last sweep reached no node.
    pub fn forget_sweep(&mut self) {
        self.adjoints.clear();
        self.root = None;
    }

    /// A sweep from `root` is the last one now.
    pub fn swept(&mut self, root: Index, seed: f64) {
        self.adjoints.clear();
        self.root = Some((root, seed));
        self.end = self.end.max(root as usize + 1);
    }
}

impl Tape {
    /// The node at `at`, with partial derivatives as they were recorded.
    #[must_use]
    pub fn recorded(&self, at: Index) -> Recorded {
        let node = self.nodes[at as usize];
        let op = self.tags[at as usize].op();
        if node.at[0] != RUN {
            let arity = op.row().operands.len();
            let named = node.at.map(|operand| if operand == at { SINK } else { operand });
            let operands = named.into_iter().zip(node.partial).take(arity).collect();
            return Recorded { op, activation: None, operands };
        }
        let run = self.runs[node.at[1] as usize];
        let activation =
            (run.activation != NO_ACTIVATION).then(|| Op::ALL[run.activation as usize]);
        let mut operands = self.terms_of(run.start, run.len);
        if run.bias != RUN {
            let weights = self.terms_of(run.weights, run.len);
            let by = |(&(at, own), &(_, other)): (&(Index, f64), &(Index, f64))| {
                (at, if at == SINK { own } else { contribution(node.partial[0], other) })
            };
            let mut all: Vec<_> = operands.iter().zip(&weights).map(by).collect();
            all.extend(weights.iter().zip(&operands).map(by));
            if op == Op::Affine {
                let constant = run.bias == SINK;
                all.push((run.bias, node.partial[usize::from(constant)]));
            }
            operands = all;
        }
        Recorded { op, activation, operands }
    }

    fn terms_of(&self, start: u32, len: u32) -> Vec<(Index, f64)> {
        let range = start as usize..(start + len) as usize;
        self.terms.at[range.clone()]
            .iter()
            .copied()
            .zip(self.terms.number[range].iter().copied())
            .collect()
    }

    /// Calls `f` with the place of every operand of node `i` that is not a constant.
    pub(super) fn each_operand(&self, i: usize, mut f: impl FnMut(Index)) {
        let mut call = |at: Index| {
            if at != SINK && at != i as Index {
                f(at);
            }
        };
        let node = self.nodes[i];
        if node.at[0] != RUN {
            node.at.into_iter().for_each(call);
            return;
        }
        let Run { start, len, weights, bias, .. } = self.runs[node.at[1] as usize];
        self.terms.at[start as usize..(start + len) as usize].iter().for_each(|&at| call(at));
        if bias != RUN {
            self.terms.at[weights as usize..(weights + len) as usize]
                .iter()
                .for_each(|&at| call(at));
            call(bias);
        }
    }

    /// The nodes that `root` reaches, itself among them, and the leaves; both ascending.
    #[must_use]
    pub fn reach(&self, root: Index) -> (Vec<Index>, Vec<Index>) {
        self.reach_with(root, &mut Vec::new())
    }

    /// As [`reach`](Tape::reach), with marks to use, which are all zero before and after: gathering
    /// few nodes of a long tape costs no more than those.
    pub(super) fn reach_with(&self, root: Index, seen: &mut Vec<u64>) -> (Vec<Index>, Vec<Index>) {
        if seen.len() <= root as usize / 64 {
            seen.resize(root as usize / 64 + 1, 0);
        }
        seen[root as usize / 64] |= 1 << (root % 64);
        let (mut nodes, mut leaves, mut next) = (vec![root], Vec::new(), 0);
        while next < nodes.len() {
            let i = nodes[next] as usize;
            next += 1;
            self.each_operand(i, |at| {
                if at < 0 {
                    leaves.push(at);
                } else {
                    let (word, bit) = (&mut seen[at as usize / 64], 1 << (at % 64));
                    if *word & bit == 0 {
                        *word |= bit;
                        nodes.push(at);
                    }
                }
            });
        }
        for &at in &nodes {
            seen[at as usize / 64] = 0;
        }
        nodes.sort_unstable();
        leaves.sort_unstable();
        leaves.dedup();
        (nodes, leaves)
    }

    /// The value of node `at` as it was recorded; `leaf` gives the present data of a slot.
    pub fn value(&mut self, at: Index, leaf: impl Fn(u32) -> f64) -> f64 {
        if let Some(&value) = self.recalled.values.get(&at) {
            return value;
        }
        let (nodes, leaves) = self.reach(at);
        let past = self.past(&leaves);
        let leaf = |slot: u32, node: Index| past.leaf(slot, node, &leaf);
        let mut values = std::mem::take(&mut self.recalled.values);
        for &i in &nodes {
            if !values.contains_key(&i) {
                let operand = |at: Index| {
                    if at < 0 { leaf(!at as u32, i) } else { values[&at] }
                };
                values.insert(i, self.compute(i, operand));
            }
        }
        let value = values[&at];
        self.recalled.values = values;
        self.recalled.end = self.recalled.end.max(at as usize + 1);
        value
    }

    /// What is known of earlier data of these leaves, ascending.
    pub(super) fn past(&self, leaves: &[Index]) -> Past {
        // Much may be kept for leaves elsewhere on the tape.
        let here = |slot: u32| leaves.binary_search(&!(slot as Index)).is_ok();
        let retired = self.retired.iter().copied().filter(|&(slot, _)| here(slot)).collect();
        let mut before: HashMap<u32, Vec<(u32, f64)>> = HashMap::new();
        for &(slot, len, value) in self.assigned.iter().filter(|&&(slot, ..)| here(slot)) {
            before.entry(slot).or_default().push((len.min(self.shortest), value));
        }
        Past { retired, before }
    }

    /// The data that leaves had when a node was recorded, for pairs of a leaf and a node.
    pub fn leaf_values(&self, uses: &[(Index, Index)], leaf: impl Fn(u32) -> f64) -> Vec<f64> {
        let mut leaves: Vec<Index> = uses.iter().map(|&(leaf, _)| leaf).collect();
        leaves.sort_unstable();
        let past = self.past(&leaves);
        uses.iter().map(|&(at, node)| past.leaf(!at as u32, node, &leaf)).collect()
    }

    /// Root of the last sweep.
    #[must_use]
    pub fn swept_from(&self) -> Option<Index> {
        self.recalled.root.map(|(root, _)| root)
    }

    /// The value of node `i` from its operands' values.
    pub(super) fn compute(&self, i: Index, operand: impl Fn(Index) -> f64) -> f64 {
        let Recorded { op, activation, operands } = self.recorded(i);
        let value = |&(at, number): &(Index, f64)| if at == SINK { number } else { operand(at) };
        let x: Vec<f64> = operands.iter().map(value).collect();
        let constants = || x.iter().map(|&x| Operand::constant(x)).collect::<Vec<_>>();
        match op {
            Op::Sum => total(&constants()),
            Op::Logsumexp => logsumexp(&constants()).0,
            Op::Dot | Op::Affine => {
                let n = x.len() / 2;
                let (inputs, rest) = x.split_at(n);
                let bias = if op == Op::Affine { rest[n] } else { 0.0 };
                let sum = affine(inputs.iter().copied(), rest[..n].iter().copied(), bias);
                activate(activation, sum).0
            }
            _ => op.apply(&x).unwrap_or(f64::NAN),
        }
    }

    /// The adjoint that the last sweep gave node `at`; 0 where it did not reach it.
    pub fn adjoint(&mut self, at: Index) -> f64 {
        let Some((root, seed)) = self.recalled.root else {
            return 0.0;
        };
        if self.recalled.adjoints.is_empty() {
            let mut adjoints = HashMap::from([(root, seed)]);
            for &i in self.reach(root).0.iter().rev() {
                let a = adjoints.get(&i).copied().unwrap_or(0.0);
                for (at, partial) in self.recorded(i).operands {
                    if at >= 0 {
                        *adjoints.entry(at).or_insert(0.0) += contribution(a, partial);
                    }
                }
            }
            self.recalled.adjoints = adjoints;
        }
        self.recalled.adjoints.get(&at).copied().unwrap_or(0.0)
    }

    /// Takes back the slot of a leaf whose value is gone, for a new value; its data.
    pub fn revive(&mut self, slot: u32) -> Option<f64> {
        let i = self.retired.iter().position(|&(retired, _)| retired == slot)?;
        Some(self.retired.swap_remove(i).1)
    }

    /// Appends a node as [`recorded`](Tape::recorded) told it. `slot` owns it, or nobody does.
    /// Room must have been made for it and its operands.
    pub fn restore(&mut self, node: &Recorded, slot: u32) -> Index {
        let place = self.append(node);
        self.tags[place as usize].set_owner(slot);
        self.owned -= usize::from(slot == NOBODY);
        place
    }
}
