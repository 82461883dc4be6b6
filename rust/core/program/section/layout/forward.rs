//! The instructions of the forward part.

use super::Layout;
use crate::Op;
use crate::program::fuse::{Item, Neuron};
use crate::program::graph::Id;
use crate::program::kernels::Names;
use crate::program::real::Real;
use crate::program::section::{Role, Scalar};
use crate::program::tables::{Layer, NOWHERE, Term as Factors};
use crate::program::work::Work;

impl<T: Real, const L: usize> Layout<'_, T, L> {
    pub(super) fn emit_forward(&mut self) {
        self.place_splats();
        let items = std::mem::take(&mut self.items);
        for (i, item) in items.iter().enumerate() {
            let (work, names) = self.forward(item);
            self.out.forward.push((work, names));
            self.release(self.reads_forward(item), i as u32);
            // What only the guards or nobody reads goes when they have been checked.
        }
        self.items = items;
        for (question, role) in self.task.guards {
            let [a, b] = question.operands.map(|id| self.lanes(id));
            let (work, own) = match *role {
                Role::Guard(holds) => (Work::Check(question.test), u32::from(holds)),
                Role::Ask(at) => (Work::Ask(question.test), at),
            };
            self.out.forward.push((work, [a, b, own, 0, 0, 0]));
        }
        self.out.kept = self.task.kept.iter().map(|&id| self.lanes(id)).collect();
        let asked = self.task.guards.iter().flat_map(|(question, _)| question.operands);
        let read: Vec<Id> = asked.chain(self.task.kept.iter().copied()).collect();
        self.release(read, self.items.len() as u32);
    }

    fn result(&mut self, id: Id) -> u32 {
        let slot = self.value_slot(id);
        Self::offset(slot)
    }

    fn forward(&mut self, item: &Item) -> (Work, Names) {
        match item {
            Item::Row(id) => {
                let mut names = [0; 6];
                for (k, x) in self.task.graph.node(*id).operands().enumerate() {
                    names[1 + k] = self.lanes(x);
                }
                names[0] = self.result(*id);
                debug_assert!(!names[1..4].contains(&names[0]) || names[0] == 0);
                (Work::Forward(self.op(*id).unwrap_or(Op::Add)), names)
            }
            Item::Linear(id, terms) => {
                let first = self.out.tables.terms.len() as u32;
                for term in terms {
                    let (x, y) = (self.place(term.x), term.y.map(|y| self.place(y)));
                    let factors = Factors { minus: term.minus, x, y, dx: NOWHERE, dy: NOWHERE };
                    self.out.tables.terms.push(factors);
                }
                (Work::Linear, [self.result(*id), first, terms.len() as u32, 0, 0, 0])
            }
            Item::Layer(ids, neurons) => {
                let inputs = ids.iter().map(|&x| self.lanes(x)).collect();
                let scalars = self.shared_numbers(neurons);
                let bias = neurons[0].bias.is_some();
                let outputs = neurons.iter().map(|n| (self.result(n.root), NOWHERE)).collect();
                let layer =
                    Layer { inputs, outputs, scalars, bias, sums: NOWHERE, targets: Vec::new() };
                self.out.tables.layers.push(layer);
                let at = self.out.tables.layers.len() as u32 - 1;
                match self.matrices(ids, neurons) {
                    Some([x, r]) => (Work::Product, [at, x, r, 0, 0, 0]),
                    None => (Work::Layer, [at, 0, 0, 0, 0, 0]),
                }
            }
        }
    }

    /// Where the shared numbers of a layer start: for each neuron its own in their order.
    fn shared_numbers(&mut self, neurons: &[Neuron]) -> u32 {
        let number =
            |id: Option<Id>, other: f64| id.map_or(Scalar::Number(other.to_bits()), Scalar::Node);
        let each = neurons.iter().flat_map(|neuron| {
            let weights = neuron.weights.iter().map(|&id| Scalar::Node(id));
            let start = std::iter::once(number(neuron.start, -0.0));
            start.chain(weights).chain(std::iter::once(number(neuron.bias, 0.0)))
        });
        let numbers: Vec<Scalar> = each.collect();
        let scalars = &mut self.out.scalars;
        *self.shared.entry(numbers).or_insert_with_key(|numbers| {
            scalars.extend(numbers);
            (scalars.len() - numbers.len()) as u32
        })
    }
}
