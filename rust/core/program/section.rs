//! A section: part of a program, laid out as instructions on slots.
//!
//! A program has two: what all rows share is computed once a batch, on one lane, and the rest in
//! blocks of rows. Time runs over the items forwards (`0 .. n`), then over them backwards
//! (`n + 1 ..= 2 n`); a value's slot is free after the last time at which it is read.

use rustc_hash::FxHashMap;
use std::sync::OnceLock;

use super::fuse::{Class, Item, Neuron, Term, fuse};
use super::graph::{Graph, Id, Kind, NONE, Question};
use super::kernels::Names;
use super::simd::{Instruction, Level, Work, kernel};
use super::slots::Slots;
use super::tables::{FRESH, Layer, NOWHERE, Place, Tables, Term as Factors};
use super::uses::{self, Uses};
use crate::Op;

/// What a section is made of.
pub struct Task<'a> {
    pub graph: &'a Graph,
    /// What is computed, ascending.
    pub members: &'a [Id],
    /// What every node is to the section.
    pub class: &'a [Class],
    pub guards: &'a [(Question, Role)],
    /// Values that are read after the forward part; none of them shared.
    pub kept: &'a [Id],
    /// Nodes that are given an adjoint before the reverse part; none of them shared.
    pub seeded: &'a [Id],
    /// Of every node that is given, whether its adjoint is wanted.
    pub wanted: &'a [bool],
}

/// What a question is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To stay on the path: the answer must be this.
    Guard(bool),
    /// To find the path: the answer goes to this place.
    Ask(u32),
}

/// A number that all rows share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// The value of a node.
    Node(Id),
    /// A constant that no node stands for.
    Number(f64),
}

/// Instructions for `L` rows at a time.
#[derive(Debug)]
pub struct Section<const L: usize> {
    pub forward: Vec<Instruction>,
    pub reverse: Vec<Instruction>,
    level: Level,
    works: Vec<Work>,
    careful: OnceLock<Vec<Instruction>>,
    pub tables: Tables,
    /// Number of `f64` that the slots take.
    pub size: usize,
    /// Nodes that are given, and where their values go: numbers of rows, and shared ones.
    pub given: Vec<(Id, u32)>,
    pub splats: Vec<(Id, u32)>,
    /// The shared numbers, in their order.
    pub scalars: Vec<Scalar>,
    /// Where the values of `kept` are.
    pub kept: Vec<u32>,
    /// Where the adjoints of `seeded` go, with [`FRESH`].
    pub seeds: Vec<u32>,
    /// Adjoints of given nodes that are wanted and not always zero.
    pub adjoints: Vec<(Id, u32)>,
    /// The shared nodes that the sums are adjoints of.
    pub sums: Vec<Option<Id>>,
    /// Number of nodes whose values are computed.
    pub nodes: usize,
}

impl<const L: usize> Section<L> {
    /// Lays a section out.
    pub fn new(task: &Task<'_>, level: Level) -> Section<L> {
        Layout::<L>::new(task, level).run()
    }

    /// The reverse part with care about products with exact zeros.
    pub fn careful(&self) -> &[Instruction] {
        self.careful.get_or_init(|| {
            let each = self.reverse.iter().zip(&self.works);
            each.map(|(&Instruction { names, .. }, &work)| Instruction {
                kernel: kernel::<L>(self.level, work, true),
                names,
            })
            .collect()
        })
    }
}

/// The state of laying out.
struct Layout<'a, const L: usize> {
    task: &'a Task<'a>,
    level: Level,
    items: Vec<Item>,
    /// When each value is read last.
    last: Vec<u32>,
    /// Whether an adjoint may be wanted of a node.
    needs: Vec<bool>,
    /// Whether a node gets an adjoint.
    gets: Vec<bool>,
    slots: Slots,
    value: Vec<u32>,
    adjoint: Vec<u32>,
    scalar: FxHashMap<Id, u32>,
    sum: FxHashMap<Id, u32>,
    partials: FxHashMap<Op, Vec<Uses>>,
    out: Section<L>,
}

/// Stands where a node has no slot.
const NO_SLOT: u32 = u32::MAX;

