//! Garbage collection: random lives of values on the tape against a graph that forgets nothing.

mod program;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gradtape::kernel::{Index, NOBODY, SINK};
use gradtape::tape::leaf;
use gradtape::{Dual, Op, Operand, Tape};
use program::{Draw, Term, draw, number};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Leaf(f64),
    Record(Draw),
    Drop(u16),
    Assign(u16, f64),
    Sweep(u16, f64),
    /// A value again for an operand whose value is gone.
    Own(u16),
    Compact,
    Check,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => number().prop_map(Action::Leaf),
        8 => draw().prop_map(Action::Record),
        6 => any::<u16>().prop_map(Action::Drop),
        2 => (any::<u16>(), number()).prop_map(|(pick, to)| Action::Assign(pick, to)),
        3 => (any::<u16>(), number()).prop_map(|(pick, seed)| Action::Sweep(pick, seed)),
        1 => any::<u16>().prop_map(Action::Own),
        1 => Just(Action::Compact),
        1 => Just(Action::Check),
    ]
}

/// Operation, activation, and operands: numbers of items with their partial derivatives, or nothing
/// and a constant.
type Node = (Op, Option<Op>, Vec<(Option<usize>, f64)>);

/// A leaf or node of the reference.
#[derive(Debug)]
struct Item {
    node: Option<Node>,
    data: f64,
    grad: f64,
    /// What rounding errors of `grad` are measured by.
    scale: f64,
    alive: bool,
    /// Where it is on the tape while it is alive; a leaf keeps its slot.
    slot: u32,
    at: Index,
}

#[derive(Default)]
struct World {
    tape: Tape,
    items: Vec<Item>,
    /// Adjoints of the last sweep.
    adjoints: BTreeMap<usize, f64>,
    /// At least the number of nodes at which the tape compacts.
    limit: usize,
}

fn close(got: f64, want: f64, scale: f64) -> bool {
    (got - want).abs() <= 1e-11 * scale.max(1.0)
}

impl World {
    fn alive(&self, kind: impl Fn(&Item) -> bool) -> Vec<usize> {
        (0..self.items.len()).filter(|&i| self.items[i].alive && kind(&self.items[i])).collect()
    }

    /// The items that a live node needs, itself among them.
    fn needed(&self) -> BTreeSet<usize> {
        let mut needed: BTreeSet<usize> =
            self.alive(|item| item.node.is_some()).into_iter().collect();
        for i in (0..self.items.len()).rev().filter(|i| self.items[*i].node.is_some()) {
            if needed.contains(&i) {
                needed.extend(self.operands(i).iter().filter_map(|operand| operand.0));
            }
        }
        needed
    }

    fn operands(&self, i: usize) -> &[(Option<usize>, f64)] {
        self.items[i].node.as_ref().map_or(&[], |node| &node.2)
    }

    /// A new slot, which nobody else may have.
    fn open(&mut self) -> u32 {
        let slot = self.tape.open().expect("slot");
        let needed = self.needed();
        for (i, item) in self.items.iter().enumerate() {
            let named = item.node.is_none() && needed.contains(&i);
            assert!(item.slot != slot || !item.alive && !named, "slot {slot} is item {i}'s");
        }
        assert_ne!(slot, NOBODY);
        assert_eq!(self.tape.grad(slot), 0.0);
        slot
    }

    fn leaf(&mut self, data: f64) {
        let slot = self.open();
        self.items.push(Item {
            node: None,
            data,
            grad: 0.0,
            scale: 0.0,
            alive: true,
            slot,
            at: leaf(slot),
        });
    }

    fn room(&mut self, nodes: usize, terms: usize) {
        if self.tape.make_room(nodes, terms).expect("room") {
            for (at, owner) in self.tape.owners().enumerate().filter(|&(_, owner)| owner != NOBODY)
            {
                let own = |item: &&mut Item| item.alive && item.slot == owner;
                let item = self.items.iter_mut().find(own).expect("an owner is alive");
                assert!(item.node.is_some());
                item.at = at as Index;
            }
        }
        self.limit = self.limit.max(1 << 16).max(2 * self.tape.len()).max(self.tape.len() + nodes);
    }

    fn compact(&mut self) {
        self.room(self.limit + 1 - self.tape.len(), 0);
        let nodes = self.needed().into_iter().filter(|&i| self.items[i].node.is_some());
        assert_eq!(self.tape.len(), nodes.count(), "all nodes that are needed, and no other");
    }

