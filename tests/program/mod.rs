//! Random programs over every operation of the table, kept inside its domain and away from kinks.
#![allow(dead_code, reason = "each test uses a part")]

use std::fmt;

use gradtape::kernel::{Index, SINK};
use gradtape::tape::{Layer, leaf};
use gradtape::{Dual, Number, Op, Operand, Tape, rule};
use proptest::prelude::*;

/// An operand: an earlier value, by its number (leaves come first), or a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    Value(usize),
    Constant(f64),
}

impl Term {
    pub fn read<N: Number>(self, values: &[N]) -> N {
        match self {
            Term::Value(i) => values[i],
            Term::Constant(c) => N::constant(c),
        }
    }
}

/// One operation; `affine` is a layer of several outputs, whose parameters follow its inputs.
#[derive(Clone, Debug)]
pub struct Step {
    pub op: Op,
    pub activation: Option<Op>,
    pub outputs: usize,
    pub terms: Vec<Term>,
}

#[derive(Clone, Debug)]
pub struct Program {
    pub leaves: Vec<f64>,
    pub steps: Vec<Step>,
}

macro_rules! dispatch {
    ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal
        $latex:literal { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        /// Records a row; constants stand at the sink.
        fn record_row(tape: &mut Tape, op: Op, x: &[Operand], slot: u32) -> (Index, f64) {
            match op {
                $(Op::$Op => dispatch!(@$arity $Op tape x slot),)+
                _ => unreachable!("an operation of any arity"),
            }
        }
    };
    (@1 $Op:ident $tape:ident $x:ident $slot:ident) => {
        $tape.record1::<rule::$Op>($x[0], $slot)
    };
    (@2 $Op:ident $tape:ident $x:ident $slot:ident) => {
        match [$x[0].at() == SINK, $x[1].at() == SINK] {
            [false, false] => $tape.record2::<rule::$Op>($x[0], $x[1], $slot),
            [false, true] => $tape.record2_by::<rule::$Op>($x[0], $x[1].value(), $slot),
            [true, _] => $tape.record2_of::<rule::$Op>($x[0].value(), $x[1], $slot),
        }
    };
    (@3 $Op:ident $tape:ident $x:ident $slot:ident) => {
        $tape.record3::<rule::$Op>([$x[0], $x[1], $x[2]], $slot)
    };
}
gradtape::operations!(dispatch);

fn inner<N: Number>(x: &[N], w: &[N]) -> N {
    x.iter().zip(w).fold(N::constant(0.0), |sum, (&x, &w)| sum + x * w)
}

impl Step {
    fn row(op: Op, terms: &[Term]) -> Step {
        Step { op, activation: None, outputs: 1, terms: terms.to_vec() }
    }

    /// Number of inputs of a layer; any number for other steps.
    pub fn inputs(&self) -> usize {
        self.terms.len().saturating_sub(self.outputs) / (self.outputs + 1)
    }

    /// The outputs for these operands, by the rows of the table alone.
    pub fn apply<N: Number>(&self, x: &[N]) -> Vec<N> {
        let zero = N::constant(0.0);
        match self.op {
            Op::Sum => vec![x.iter().fold(zero, |sum, &x| sum + x)],
            Op::Logsumexp => vec![x.iter().fold(zero, |sum, &x| sum + x.exp()).log()],
            Op::Dot => vec![inner(&x[..x.len() / 2], &x[x.len() / 2..])],
            Op::Affine => {
                let (inputs, parameters) = x.split_at(self.inputs());
                let neuron = |p: &[N]| {
                    let sum = inner(inputs, &p[..inputs.len()]) + p[inputs.len()];
                    self.activation.map_or(sum, |op| op.apply(&[sum]).expect("a row of one"))
                };
                parameters.chunks_exact(inputs.len() + 1).map(neuron).collect()
            }
            op => vec![op.apply(x).expect("as many operands as the row has")],
        }
    }

    /// Records the step; `slots` own its outputs. There must be room.
    pub fn record(&self, tape: &mut Tape, x: &[Operand], slots: &[u32]) -> Vec<(Index, f64)> {
        let n = x.len() / 2;
        match self.op {
            Op::Sum => vec![tape.sum(x, slots[0])],
            Op::Logsumexp => vec![tape.logsumexp(x, slots[0]).expect("operands")],
            Op::Dot => vec![tape.dot(&x[..n], &x[n..], slots[0]).expect("lengths")],
            Op::Affine => {
                let (inputs, parameters) = x.split_at(self.inputs());
                let layer = Layer { inputs, parameters, activation: self.activation };
                let mut outputs = Vec::new();
                tape.layer(layer, slots, &mut outputs).expect("lengths");
                outputs
            }
            op => vec![record_row(tape, op, x, slots[0])],
        }
    }
}

/// What a step is made of, before it is known which values there are.
#[derive(Clone)]
pub struct Draw {
    op: usize,
    activation: usize,
    width: usize,
    outputs: usize,
    terms: Vec<(u16, Option<f64>)>,
}

impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Draw { op, activation, width, outputs, terms } = self;
        write!(f, "Draw {{ {:?}, {activation}, {width}, {outputs}, {terms:?} }}", Op::ALL[*op])
    }
}

/// Small whole numbers, whose sums often cancel, and any others.
pub fn number() -> impl Strategy<Value = f64> {
    prop_oneof![(-3i8..=3).prop_map(f64::from), -3.0..3.0]
}

pub fn draw() -> impl Strategy<Value = Draw> {
    let term = (any::<u16>(), prop::option::weighted(0.2, number()));
    let terms = prop::collection::vec(term, 15);
    (0..Op::ALL.len(), any::<usize>(), 0..=3usize, 1..=3usize, terms).prop_map(
        |(op, activation, width, outputs, terms)| Draw { op, activation, width, outputs, terms },
    )
}

pub fn program() -> impl Strategy<Value = Program> {
    let leaves = prop::collection::vec(number(), 1..5);
    (leaves, prop::collection::vec(draw(), 1..25)).prop_map(|(leaves, draws)| {
        let mut builder = Builder::new(leaves);
        for draw in &draws {
            builder.draw(draw);
        }
        builder.program
    })
}

impl Draw {
    /// The step where there are so many values.
    pub fn step(&self, values: usize) -> Step {
        let op = Op::ALL[self.op];
        let rows: Vec<Op> =
            Op::ALL.iter().copied().filter(|op| op.row().operands.len() == 1).collect();
        let outputs = if op == Op::Affine { self.outputs } else { 1 };
        let len = match op {
            Op::Sum => self.width,
            Op::Logsumexp => self.width.max(1),
            Op::Dot => 2 * self.width,
            Op::Affine => self.width + outputs * (self.width + 1),
            _ => op.row().operands.len(),
        };
        let value = |pick: u16| Term::Value(usize::from(pick) % values);
        let term =
            |&(pick, constant): &(u16, Option<f64>)| constant.map_or(value(pick), Term::Constant);
        let mut terms: Vec<Term> = self.terms[..len].iter().map(term).collect();
        let row = !op.row().operands.is_empty();
        if row && terms.iter().all(|term| matches!(term, Term::Constant(_))) {
            terms[len - 1] = value(self.terms[len - 1].0);
        }
        let activation = rows.get(self.activation % (rows.len() + 1)).copied();
        Step { op, activation: activation.filter(|_| op == Op::Affine), outputs, terms }
    }
}

/// So far from its operands must an operation be defined and smooth.
const MARGIN: f64 = 0.01;

/// Whether the row is defined and smooth around `x`; only the operands that are `free` move.
fn smooth(op: Op, x: &[f64], free: &[bool]) -> bool {
    let Some((value, first, _)) = op.derivatives(x) else { return false };
    // To the ends of the margin, and to the other operands if they are within.
    let by = |i: usize| {
        x.iter().map(move |to| (to - x[i]).clamp(-MARGIN, MARGIN)).chain([-MARGIN, MARGIN])
    };
    let mut moves = (0..x.len()).filter(|&i| free[i]).flat_map(|i| by(i).map(move |by| (i, by)));
    op.domain(x)
        && value.abs() < 100.0
        && moves.all(|(i, by)| {
            let mut y = x.to_vec();
            y[i] += by;
            let Some((moved, there, _)) = op.derivatives(&y) else { return false };
            let even = (0..x.len()).all(|k| !free[k] || (there[k] - first[k]).abs() < 0.2);
            op.domain(&y) && even && (moved - value - first[i] * by).abs() < 0.1 * MARGIN
        })
}

/// What may be done to operands that an operation is not smooth at: a row, a factor, a shift.
const PREPARATIONS: [(Op, f64, f64); 3] =
    [(Op::Tanh, 0.9, 0.0), (Op::Softplus, 1.0, 1.1), (Op::Sigmoid, 0.8, 0.1)];

/// A program that grows, with its values and how strongly rounding may have hit them.
struct Builder {
    program: Program,
    values: Vec<f64>,
    growth: Vec<f64>,
}

impl Builder {
    fn new(leaves: Vec<f64>) -> Builder {
        let growth = vec![1.0; leaves.len()];
        Builder { values: leaves.clone(), growth, program: Program { leaves, steps: Vec::new() } }
    }

    /// Adds the step unless it would make rounding errors grow too much; its first output.
    fn push(&mut self, step: Step) -> Option<Term> {
        let mut growth = vec![1.0; step.outputs];
        for (i, term) in step.terms.iter().enumerate() {
            let Term::Value(of) = *term else { continue };
            let seed = |(k, term): (usize, &Term)| Dual {
                tangent: f64::from(u8::from(i == k)),
                value: term.read(&self.values),
            };
            let x: Vec<Dual> = step.terms.iter().enumerate().map(seed).collect();
            for (growth, y) in growth.iter_mut().zip(step.apply(&x)) {
                *growth += y.tangent.abs() * self.growth[of];
            }
        }
        let x: Vec<f64> = step.terms.iter().map(|term| term.read(&self.values)).collect();
        let values = step.apply(&x);
        let tame = growth.iter().all(|&g| g < 1e3) && values.iter().all(|v| v.abs() < 100.0);
        tame.then(|| {
            self.growth.extend(growth);
            self.values.extend(&values);
            self.program.steps.push(step);
            Term::Value(self.values.len() - values.len())
        })
    }

