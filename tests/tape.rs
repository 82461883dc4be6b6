//! What the tape promises: sweeps, seeds, looking back, and what is kept of values that are gone.
//! `collection.rs` does the same with random lives.

mod program;

use gradtape::kernel::{Index, NOBODY};
use gradtape::tape::{Layer, leaf};
use gradtape::{Error, Op, Operand, Rule, Tape, rule};
use program::{Program, Step, Term};

/// A value: its slot, and its operand.
#[derive(Clone, Copy)]
struct Value {
    slot: u32,
    x: Operand,
}

impl Value {
    fn at(self) -> Index {
        self.x.at()
    }
}

#[derive(Default)]
struct Lab {
    tape: Tape,
    /// At least the number of nodes at which the tape compacts.
    limit: usize,
}

impl Lab {
    fn leaf(&mut self, data: f64) -> Value {
        let slot = self.tape.open().expect("slot");
        Value { slot, x: Operand::new(leaf(slot), data) }
    }

    fn record(&mut self, record: impl FnOnce(&mut Tape, u32) -> (Index, f64)) -> Value {
        assert!(!self.tape.make_room(1, 8).expect("room"), "not due");
        self.limit = self.limit.max(1 << 16).max(2 * self.tape.len());
        let slot = self.tape.open().expect("slot");
        let (at, value) = record(&mut self.tape, slot);
        Value { slot, x: Operand::new(at, value) }
    }

    fn one<R: Rule<1>>(&mut self, x: Value) -> Value {
        self.record(|tape, slot| tape.record1::<R>(x.x, slot))
    }

    fn two<R: Rule<2>>(&mut self, x: Value, y: Value) -> Value {
        self.record(|tape, slot| tape.record2::<R>(x.x, y.x, slot))
    }

    fn by<R: Rule<2>>(&mut self, x: Value, y: f64) -> Value {
        self.record(|tape, slot| tape.record2_by::<R>(x.x, y, slot))
    }

    fn close(&mut self, node: Value) {
        self.tape.close(node.at());
        self.tape.release(node.slot);
    }

    /// Records nodes that nobody owns on top of `top` until there is no room, and an owned one.
    /// How many.
    fn fill(&mut self, top: Value) -> usize {
        let mut nodes = 0;
        let mut last: Option<Index> = None;
        while self.tape.has_room() {
            let (at, _) = self.tape.record1::<rule::Neg>(top.x, top.slot);
            if let Some(last) = last {
                self.tape.close(last);
            }
            (last, nodes) = (Some(at), nodes + 1);
        }
        nodes
    }

    /// Makes the tape compact; whether nodes moved.
    fn compact(&mut self) -> bool {
        self.limit += 1;
        self.tape.make_room(self.limit - self.tape.len(), 0).expect("room")
    }

    fn grads(&mut self, root: Value, seed: f64, of: &[Value]) -> Vec<f64> {
        for value in of {
            self.tape.set_grad(value.slot, 0.0);
        }
        self.tape.backward(root.at(), seed);
        of.iter().map(|value| self.tape.grad(value.slot)).collect()
    }
}

/// No node may ask for the data of a leaf that is told otherwise.
fn unknown(slot: u32) -> f64 {
    panic!("slot {slot} was asked for")
}

#[test]
fn contributions_that_cancel_leave_nothing_behind() {
    let mut lab = Lab::default();
    let [x, y] = [1.0, 2.0].map(|data| lab.leaf(data));
    let exp = lab.one::<rule::Exp>(x);
    let minus = lab.one::<rule::Neg>(exp);
    let shifted = lab.two::<rule::Add>(minus, y);
    let sum = lab.two::<rule::Add>(shifted, exp);
    for _ in 0..3 {
        assert_eq!(lab.grads(sum, 1.0, &[x, y, exp]), [0.0, 1.0, 0.0]);
    }
}

#[test]
fn a_value_has_one_gradient_from_each_sweep() {
    let mut lab = Lab::default();
    let x = lab.leaf(3.0);
    let square = lab.two::<rule::Mul>(x, x);
    let root = lab.by::<rule::Mul>(square, 5.0);
    lab.tape.backward(root.at(), 1.0);
    lab.tape.backward(root.at(), 1.0);
    assert_eq!(lab.tape.grad(x.slot), 60.0, "leaves add up");
    assert_eq!(lab.tape.grad(square.slot), 5.0, "nodes do not");
    lab.tape.backward(x.at(), 0.5);
    assert_eq!(lab.tape.grad(x.slot), 60.5);
    lab.tape.backward(square.at(), 1.0);
    assert_eq!(lab.tape.grad(square.slot), 1.0);
    assert_eq!(lab.tape.grad(root.slot), 1.0, "not reached, so as it was");
}