    fn record(&mut self, draw: &Draw) {
        let alive = self.alive(|_| true);
        if alive.is_empty() {
            return;
        }
        let step = draw.step(alive.len());
        let data: Vec<f64> = alive.iter().map(|&i| self.items[i].data).collect();
        let x: Vec<f64> = step.terms.iter().map(|term| term.read(&data)).collect();
        let slopes = |i: usize| {
            let seed = |(k, &value)| Dual { value, tangent: f64::from(u8::from(i == k)) };
            step.apply(&x.iter().enumerate().map(seed).collect::<Vec<_>>())
        };
        let slopes: Vec<Vec<Dual>> = (0..x.len()).map(slopes).collect();
        let values = step.apply(&x);
        let tame = |y: f64| y.abs() < 1e3;
        if !values.iter().all(|&v| tame(v)) || !slopes.iter().flatten().all(|y| tame(y.tangent)) {
            return;
        }
        self.room(step.outputs, x.len());
        let operand = |term: &Term| match *term {
            Term::Value(k) => Operand::new(self.items[alive[k]].at, self.items[alive[k]].data),
            Term::Constant(c) => Operand::constant(c),
        };
        let operands: Vec<Operand> = step.terms.iter().map(operand).collect();
        let slots: Vec<u32> = (0..step.outputs).map(|_| self.open()).collect();
        assert_eq!(slots.iter().collect::<BTreeSet<_>>().len(), slots.len());
        let outputs = step.record(&mut self.tape, &operands, &slots);
        // A layer's neuron has the inputs and its own parameters.
        let (n, width) = (step.inputs(), step.inputs() + 1);
        for (k, (at, data)) in outputs.into_iter().enumerate() {
            assert!(close(data, values[k], data.abs()), "{step:?}: {data:e}, not {:e}", values[k]);
            let own = |i: &usize| step.op != Op::Affine || *i < n || (*i - n) / width == k;
            let operand = |i: usize| match step.terms[i] {
                Term::Value(j) => (Some(alive[j]), slopes[i][k].tangent),
                Term::Constant(c) => (None, c),
            };
            let operands = (0..x.len()).filter(own).map(operand).collect();
            let node = Some((step.op, step.activation, operands));
            self.items.push(Item {
                node,
                data,
                grad: 0.0,
                scale: 0.0,
                alive: true,
                slot: slots[k],
                at,
            });
        }
    }

    fn drop(&mut self, i: usize) {
        let item = &mut self.items[i];
        item.alive = false;
        if item.node.is_some() {
            self.tape.close(item.at);
            self.tape.release(item.slot);
            (item.grad, item.scale) = (0.0, 0.0);
        } else if self.tape.retire(item.slot, item.data) {
            self.tape.release(item.slot);
        }
        let top = self.tape.len() as Index - 1;
        assert!(top < 0 || self.tape.owner(top) != NOBODY, "the end of the tape is dead");
    }

    fn assign(&mut self, i: usize, data: f64) {
        let item = &mut self.items[i];
        self.tape.assign(item.slot, item.data);
        item.data = data;
    }

    fn sweep(&mut self, root: usize, seed: f64) {
        self.tape.backward(self.items[root].at, seed);
        let mut reached = BTreeMap::from([(root, (seed, seed.abs()))]);
        for i in (0..=root).rev() {
            let Some(&(adjoint, scale)) = reached.get(&i) else { continue };
            for &(operand, partial) in self.operands(i) {
                let Some(operand) = operand else { continue };
                let sum = reached.entry(operand).or_default();
                *sum = (sum.0 + adjoint * partial, sum.1 + scale * partial.abs());
            }
            let item = &mut self.items[i];
            let before = if item.node.is_none() { (item.grad, item.scale) } else { (0.0, 0.0) };
            (item.grad, item.scale) = (before.0 + adjoint, before.1 + scale);
        }
        let node = |(&i, &(adjoint, _)): (&usize, &(f64, f64))| {
            self.items[i].node.is_some().then_some((i, adjoint))
        };
        self.adjoints = reached.iter().filter_map(node).collect();
        self.check(true);
    }

    /// Gives an operand whose value is gone a value again.
    fn own(&mut self, pick: u16) {
        let mut pairs = Vec::new();
        for parent in self.alive(|item| item.node.is_some()) {
            let operands = self.tape.recorded(self.items[parent].at).operands;
            for (&(item, _), (at, _)) in self.operands(parent).iter().zip(operands) {
                pairs.extend(item.filter(|&i| !self.items[i].alive).map(|i| (i, at)));
            }
        }
        if pairs.is_empty() {
            return;
        }
        let (i, at) = pairs[usize::from(pick) % pairs.len()];
        if self.items[i].node.is_none() {
            assert_eq!(self.tape.revive(self.items[i].slot), Some(self.items[i].data));
        } else {
            let slot = self.open();
            self.tape.own(at, slot);
            self.tape.set_grad(slot, self.items[i].grad);
            (self.items[i].slot, self.items[i].at) = (slot, at);
        }
        self.items[i].alive = true;
    }

