//! Laying a section out: what gets an adjoint, how long values live, and their slots.

mod forward;
mod life;
mod reserve;
mod reverse;

use reserve::Reserved;

use rustc_hash::FxHashMap;

use super::{Scalar, Section, Task};
use crate::Op;
use crate::program::fuse::{Class, Item, Neuron, fuse};
use crate::program::graph::{Id, Kind, NONE};
use crate::program::level::Level;
use crate::program::real::Real;
use crate::program::slots::Slots;
use crate::program::tables::{Place, Tables};
use crate::program::uses::{self, Uses};

/// The state of laying out.
pub(super) struct Layout<'a, T: Real, const L: usize> {
    task: &'a Task<'a>,
    items: Vec<Item>,
    /// When each value is read last.
    last: Vec<u32>,
    /// Whether an adjoint may be wanted of a node.
    needs: Vec<bool>,
    /// Whether a node gets an adjoint.
    gets: Vec<bool>,
    slots: Slots,
    reserved: Reserved,
    value: Vec<u32>,
    adjoint: Vec<u32>,
    scalar: FxHashMap<Id, u32>,
    sum: FxHashMap<Id, u32>,
    /// Where the shared numbers of layers start: a convolution has the same at each place.
    shared: FxHashMap<Vec<Scalar>, u32>,
    /// Where the sums of those shared numbers' adjoints start.
    sums: FxHashMap<u32, u32>,
    partials: FxHashMap<Op, Vec<Uses>>,
    out: Section<T, L>,
}

/// Stands where a node has no slot.
const NO_SLOT: u32 = u32::MAX;

impl<'a, T: Real, const L: usize> Layout<'a, T, L> {
    pub(super) fn new(task: &'a Task<'a>, level: Level) -> Self {
        let count = task.class.len();
        let mut layout = Layout {
            task,
            items: Vec::new(),
            last: vec![0; count],
            needs: task.wanted.to_vec(),
            gets: vec![false; count],
            slots: Slots::default(),
            reserved: Reserved::default(),
            value: vec![NO_SLOT; count],
            adjoint: vec![NO_SLOT; count],
            scalar: FxHashMap::default(),
            sum: FxHashMap::default(),
            shared: FxHashMap::default(),
            sums: FxHashMap::default(),
            partials: FxHashMap::default(),
            out: Section {
                forward: Vec::new(),
                reverse: Vec::new(),
                level,
                instructions: Default::default(),
                whole: Default::default(),
                tables: Tables::default(),
                size: 0,
                given: Vec::new(),
                splats: Vec::new(),
                scalars: Vec::new(),
                kept: Vec::new(),
                seeds: Vec::new(),
                adjoints: Vec::new(),
                sums: Vec::new(),
                nodes: task.members.len(),
            },
        };
        layout.items = fuse(task.graph, task.members, task.class, &layout.count_uses());
        layout
    }

    pub(super) fn run(mut self) -> Section<T, L> {
        self.find_needs();
        let actives = self.find_adjoints();
        self.find_lifetimes(&actives);
        self.reserve();
        self.place_given();
        self.emit_forward();
        self.emit_reverse(&actives);
        self.out.size = self.slots.len() as usize * L;
        self.out
    }

    /// How often each node is used; what is looked at from outside counts twice.
    fn count_uses(&self) -> Vec<u32> {
        let Task { graph, members, guards, kept, seeded, .. } = *self.task;
        let mut uses = vec![0; self.task.class.len()];
        for &id in members {
            let weight = if graph.node(id).kind == Kind::Detach { 2 } else { 1 };
            graph.node(id).operands().for_each(|x| uses[x as usize] += weight);
        }
        let asked = guards.iter().flat_map(|(question, _)| question.operands);
        for id in asked.chain(kept.iter().chain(seeded).copied()) {
            uses[id as usize] += 2;
        }
        uses
    }

    /// The node whose value this one's is: other than itself behind [`Kind::Detach`].
    fn source(&self, mut id: Id) -> Id {
        while self.class(id) == Class::Member && self.task.graph.node(id).kind == Kind::Detach {
            id = self.task.graph.node(id).operands[0];
        }
        id
    }

    fn class(&self, id: Id) -> Class {
        self.task.class[id as usize]
    }

    fn op(&self, id: Id) -> Option<Op> {
        match self.task.graph.node(id).kind {
            Kind::Apply(op) => Some(op),
            _ => None,
        }
    }

    /// What the partial derivatives of a row read.
    fn partials(&mut self, op: Op) -> &[Uses] {
        self.partials.entry(op).or_insert_with(|| uses::of(op))
    }