#[test]
fn seeds() {
    let mut lab = Lab::default();
    let [x, zero] = [4.0, 0.0].map(|data| lab.leaf(data));
    let scaled = lab.by::<rule::Mul>(x, 0.5);
    let gone = lab.two::<rule::Mul>(scaled, zero);
    let sum = lab.record(|tape, slot| tape.sum(&[scaled.x, gone.x], slot));
    let of = [sum, scaled, x, zero];
    assert_eq!(lab.grads(sum, 1.0, &of), [1.0, 1.0, 0.5, 2.0]);
    assert_eq!(lab.grads(sum, -2.0, &of), [-2.0, -2.0, -1.0, -4.0]);
    assert_eq!(lab.grads(sum, f64::INFINITY, &of), [f64::INFINITY; 4]);
    assert!(lab.grads(sum, f64::NAN, &of).into_iter().all(f64::is_nan));
    assert_eq!(lab.grads(sum, 1.0, &of), [1.0, 1.0, 0.5, 2.0], "nothing is left of inf and nan");
    lab.tape.backward(sum.at(), 0.0);
    assert_eq!(lab.tape.grad(scaled.slot), 0.0, "reached, by a zero");
    assert_eq!(lab.tape.grad(x.slot), 0.5);
}

#[test]
fn zero_times_infinity_is_zero() {
    let mut lab = Lab::default();
    let [x, huge] = [0.0, f64::INFINITY].map(|data| lab.leaf(data));
    let root = lab.one::<rule::Sqrt>(x);
    let product = lab.by::<rule::Mul>(root, 0.0);
    assert_eq!(lab.grads(product, 1.0, &[x, root]), [0.0, 0.0]);
    assert_eq!(lab.grads(product, f64::INFINITY, &[x, root]), [0.0, 0.0]);
    assert_eq!(lab.grads(root, 1.0, &[x]), [f64::INFINITY]);
    let taken = lab.record(|tape, slot| {
        tape.record3::<rule::Where>([Operand::constant(0.0), root.x, huge.x], slot)
    });
    assert_eq!(lab.grads(taken, 1.0, &[x, huge]), [0.0, 1.0]);
    let mut outputs = Vec::new();
    let slot = lab.tape.open().expect("slot");
    let parameters = [huge.x, Operand::constant(f64::NEG_INFINITY)];
    let layer = Layer { inputs: &[taken.x], parameters: &parameters, activation: Some(Op::Relu) };
    lab.tape.layer(layer, &[slot], &mut outputs).expect("lengths");
    let neuron = Value { slot, x: Operand::new(outputs[0].0, outputs[0].1) };
    assert_eq!(lab.grads(neuron, 1.0, &[x, huge]), [0.0, 0.0]);
}

#[test]
fn adjoints_of_nodes_that_nobody_owns() {
    let mut lab = Lab::default();
    let x = lab.leaf(2.0);
    let square = lab.two::<rule::Mul>(x, x);
    let exp = lab.one::<rule::Exp>(square);
    let root = lab.two::<rule::Mul>(exp, square);
    lab.tape.backward(root.at(), 3.0);
    let [want, other] = [exp, square].map(|node| lab.tape.grad(node.slot));
    lab.close(exp);
    lab.close(square);
    assert_eq!([exp, square].map(|node| lab.tape.adjoint(node.at())), [want, other]);
    lab.tape.backward(x.at(), 1.0);
    assert_eq!(lab.tape.adjoint(exp.at()), 0.0, "the last sweep did not reach it");
}

#[test]
fn adjoints_outlive_a_compaction() {
    let mut lab = Lab::default();
    let x = lab.leaf(2.0);
    let useless = lab.one::<rule::Exp>(x);
    let square = lab.two::<rule::Mul>(x, x);
    let root = lab.one::<rule::Exp>(square);
    lab.tape.backward(root.at(), 1.0);
    let want = lab.tape.grad(square.slot);
    lab.close(useless);
    lab.close(square);
    assert!(lab.compact());
    assert_eq!(lab.tape.adjoint(square.at() - 1), want);
}

#[test]
fn values_are_those_of_the_recording() {
    let mut lab = Lab::default();
    let x = lab.leaf(2.0);
    let double = lab.by::<rule::Mul>(x, 2.0);
    let square = lab.two::<rule::Mul>(double, double);
    lab.tape.assign(x.slot, 2.0);
    let later =
        lab.record(|tape, slot| tape.record1::<rule::Exp>(Operand::new(leaf(x.slot), 0.0), slot));
    lab.tape.assign(x.slot, 0.0);
    lab.close(double);
    for _ in 0..2 {
        let top = lab.tape.len() as Index - 1;
        assert_eq!(lab.tape.value(top, unknown), 1.0);
        assert_eq!(lab.tape.value(square.at(), unknown), 16.0);
        assert_eq!(lab.tape.value(double.at(), unknown), 4.0);
        lab.compact();
    }
    assert!(!lab.tape.retire(x.slot, 7.0));
    assert_eq!(lab.tape.value(later.at(), unknown), 1.0);
    assert_eq!(lab.tape.revive(x.slot), Some(7.0));
    assert_eq!(lab.tape.revive(x.slot), None, "once only");
}

