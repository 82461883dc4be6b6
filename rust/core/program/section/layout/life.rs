//! How long values live: what is read when.

use super::{Layout, shared_of};
use crate::program::fuse::{Item, Neuron, Term};
use crate::program::graph::Id;
use crate::program::real::Real;

impl<T: Real, const L: usize> Layout<'_, T, L> {
    /// The operands that the item's reverse gives adjoints to.
    pub(super) fn targets(&mut self, item: &Item) -> Vec<Id> {
        let all: Vec<Id> = match item {
            Item::Row(id) => self.flowing(*id).into_iter().map(|(_, x)| x).collect(),
            Item::Linear(_, terms) => {
                terms.iter().flat_map(|t| [Some(t.x), t.y]).flatten().collect()
            }
            Item::Layer(inputs, neurons) => {
                let shared = neurons.iter().flat_map(shared_of).map(|(_, id)| id);
                inputs.iter().copied().chain(shared).collect()
            }
        };
        all.into_iter().filter(|&x| self.needs[x as usize]).collect()
    }

    /// The operands of a row through whose partial derivatives something may flow.
    pub(super) fn flowing(&mut self, id: Id) -> Vec<(usize, Id)> {
        let Some(op) = self.op(id) else { return Vec::new() };
        let node = self.task.graph.node(id);
        let zero: Vec<bool> = self.partials(op).iter().map(|p| p.is_zero()).collect();
        let operands = node.operands().enumerate();
        operands.filter(|&(k, x)| !zero[k] && self.needs[x as usize]).collect()
    }

    /// What the item reads forwards.
    pub(super) fn reads_forward(&self, item: &Item) -> Vec<Id> {
        match item {
            Item::Row(id) => self.task.graph.node(*id).operands().collect(),
            Item::Linear(_, terms) => {
                terms.iter().flat_map(|t| [Some(t.x), t.y]).flatten().collect()
            }
            Item::Layer(inputs, _) => inputs.clone(),
        }
    }

    /// What the item's reverse reads.
    pub(super) fn reads_reverse(&mut self, item: &Item) -> Vec<Id> {
        match item {
            Item::Row(id) => {
                let flowing = self.flowing(*id);
                let operands = self.task.graph.node(*id).operands;
                let Some(op) = self.op(*id) else { return Vec::new() };
                let partials = self.partials(op);
                let mut reads = Vec::new();
                for (k, _) in flowing {
                    reads.extend((0..3).filter(|&j| partials[k].reads(j)).map(|j| operands[j]));
                    reads.extend(partials[k].reads_result().then_some(*id));
                }
                reads
            }
            Item::Linear(_, terms) => {
                let needs = |x: Id| self.needs[x as usize];
                let read = |t: &Term| {
                    let y = t.y?;
                    Some([needs(t.x).then_some(y), needs(y).then_some(t.x)])
                };
                terms.iter().filter_map(read).flatten().flatten().collect()
            }
            Item::Layer(inputs, neurons) => {
                let needed =
                    |neuron: &Neuron| shared_of(neuron).any(|(_, id)| self.needs[id as usize]);
                if neurons.iter().any(needed) { inputs.clone() } else { Vec::new() }
            }
        }
    }

    pub(super) fn find_lifetimes(&mut self, actives: &[bool]) {
        let n = self.items.len() as u32;
        let items = std::mem::take(&mut self.items);
        for (i, item) in items.iter().enumerate() {
            for x in self.reads_forward(item) {
                self.read_at(x, i as u32);
            }
            if actives[i] {
                for x in self.reads_reverse(item) {
                    self.read_at(x, 2 * n - i as u32);
                }
            }
        }
        self.items = items;
        let asked = self.task.guards.iter().flat_map(|(question, _)| question.operands);
        for id in asked.chain(self.task.kept.iter().copied()) {
            self.read_at(id, n); // guards are checked, and results read, before the reverse part
        }
    }

    pub(super) fn read_at(&mut self, id: Id, time: u32) {
        let id = self.source(id) as usize;
        self.last[id] = self.last[id].max(time);
    }
}