    fn draw(&mut self, draw: &Draw) {
        let mut step = draw.step(self.values.len());
        let x: Vec<f64> = step.terms.iter().map(|term| term.read(&self.values)).collect();
        if step.op.row().operands.is_empty() {
            if let Some(op) = step.activation.take() {
                let sums = step.apply(&x);
                step.activation = sums.iter().all(|&s| smooth(op, &[s], &[true])).then_some(op);
            }
            self.push(step);
            return;
        }
        let free: Vec<bool> =
            step.terms.iter().map(|term| matches!(term, Term::Value(_))).collect();
        if smooth(step.op, &x, &free) {
            self.push(step);
            return;
        }
        let fits = |&&(op, factor, shift): &&(Op, f64, f64)| {
            let prepared = |(&x, &free): (&f64, &bool)| {
                if free { op.value_and_slope(x).0 * factor + shift } else { x }
            };
            smooth(step.op, &x.iter().zip(&free).map(prepared).collect::<Vec<_>>(), &free)
        };
        if let Some(preparation) = PREPARATIONS.iter().find(fits)
            && let Some(terms) = step.terms.iter().map(|&t| self.prepare(t, *preparation)).collect()
        {
            self.push(Step { terms, ..step });
        }
    }

    fn prepare(&mut self, term: Term, (op, factor, shift): (Op, f64, f64)) -> Option<Term> {
        if let Term::Constant(_) = term {
            return Some(term);
        }
        let bounded = self.push(Step::row(op, &[term]))?;
        let scaled = self.push(Step::row(Op::Mul, &[bounded, Term::Constant(factor)]))?;
        self.push(Step::row(Op::Add, &[scaled, Term::Constant(shift)]))
    }
}

/// A recorded program: the places, owners and values of all its values.
pub struct Recording {
    pub tape: Tape,
    pub places: Vec<Index>,
    pub slots: Vec<u32>,
    pub values: Vec<f64>,
}

impl Recording {
    pub fn operand(&self, term: Term) -> Operand {
        match term {
            Term::Value(i) => Operand::new(self.places[i], self.values[i]),
            Term::Constant(c) => Operand::constant(c),
        }
    }

    /// The gradient of value `root` for the first `count` leaves, as the reverse sweep has it.
    pub fn gradient(&mut self, root: usize, count: usize) -> Vec<f64> {
        self.slots[..count].iter().for_each(|&slot| self.tape.set_grad(slot, 0.0));
        self.tape.backward(self.places[root], 1.0);
        self.slots[..count].iter().map(|&slot| self.tape.grad(slot)).collect()
    }
}

impl Program {
    /// All values for these leaves.
    pub fn run<N: Number>(&self, leaves: &[N]) -> Vec<N> {
        let mut values = leaves.to_vec();
        for step in &self.steps {
            let x: Vec<N> = step.terms.iter().map(|term| term.read(&values)).collect();
            values.extend(step.apply(&x));
        }
        values
    }

    /// The program on a fresh tape, every value owned.
    pub fn record(&self) -> Recording {
        let mut tape = Tape::new();
        let slots: Vec<u32> = self.leaves.iter().map(|_| tape.open().expect("slot")).collect();
        let places = slots.iter().map(|&slot| leaf(slot)).collect();
        let mut recording = Recording { tape, places, slots, values: self.leaves.clone() };
        for step in &self.steps {
            let x: Vec<Operand> = step.terms.iter().map(|&term| recording.operand(term)).collect();
            let tape = &mut recording.tape;
            assert!(!tape.make_room(step.outputs, x.len()).expect("room"), "every node is owned");
            let slots: Vec<u32> = (0..step.outputs).map(|_| tape.open().expect("slot")).collect();
            for (at, value) in step.record(tape, &x, &slots) {
                recording.places.push(at);
                recording.values.push(value);
            }
            recording.slots.extend(slots);
        }
        recording
    }

    /// The same with each constant a leaf, after the leaves that there are.
    pub fn with_constants_as_leaves(&self) -> Program {
        let old = self.leaves.len();
        let constants = self.steps.iter().flat_map(|step| &step.terms);
        let added = constants.filter(|term| matches!(term, Term::Constant(_))).count();
        let mut leaves = self.leaves.clone();
        let mut term = |&term: &Term| match term {
            Term::Value(i) if i < old => term,
            Term::Value(i) => Term::Value(i + added),
            Term::Constant(c) => {
                leaves.push(c);
                Term::Value(leaves.len() - 1)
            }
        };
        let mut step = |step: &Step| Step {
            terms: step.terms.iter().map(&mut term).collect(),
            ..step.clone()
        };
        let steps = self.steps.iter().map(&mut step).collect();
        Program { leaves, steps }
    }
}