impl<'a, const L: usize> Layout<'a, L> {
    fn new(task: &'a Task<'a>, level: Level) -> Self {
        let count = task.class.len();
        let mut layout = Layout {
            task,
            level,
            items: Vec::new(),
            last: vec![0; count],
            needs: task.wanted.to_vec(),
            gets: vec![false; count],
            slots: Slots::default(),
            value: vec![NO_SLOT; count],
            adjoint: vec![NO_SLOT; count],
            scalar: FxHashMap::default(),
            sum: FxHashMap::default(),
            partials: FxHashMap::default(),
            out: Section {
                forward: Vec::new(),
                reverse: Vec::new(),
                level,
                works: Vec::new(),
                careful: OnceLock::new(),
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

    fn run(mut self) -> Section<L> {
        self.find_needs();
        let actives = self.find_adjoints();
        self.find_lifetimes(&actives);
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

    /// The operands that the item's reverse gives adjoints to.
    fn targets(&mut self, item: &Item) -> Vec<Id> {
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
    fn flowing(&mut self, id: Id) -> Vec<(usize, Id)> {
        let Some(op) = self.op(id) else { return Vec::new() };
        let node = self.task.graph.node(id);
        let zero: Vec<bool> = self.partials(op).iter().map(|p| p.is_zero()).collect();
        let operands = node.operands().enumerate();
        operands.filter(|&(k, x)| !zero[k] && self.needs[x as usize]).collect()
    }

    /// What the item reads forwards.
    fn reads_forward(&self, item: &Item) -> Vec<Id> {
        match item {
            Item::Row(id) => self.task.graph.node(*id).operands().collect(),
            Item::Linear(_, terms) => {
                terms.iter().flat_map(|t| [Some(t.x), t.y]).flatten().collect()
            }
            Item::Layer(inputs, _) => inputs.clone(),
        }
    }

    /// What the item's reverse reads.
    fn reads_reverse(&mut self, item: &Item) -> Vec<Id> {
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

    fn find_lifetimes(&mut self, actives: &[bool]) {
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

    fn read_at(&mut self, id: Id, time: u32) {
        let id = self.source(id) as usize;
        self.last[id] = self.last[id].max(time);
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
            let slot = self.slots.take();
            self.value[id as usize] = slot;
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

    fn emit_forward(&mut self) {
        self.place_splats();
        let items = std::mem::take(&mut self.items);
        for (i, item) in items.iter().enumerate() {
            let (work, names) = self.forward(item);
            self.out
                .forward
                .push(Instruction { kernel: kernel::<L>(self.level, work, false), names });
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
            let kernel = kernel::<L>(self.level, work, false);
            self.out.forward.push(Instruction { kernel, names: [a, b, own, 0, 0, 0] });
        }
        self.out.kept = self.task.kept.iter().map(|&id| self.lanes(id)).collect();
        let asked = self.task.guards.iter().flat_map(|(question, _)| question.operands);
        let read: Vec<Id> = asked.chain(self.task.kept.iter().copied()).collect();
        self.release(read, self.items.len() as u32);
    }

    fn result(&mut self, id: Id) -> u32 {
        let slot = self.slots.take();
        self.value[id as usize] = slot;
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
            Item::Layer(inputs, neurons) => {
                let inputs = inputs.iter().map(|&x| self.lanes(x)).collect();
                let scalars = self.out.scalars.len() as u32;
                let bias = neurons[0].bias.is_some();
                for neuron in neurons {
                    let number =
                        |id: Option<Id>, other| id.map_or(Scalar::Number(other), Scalar::Node);
                    self.out.scalars.push(number(neuron.start, -0.0));
                    self.out.scalars.extend(neuron.weights.iter().map(|&id| Scalar::Node(id)));
                    self.out.scalars.push(number(neuron.bias, 0.0));
                }
                let outputs = neurons.iter().map(|n| (self.result(n.root), NOWHERE)).collect();
                let layer =
                    Layer { inputs, outputs, scalars, bias, sums: NOWHERE, targets: Vec::new() };
                self.out.tables.layers.push(layer);
                let names = [self.out.tables.layers.len() as u32 - 1, 0, 0, 0, 0, 0];
                (Work::Layer, names)
            }
        }
    }

    fn emit_reverse(&mut self, actives: &[bool]) {
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
        self.out.reverse.push(Instruction { kernel: kernel::<L>(self.level, work, false), names });
        self.out.works.push(work);
    }

    /// The slot of a node's adjoint, marked [`FRESH`] the first time.
    fn target(&mut self, id: Id) -> u32 {
        let slot = self.adjoint[id as usize];
        if slot != NO_SLOT {
            return Self::offset(slot);
        }
        let slot = self.slots.take();
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
            sums = self.out.sums.len() as u32;
            for neuron in neurons {
                let start = self.out.sums.len();
                self.out.sums.resize(start + inputs.len() + 2, None);
                for (k, id) in shared_of(neuron).filter(|&(_, id)| self.needs[id as usize]) {
                    self.out.sums[start + k] = Some(id);
                }
            }
        }
        let adjoints: Vec<u32> = neurons.iter().map(|n| self.adjoint[n.root as usize]).collect();
        let layer = &mut self.out.tables.layers[at as usize];
        (layer.targets, layer.sums) = (targets, sums);
        for (output, adjoint) in layer.outputs.iter_mut().zip(adjoints) {
            output.1 = if adjoint == NO_SLOT { NOWHERE } else { Self::offset(adjoint) };
        }
        self.push_reverse(Work::LayerReverse, [at, 0, 0, 0, 0, 0]);
    }
}

/// The shared numbers of a neuron with their places among its sums.
fn shared_of(neuron: &Neuron) -> impl Iterator<Item = (usize, Id)> {
    let weights = neuron.weights.iter().enumerate().map(|(k, &id)| (1 + k, id));
    let start = neuron.start.map(|id| (0, id));
    let bias = neuron.bias.map(|id| (1 + neuron.weights.len(), id));
    start.into_iter().chain(weights).chain(bias)
}
