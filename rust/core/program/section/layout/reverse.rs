//! The instructions of the reverse part.

use super::{Layout, NO_SLOT, shared_of};
use crate::program::fuse::{Class, Item, Neuron, Term};
use crate::program::graph::{Id, NONE};
use crate::program::kernels::Names;
use crate::program::real::Real;
use crate::program::tables::{FRESH, NOWHERE};
use crate::program::work::Work;

impl<T: Real, const L: usize> Layout<'_, T, L> {
    pub(super) fn emit_reverse(&mut self, actives: &[bool]) {
        for &id in self.task.seeded {
            let target = self.target(id);
            self.out.seeds.push(target);
        }
        let n = self.items.len();
        let items = std::mem::take(&mut self.items);
        let mut terms = self.out.tables.terms.len() as u32;
        let mut layer = self.out.tables.layers.len() as u32;
        for (i, item) in items.iter().enumerate().rev() {
            match item {
                Item::Linear(_, own) => terms -= own.len() as u32,
                Item::Layer(..) => layer -= 1,
                Item::Row(_) => {}
            }
            if actives[i] {
                match item {
                    Item::Row(id) => self.reverse_row(*id),
                    Item::Linear(id, own) => self.reverse_linear(*id, own, terms),
                    Item::Layer(inputs, neurons) => self.reverse_layer(inputs, neurons, layer),
                }
                let read = self.reads_reverse(item);
                self.release(read, (2 * n - i) as u32);
            }
            for root in item.roots() {
                if self.adjoint[root as usize] != NO_SLOT {
                    self.slots.give_back(self.adjoint[root as usize]);
                    self.adjoint[root as usize] = NO_SLOT;
                }
            }
        }
        for id in 0..self.task.class.len() as Id {
            if self.adjoint[id as usize] != NO_SLOT && self.task.wanted[id as usize] {
                self.out.adjoints.push((id, Self::offset(self.adjoint[id as usize])));
            }
        }
    }

    fn push_reverse(&mut self, work: Work, names: Names) {
        self.out.reverse.push((work, names));
    }

    /// The slot of a node's adjoint, marked [`FRESH`] the first time.
    fn target(&mut self, id: Id) -> u32 {
        let slot = self.adjoint[id as usize];
        if slot != NO_SLOT {
            return Self::offset(slot);
        }
        let own = self.reserved.adjoints.get(&id).copied();
        let slot = own.unwrap_or_else(|| self.slots.take());
        self.adjoint[id as usize] = slot;
        Self::offset(slot) | FRESH
    }

    /// The sum that collects a shared node's adjoint.
    fn sum_of(&mut self, id: Id) -> u32 {
        let next = self.out.sums.len() as u32;
        let at = *self.sum.entry(id).or_insert(next);
        if at == next {
            self.out.sums.push(Some(id));
        }
        at
    }

    fn reverse_row(&mut self, id: Id) {
        let Some(op) = self.op(id) else { return };
        let node = self.task.graph.node(id);
        let a = Self::offset(self.adjoint[id as usize]);
        // What is not read may have no slot any more: the adjoint stands in for it.
        let stand_in = |slot: u32| if slot == NO_SLOT { a } else { Self::offset(slot) };
        let mut x = [a; 3];
        for (k, operand) in node.operands().enumerate() {
            x[k] = stand_in(self.value[self.source(operand) as usize]);
        }
        let r = stand_in(self.value[id as usize]);
        let flowing = self.flowing(id);
        let rows_only = flowing.iter().all(|&(_, x)| self.class(x) != Class::Shared);
        if let [(0, first), (1, second)] = flowing[..]
            && first != second
            && rows_only
            && node.operands[2] == NONE
        {
            let names = [self.target(first), self.target(second), a, x[0], x[1], r];
            self.push_reverse(Work::Reverse(op, 3), names);
            return;
        }
        for (k, operand) in flowing {
            let shared = self.class(operand) == Class::Shared;
            let own = if shared { self.slots.take() } else { NO_SLOT };
            let target = if shared { Self::offset(own) | FRESH } else { self.target(operand) };
            let names = match node.operands().count() {
                1 => [target, a, x[0], r, 0, 0],
                2 => [target, 0, a, x[0], x[1], r],
                _ => [target, a, x[0], x[1], x[2], r],
            };
            self.push_reverse(Work::Reverse(op, 1 << k), names);
            if shared {
                let sum = self.sum_of(operand);
                self.push_reverse(Work::Reduce, [sum, Self::offset(own), 0, 0, 0, 0]);
                self.slots.give_back(own);
            }
        }
    }

    /// Where the adjoint of a factor goes.
    fn goal(&mut self, id: Id) -> u32 {
        match self.class(id) {
            _ if !self.needs[id as usize] => NOWHERE,
            Class::Shared => self.sum_of(id),
            _ => self.target(id),
        }
    }

    fn reverse_linear(&mut self, id: Id, terms: &[Term], first: u32) {
        for (k, term) in terms.iter().enumerate() {
            let (dx, dy) = (self.goal(term.x), term.y.map_or(NOWHERE, |y| self.goal(y)));
            let factors = &mut self.out.tables.terms[first as usize + k];
            (factors.dx, factors.dy) = (dx, dy);
        }
        let a = Self::offset(self.adjoint[id as usize]);
        self.push_reverse(Work::LinearReverse, [a, first, terms.len() as u32, 0, 0, 0]);
    }

    fn reverse_layer(&mut self, inputs: &[Id], neurons: &[Neuron], at: u32) {
        let mut targets = Vec::new();
        for (j, &x) in inputs.iter().enumerate() {
            if self.needs[x as usize] {
                targets.push((j as u32, self.target(x)));
            }
        }
        let wanted = |neuron: &Neuron| shared_of(neuron).any(|(_, id)| self.needs[id as usize]);
        let mut sums = NOWHERE;
        if neurons.iter().any(wanted) {
            let scalars = self.out.tables.layers[at as usize].scalars;
            let next = self.out.sums.len() as u32;
            sums = *self.sums.entry(scalars).or_insert(next);
            if sums == next {
                self.push_sums(inputs.len() + 2, neurons);
            }
        }
        let matrices = self.adjoint_matrices(inputs, neurons, &targets, sums != NOWHERE);
        let adjoints: Vec<u32> = neurons.iter().map(|n| self.adjoint[n.root as usize]).collect();
        let layer = &mut self.out.tables.layers[at as usize];
        (layer.targets, layer.sums) = (targets, sums);
        for (output, adjoint) in layer.outputs.iter_mut().zip(adjoints) {
            output.1 = if adjoint == NO_SLOT { NOWHERE } else { Self::offset(adjoint) };
        }
        match matrices {
            Some([x, a, d]) => self.push_reverse(Work::ProductReverse, [at, x, a, d, 0, 0]),
            None => self.push_reverse(Work::LayerReverse, [at, 0, 0, 0, 0, 0]),
        }
    }

    /// Sums for the shared numbers of a layer, `width` for each neuron.
    fn push_sums(&mut self, width: usize, neurons: &[Neuron]) {
        for neuron in neurons {
            let start = self.out.sums.len();
            self.out.sums.resize(start + width, None);
            for (k, id) in shared_of(neuron).filter(|&(_, id)| self.needs[id as usize]) {
                self.out.sums[start + k] = Some(id);
            }
        }
    }
}
