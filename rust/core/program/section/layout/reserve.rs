//! Slots side by side for what large dense layers read and write: matrices.

use super::{Layout, NO_SLOT};
use crate::program::fuse::{Class, Item, Neuron};
use crate::program::graph::Id;
use crate::program::products::worth;
use crate::program::real::Real;
use crate::program::tables::NOWHERE;

/// Slots that nodes will get, and nobody else.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub values: rustc_hash::FxHashMap<Id, u32>,
    pub adjoints: rustc_hash::FxHashMap<Id, u32>,
}

impl<T: Real, const L: usize> Layout<'_, T, L> {
    /// Reserves slots for each layer that is worth a product. Where a node is in several layers,
    /// the first has it; another one may then have to be computed in lanes.
    pub(super) fn reserve(&mut self) {
        if !self.task.products {
            return;
        }
        let items = std::mem::take(&mut self.items);
        for item in &items {
            let Item::Layer(inputs, neurons) = item else { continue };
            if !worth(inputs.len(), neurons.len()) {
                continue;
            }
            let roots: Vec<Id> = neurons.iter().map(|neuron| neuron.root).collect();
            let sources: Vec<Id> = inputs.iter().map(|&x| self.source(x)).collect();
            let own = sources.iter().all(|&x| self.class(x) != Class::Shared);
            for ids in [own.then_some(&sources), Some(&roots)].into_iter().flatten() {
                self.reserved.values.extend(self.slots.row(ids, &self.reserved.values));
            }
            for ids in [inputs, &roots] {
                if ids.iter().all(|&id| self.needs[id as usize] && self.gets[id as usize]) {
                    self.reserved.adjoints.extend(self.slots.row(ids, &self.reserved.adjoints));
                }
            }
        }
        self.items = items;
    }

    /// The offset of the first slot where all stand side by side.
    fn side_by_side(mut slots: impl Iterator<Item = u32>) -> Option<u32> {
        let first = slots.next().filter(|&slot| slot != NO_SLOT)?;
        slots.zip(first + 1..).all(|(slot, next)| slot == next).then(|| Self::offset(first))
    }

    /// The matrices that a layer reads and writes forwards.
    pub(super) fn matrices(&self, inputs: &[Id], neurons: &[Neuron]) -> Option<[u32; 2]> {
        if !self.task.products || !worth(inputs.len(), neurons.len()) {
            return None;
        }
        let value = |id: Id| self.value[self.source(id) as usize];
        let inputs = Self::side_by_side(inputs.iter().map(|&x| value(x)))?;
        Some([inputs, Self::side_by_side(neurons.iter().map(|neuron| value(neuron.root)))?])
    }

    /// The matrices of its reverse: inputs, adjoints of outputs and of inputs. `targets` are
    /// the slots of the latter, marked.
    pub(super) fn adjoint_matrices(
        &self,
        inputs: &[Id],
        neurons: &[Neuron],
        targets: &[(u32, u32)],
        sums: bool,
    ) -> Option<[u32; 3]> {
        if !self.task.products || !worth(inputs.len(), neurons.len()) {
            return None;
        }
        let value = |&x: &Id| self.value[self.source(x) as usize];
        let values = if sums { Self::side_by_side(inputs.iter().map(value))? } else { 0 };
        let adjoints = neurons.iter().map(|neuron| self.adjoint[neuron.root as usize]);
        let adjoints = Self::side_by_side(adjoints)?;
        let Some(&(_, first)) = targets.first() else { return Some([values, adjoints, NOWHERE]) };
        let fits = |(k, &(input, target)): (usize, &(u32, u32))| {
            input as usize == k && target == first + (k * L) as u32
        };
        let all = targets.len() == inputs.len() && targets.iter().enumerate().all(fits);
        all.then_some([values, adjoints, first])
    }
}