    /// Marks the members through which a wanted adjoint flows.
    fn find_needs(&mut self) {
        for &id in self.task.members {
            let Some(op) = self.op(id) else { continue };
            let node = self.task.graph.node(id);
            let zero: Vec<bool> = self.partials(op).iter().map(|p| p.is_zero()).collect();
            let flows = |(x, zero): (Id, bool)| !zero && self.needs[x as usize];
            self.needs[id as usize] = node.operands().zip(zero).any(flows);
        }
    }

    /// Marks what gets an adjoint; which items the sweep visits.
    fn find_adjoints(&mut self) -> Vec<bool> {
        for &id in self.task.seeded {
            self.gets[id as usize] = true;
        }
        let mut actives = vec![false; self.items.len()];
        for i in (0..self.items.len()).rev() {
            let item = std::mem::replace(&mut self.items[i], Item::Row(NONE));
            let visited = |id: Id| self.gets[id as usize] && self.needs[id as usize];
            actives[i] = item.roots().any(visited);
            if actives[i] {
                for x in self.targets(&item) {
                    self.gets[x as usize] = true;
                }
            }
            self.items[i] = item;
        }
        actives
    }

    /// A slot for a value: its own one, or any.
    fn value_slot(&mut self, id: Id) -> u32 {
        let own = self.reserved.values.get(&id).copied();
        let slot = own.unwrap_or_else(|| self.slots.take());
        self.value[id as usize] = slot;
        slot
    }

    fn offset(slot: u32) -> u32 {
        slot * L as u32
    }

    /// Slots for what is given a number for every row.
    fn place_given(&mut self) {
        let mut given: Vec<Id> = Vec::new();
        let mut seen = vec![false; self.task.class.len()];
        let operands = |&id: &Id| self.task.graph.nodes()[id as usize].operands;
        let operands = self.task.members.iter().flat_map(operands).filter(|&id| id != NONE);
        let asked = self.task.guards.iter().flat_map(|(question, _)| question.operands);
        let outside = self.task.kept.iter().chain(self.task.seeded).copied();
        for id in operands.chain(asked).chain(outside) {
            if self.class(id) == Class::Given && !std::mem::replace(&mut seen[id as usize], true) {
                given.push(id);
            }
        }
        for id in given {
            let slot = self.value_slot(id);
            self.out.given.push((id, Self::offset(slot)));
        }
    }

    /// Where the lanes of a value are; a shared one gets a slot for good when it needs one.
    fn lanes(&mut self, id: Id) -> u32 {
        let id = self.source(id);
        if self.value[id as usize] == NO_SLOT {
            debug_assert_eq!(
                self.class(id),
                Class::Shared,
                "values are computed before they are read"
            );
            let slot = self.slots.take();
            self.value[id as usize] = slot;
            self.last[id as usize] = u32::MAX;
            self.out.splats.push((id, Self::offset(slot)));
        }
        Self::offset(self.value[id as usize])
    }

    fn place(&mut self, id: Id) -> Place {
        let id = self.source(id);
        if self.class(id) != Class::Shared {
            return Place::Slot(self.lanes(id));
        }
        let next = self.out.scalars.len() as u32;
        let at = *self.scalar.entry(id).or_insert(next);
        if at == next {
            self.out.scalars.push(Scalar::Node(id));
        }
        Place::Scalar(at)
    }

    /// Gives back the slots of values that were read for the last time at `time`.
    fn release(&mut self, read: impl IntoIterator<Item = Id>, time: u32) {
        for id in read {
            let id = self.source(id) as usize;
            if self.last[id] == time && self.value[id] != NO_SLOT {
                self.slots.give_back(self.value[id]);
                self.value[id] = NO_SLOT;
                self.last[id] = u32::MAX; // it may be listed twice
            }
        }
    }

    /// Splats must have their slots before the others: these are given back and taken again.
    fn place_splats(&mut self) {
        let items = std::mem::take(&mut self.items);
        for item in &items {
            if let Item::Row(id) = item {
                for x in self.task.graph.node(*id).operands() {
                    if self.class(self.source(x)) == Class::Shared {
                        self.lanes(x);
                    }
                }
            }
        }
        for (question, _) in self.task.guards {
            for x in question.operands {
                if self.class(self.source(x)) == Class::Shared {
                    self.lanes(x);
                }
            }
        }
        self.items = items;
    }
}

/// The shared numbers of a neuron with their places among its sums.
fn shared_of(neuron: &Neuron) -> impl Iterator<Item = (usize, Id)> {
    let weights = neuron.weights.iter().enumerate().map(|(k, &id)| (1 + k, id));
    let start = neuron.start.map(|id| (0, id));
    let bias = neuron.bias.map(|id| (1 + neuron.weights.len(), id));
    start.into_iter().chain(weights).chain(bias)
}