#[test]
fn an_assignment_does_not_reach_nodes_recorded_after_it() {
    let mut lab = Lab::default();
    let x = lab.leaf(2.0);
    let keeper = lab.one::<rule::Neg>(x);
    let short_lived = lab.one::<rule::Exp>(x);
    lab.tape.assign(x.slot, 2.0);
    lab.close(short_lived);
    let later =
        lab.record(|tape, slot| tape.record1::<rule::Sqrt>(Operand::new(leaf(x.slot), 9.0), slot));
    assert_eq!(lab.tape.value(later.at(), |_| 9.0), 3.0);
    assert_eq!(lab.tape.value(keeper.at(), |_| 9.0), -2.0);
}

#[test]
fn what_is_kept_of_assignments_is_bounded() {
    let mut lab = Lab::default();
    let x = lab.leaf(0.0);
    let keeper = lab.one::<rule::Exp>(x);
    for round in 0..6 {
        let assignments = (0..1 << 18).take_while(|&i| {
            lab.tape.assign(x.slot, f64::from(i));
            lab.tape.has_room()
        });
        let count = assignments.count();
        assert!(count < 1 << 17, "{count} assignments kept, in round {round}");
        assert!(!lab.tape.make_room(1, 1).expect("room"));
    }
    assert_eq!(lab.tape.value(keeper.at(), unknown), 1.0);
}

#[test]
fn the_dead_end_goes_at_once_and_the_rest_when_the_tape_has_doubled() {
    let mut lab = Lab::default();
    let x = lab.leaf(1.0);
    let first = lab.one::<rule::Neg>(x);
    let mut chain = vec![first];
    (0..300_000).for_each(|i| chain.push(lab.one::<rule::Neg>(chain[i])));
    let last = lab.one::<rule::Exp>(x);
    chain.drain(1..).for_each(|node| lab.close(node));
    assert_eq!(lab.tape.len(), 300_002, "the last node lives");
    lab.fill(last);
    assert!(lab.tape.make_room(1, 0).expect("room"));
    assert_eq!(lab.tape.owners().collect::<Vec<_>>(), [first.slot, last.slot, last.slot]);
    // Little is alive now, so little may lie about dead.
    let count = lab.fill(Value { slot: last.slot, x: Operand::new(1, 0.0) });
    assert!(count < 1 << 17, "{count} dead nodes");
}

/// Callers that make room before each node get the tape compacted as those that wait until it is
/// full.
#[test]
fn the_tape_stays_short_while_little_is_alive() {
    let mut tape = Tape::new();
    let [x, slot] = [(); 2].map(|()| tape.open().expect("slot"));
    let x = [Operand::new(leaf(x), 1.0)];
    let mut alive: Option<Index> = None;
    for _ in 0..1 << 19 {
        if tape.make_room(1, 1).expect("room") {
            alive = tape.owners().position(|owner| owner == slot).map(|at| at as Index);
        }
        let (at, _) = tape.sum(&x, slot);
        if let Some(at) = alive {
            tape.close(at);
        }
        alive = Some(at);
    }
    assert!(tape.len() <= 1 << 17, "{} nodes, of which one is alive", tape.len());
}

#[test]
fn a_full_tape_stays_as_it_was() {
    let mut lab = Lab::default();
    let x = lab.leaf(1.0);
    let [dead, node] = [lab.one::<rule::Neg>(x), lab.one::<rule::Exp>(x)];
    lab.close(dead);
    let most = Index::MAX as usize;
    assert_eq!(lab.tape.make_room(most, 0), Err(Error::TapeFull));
    assert_eq!(lab.tape.owners().collect::<Vec<_>>(), [NOBODY, node.slot], "nothing has moved");
    assert_eq!(lab.tape.make_room(1, most + 1), Err(Error::TapeFull));
    assert_eq!(lab.tape.owners().collect::<Vec<_>>(), [NOBODY, node.slot], "nothing has moved");
}