    /// Compares all that live values see. The adjoints of nodes without a value are there after a
    /// sweep.
    fn check(&mut self, swept: bool) {
        let mut places: HashMap<usize, Index> = HashMap::new();
        for i in self.alive(|_| true) {
            let Item { slot, at, grad, scale, .. } = self.items[i];
            assert!(
                close(self.tape.grad(slot), grad, scale),
                "item {i}: {} not {grad}",
                self.tape.grad(slot)
            );
            assert!(at < 0 || self.tape.owner(at) == slot, "item {i} is not at {at}");
            places.insert(i, at);
        }
        for i in (0..self.items.len()).rev() {
            if let Some(&at) = places.get(&i).filter(|&&at| at >= 0) {
                self.check_node(i, at, swept, &mut places);
            }
        }
    }

    /// Compares a node, and notes the places of its operands.
    fn check_node(&mut self, i: usize, at: Index, swept: bool, places: &mut HashMap<usize, Index>) {
        let recorded = self.tape.recorded(at);
        let (op, activation, operands) = self.items[i].node.as_ref().expect("a node");
        assert_eq!((recorded.op, recorded.activation), (*op, *activation), "item {i}");
        assert_eq!(recorded.operands.len(), operands.len(), "item {i}: {recorded:?}");
        for (&(place, got), &(operand, want)) in recorded.operands.iter().zip(operands) {
            assert!(close(got, want, want.abs()), "item {i}: {recorded:?}, not {operands:?}");
            match operand.map(|k| (k, &self.items[k])) {
                None => assert_eq!(place, SINK),
                Some((_, Item { node: None, slot, .. })) => assert_eq!(place, leaf(*slot)),
                Some((k, _)) => assert_eq!(*places.entry(k).or_insert(place), place, "item {k}"),
            }
        }
        let items = &self.items;
        let data = |slot| {
            let own = |item: &&Item| item.alive && item.node.is_none() && item.slot == slot;
            items.iter().find(own).expect("a living leaf").data
        };
        let (got, want) = (self.tape.value(at, data), self.items[i].data);
        assert!(close(got, want, want.abs()), "item {i} was {want:e}, not {got:e}");
        let Item { alive, scale, .. } = self.items[i];
        if swept && !alive {
            let want = self.adjoints.get(&i).copied().unwrap_or(0.0);
            let got = self.tape.adjoint(at);
            assert!(close(got, want, scale), "item {i}: adjoint {got:e}, not {want:e}");
        }
    }

    fn act(&mut self, action: &Action) {
        let choose = |among: Vec<usize>, pick: u16| {
            (!among.is_empty()).then(|| among[usize::from(pick) % among.len()])
        };
        match *action {
            Action::Leaf(data) => self.leaf(data),
            Action::Record(ref draw) => self.record(draw),
            Action::Drop(pick) => {
                if let Some(i) = choose(self.alive(|_| true), pick) {
                    self.drop(i);
                }
            }
            Action::Assign(pick, to) => {
                if let Some(i) = choose(self.alive(|item| item.node.is_none()), pick) {
                    self.assign(i, to);
                }
            }
            Action::Sweep(pick, seed) => {
                if let Some(i) = choose(self.alive(|_| true), pick) {
                    self.sweep(i, seed);
                }
            }
            Action::Own(pick) => self.own(pick),
            Action::Compact => self.compact(),
            Action::Check => self.check(false),
        }
    }
}

fn run(actions: &[Action]) {
    let mut world = World::default();
    (1..4).for_each(|data| world.leaf(f64::from(data)));
    for action in actions {
        world.act(action);
    }
    world.check(false);
    world.compact();
    world.check(false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_tape_is_a_graph_that_forgets_nothing(actions in prop::collection::vec(action(), 1..80)) {
        run(&actions);
    }

    #[test]
    fn gradients_survive_a_compaction(
        draws in prop::collection::vec(draw(), 1..30),
        dropped in prop::collection::vec(any::<u16>(), 0..20),
    ) {
        let mut world = World::default();
        for data in [0.5, -1.5, 2.0] {
            world.leaf(data);
        }
        for draw in &draws {
            world.record(draw);
        }
        for pick in dropped {
            world.act(&Action::Drop(pick));
        }
        let Some(&root) = world.alive(|item| item.node.is_some()).last() else { return Ok(()) };
        world.sweep(root, 1.0);
        world.compact();
        world.sweep(root, 1.0);
        world.items.iter().filter(|item| item.node.is_none()).for_each(|leaf| {
            assert!(!leaf.alive || close(world.tape.grad(leaf.slot), leaf.grad, leaf.scale));
        });
    }
}