#[test]
fn everything_goes_with_the_last_owner() {
    let mut lab = Lab::default();
    let x = lab.leaf(1.0);
    assert!(lab.tape.retire(x.slot, 1.0), "no node can name it");
    let [a, b] = [lab.one::<rule::Neg>(x), lab.one::<rule::Exp>(x)];
    assert!(!lab.tape.retire(x.slot, 1.0));
    lab.close(a);
    assert_eq!((lab.tape.len(), lab.tape.owner(0)), (2, NOBODY));
    lab.close(b);
    assert!(lab.tape.is_empty());
    assert_eq!(lab.tape.revive(x.slot), None);
    let mut slots: Vec<u32> = (0..3).map(|_| lab.tape.open().expect("slot")).collect();
    slots.sort_unstable();
    assert_eq!(slots, [1, 2, 3], "all slots are free again");
}

/// Gradients at the far end of a long tape, and beside many leaves: the sweep must not look at all
/// of it, and find the same.
#[test]
fn few_nodes_among_many() {
    for (fillers, leaves) in [(0, 0), (5_000, 0), (100_000, 0), (0, 50_000), (20_000, 50_000)] {
        let mut lab = Lab::default();
        let [x, y] = [0.5, 3.0].map(|data| lab.leaf(data));
        let early = lab.one::<rule::Exp>(x);
        let unreached = lab.one::<rule::Exp>(y);
        let zeroed = lab.one::<rule::Sin>(x);
        let filler = lab.leaf(1.0);
        let mut last = filler;
        (0..fillers).for_each(|_| last = lab.one::<rule::Neg>(filler));
        (0..leaves).for_each(|_| last = lab.leaf(0.0));
        assert_ne!(last.slot, NOBODY);
        let near = lab.two::<rule::Mul>(early, y);
        let nothing = lab.by::<rule::Mul>(zeroed, 0.0);
        let parts = [near.x, nothing.x, early.x];
        let root = lab.record(|tape, slot| tape.sum(&parts, slot));
        for node in [unreached, zeroed] {
            lab.tape.set_grad(node.slot, 7.0);
        }
        let e = 0.5_f64.exp();
        for seed in [1.0, 2.0] {
            let want = [4.0 * e * seed, e * seed, 0.0, seed, 4.0 * seed];
            assert_eq!(lab.grads(root, seed, &[x, y, filler, nothing, early]), want);
            let [kept, zero] = [unreached, zeroed].map(|node| lab.tape.grad(node.slot));
            assert_eq!((kept, zero), (7.0, 0.0), "{fillers} fillers, {leaves} leaves");
        }
        lab.tape.set_grad(zeroed.slot, 7.0);
        assert_eq!(lab.grads(root, 0.0, &[x, early]), [0.0, 0.0]);
        assert_eq!(lab.tape.grad(zeroed.slot), 0.0, "a seed of zero reaches it");
    }
}

fn bits(operands: &[(Index, f64)]) -> Vec<(Index, u64)> {
    operands.iter().map(|&(at, number)| (at, number.to_bits())).collect()
}

#[test]
fn every_kind_of_node_is_restored_as_it_was_recorded() {
    let data = [0.5, 0.25, 2.0, 1.5, 0.75];
    for &op in Op::ALL {
        let arity = match op {
            Op::Sum | Op::Logsumexp => 3,
            Op::Dot => 4,
            Op::Affine => 5,
            _ => op.row().operands.len(),
        };
        // Each operand in turn is a constant, if another one is not; then none, then two the same.
        for constant in 0..arity + 2 {
            let term = |i| match i {
                i if i == constant && arity > 1 => Term::Constant(data[i]),
                _ if constant > arity => Term::Value(2),
                i => Term::Value(i),
            };
            let activation = (op == Op::Affine && constant % 2 == 0).then_some(Op::Tanh);
            let step = Step { op, activation, outputs: 1, terms: (0..arity).map(term).collect() };
            let mut old = Program { leaves: data.to_vec(), steps: vec![step] }.record();
            let recorded = old.tape.recorded(0);
            assert_eq!((recorded.op, recorded.activation), (op, activation));
            old.tape.make_room(1, 8).expect("room");
            let slot = old.tape.open().expect("slot");
            let copy = old.tape.restore(&recorded, slot);
            assert_eq!((copy, old.tape.owner(copy)), (1, slot));
            let again = old.tape.recorded(copy);
            assert_eq!((again.op, again.activation), (op, activation));
            assert_eq!(bits(&again.operands), bits(&recorded.operands));
            let values = [0, copy].map(|at| old.tape.value(at, |slot| data[slot as usize - 1]));
            assert_eq!(values.map(f64::to_bits), [old.values[5].to_bits(); 2], "{op:?}");
            let gradient = old.gradient(5, 5);
            old.places[5] = copy;
            let bits =
                |gradient: Vec<f64>| gradient.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(old.gradient(5, 5)), bits(gradient), "{op:?}");
        }
    }
}
