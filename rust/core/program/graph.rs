//! The graph of all paths of a function: every distinct operation on distinct operands stands in
//! it once, whatever path it was recorded on.
//!
//! Operations of any arity are taken apart into rows of the table, in the order in which the tape
//! computes them, so that a replay gives the tape's numbers to the last bit. For the same reason
//! only such algebra is done as is exact in floating point.

use rustc_hash::FxHashMap;

use super::recording::{Action, Guard, Recording, Source, Test};
use crate::Op;

/// Number of a node in the graph; operands have lower numbers than what is computed from them.
pub type Id = u32;

/// Stands where a node has no further operand.
pub const NONE: Id = Id::MAX;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The k-th scalar argument.
    Input(u32),
    /// The k-th captured value.
    Parameter(u32),
    /// A number, by its bits.
    Constant(u64),
    /// A row of the table.
    Apply(Op),
    /// The operand, through which no derivative goes.
    Detach,
}

/// A node with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its operands, then [`NONE`].
    pub operands: [Id; 3],
}

impl Node {
    /// The operands that are there.
    pub fn operands(&self) -> impl Iterator<Item = Id> + Clone {
        self.operands.into_iter().take_while(|&id| id != NONE)
    }
}

/// A question on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The test.
    pub test: Test,
    /// What it compares.
    pub operands: [Id; 2],
}

/// A recording in the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The questions with their answers and places, each question once.
    pub guards: Vec<(Question, bool, u32)>,
    /// The results.
    pub outputs: Vec<Id>,
}

/// Nodes in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    known: FxHashMap<Node, Id>,
}

impl Graph {
    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node `id`.
    #[must_use]
    pub fn node(&self, id: Id) -> Node {
        self.nodes[id as usize]
    }

    /// The number, where the node is a constant.
    #[must_use]
    pub fn constant(&self, id: Id) -> Option<f64> {
        match self.node(id).kind {
            Kind::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// Takes a recording in; what it has in common with earlier ones is shared.
    pub fn take(&mut self, recording: &Recording) -> Trace {
        if self.nodes.is_empty() {
            self.known.reserve(recording.steps.len());
        }
        let mut at: Vec<Id> = Vec::with_capacity(recording.steps.len());
        let mut operands = Vec::new();
        for step in &recording.steps {
            operands.clear();
            let sources = recording.operands_of(step);
            operands.extend(sources.iter().map(|&source| self.source(source, &at)));
            let id = match step.action {
                Action::Apply(op, activation) => self.apply(op, activation, &operands),
                Action::Detach => self.detach(operands[0]),
            };
            at.push(id);
        }
        let mut trace = Trace { guards: Vec::new(), outputs: Vec::new() };
        let mut asked = rustc_hash::FxHashSet::default();
        for &Guard { test, operands, holds, place } in &recording.guards {
            let operands = operands.map(|source| self.source(source, &at));
            let constant = operands.iter().all(|&id| self.constant(id).is_some());
            let question = Question { test, operands };
            if !constant && asked.insert(question) {
                trace.guards.push((question, holds, place));
            }
        }
        trace.outputs.extend(recording.outputs.iter().map(|&source| self.source(source, &at)));
        trace
    }

    fn source(&mut self, source: Source, at: &[Id]) -> Id {
        match source {
            Source::Input(k) => self.leaf(Kind::Input(k)),
            Source::Parameter(k) => self.leaf(Kind::Parameter(k)),
            Source::Constant(x) => self.number(x),
            Source::Step(k) => at[k as usize],
        }
    }

    fn leaf(&mut self, kind: Kind) -> Id {
        self.intern(Node { kind, operands: [NONE; 3] })
    }

    fn number(&mut self, x: f64) -> Id {
        self.leaf(Kind::Constant(x.to_bits()))
    }

    fn intern(&mut self, node: Node) -> Id {
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() as Id - 1
        })
    }

    fn detach(&mut self, x: Id) -> Id {
        match self.node(x).kind {
            Kind::Constant(_) | Kind::Detach => x,
            _ => self.intern(Node { kind: Kind::Detach, operands: [x, NONE, NONE] }),
        }
    }

    /// An operation of the tape.
    fn apply(&mut self, op: Op, activation: Option<Op>, x: &[Id]) -> Id {
        match op {
            Op::Sum => self.total(x),
            Op::Dot => self.products(x),
            Op::Affine => {
                let sum = self.products(&x[..x.len() - 1]);
                let sum = self.emit(Op::Add, &[sum, x[x.len() - 1]]);
                activation.map_or(sum, |activation| self.emit(activation, &[sum]))
            }
            Op::Logsumexp => self.logsumexp(x),
            _ => self.emit(op, x),
        }
    }

    /// The sum from the first to the last, from 0 on.
    fn total(&mut self, x: &[Id]) -> Id {
        let zero = self.number(0.0);
        x.iter().fold(zero, |sum, &x| self.emit(Op::Add, &[sum, x]))
    }

    /// The sum of products of two runs, from 0 on.
    fn products(&mut self, x: &[Id]) -> Id {
        let (x, w) = x.split_at(x.len() / 2);
        let zero = self.number(0.0);
        x.iter().zip(w).fold(zero, |sum, (&x, &w)| {
            let product = self.emit(Op::Mul, &[x, w]);
            self.emit(Op::Add, &[sum, product])
        })
    }

    /// `shift + log(sum(exp(x - shift)))`, where the shift is the largest operand if that is
    /// finite, else 0, and counts as constant: the derivative does not depend on it.
    fn logsumexp(&mut self, x: &[Id]) -> Id {
        let zero = self.number(0.0);
        let top = x[1..].iter().fold(x[0], |top, &x| self.emit(Op::Maximum, &[x, top]));
        let spread = self.emit(Op::Sub, &[top, top]);
        let finite = self.emit(Op::Equal, &[spread, zero]);
        let shift = self.emit(Op::Where, &[finite, top, zero]);
        let shift = self.detach(shift);
        let exps: Vec<Id> = x
            .iter()
            .map(|&x| {
                let below = self.emit(Op::Sub, &[x, shift]);
                self.emit(Op::Exp, &[below])
            })
            .collect();
        let sum = self.total(&exps);
        let log = self.emit(Op::Log, &[sum]);
        self.emit(Op::Add, &[shift, log])
    }

    /// A row of the table on these operands, or something simpler with the same bits.
    fn emit(&mut self, op: Op, x: &[Id]) -> Id {
        let mut numbers = [0.0; 3];
        let all = x.iter().zip(&mut numbers).all(|(&id, number)| {
            self.constant(id).inspect(|&constant| *number = constant).is_some()
        });
        if all && let Some(value) = op.apply(&numbers[..x.len()]) {
            return self.number(value);
        }
        if let Some(id) = self.simpler(op, x) {
            return id;
        }
        let mut operands = [NONE; 3];
        operands[..x.len()].copy_from_slice(x);
        if matches!(op, Op::Add | Op::Mul | Op::Equal) && operands[0] > operands[1] {
            operands.swap(0, 1); // they commute to the last bit
        }
        self.intern(Node { kind: Kind::Apply(op), operands })
    }

    /// Algebra that is exact: neither a bit nor the sign of a zero changes.
    fn simpler(&mut self, op: Op, x: &[Id]) -> Option<Id> {
        let number = |i: usize| self.constant(x[i]).map(f64::to_bits);
        let is = |i: usize, value: f64| number(i) == Some(value.to_bits());
        let node = |i: usize| self.node(x[i]);
        let negative = |i: usize| {
            let node = node(i);
            (node.kind == Kind::Apply(Op::Neg)).then_some(node.operands[0])
        };
        match op {
            Op::Add if is(1, -0.0) => Some(x[0]),
            Op::Add if is(0, -0.0) => Some(x[1]),
            Op::Sub if is(1, 0.0) => Some(x[0]),
            Op::Mul | Op::Div | Op::Pow if is(1, 1.0) => Some(x[0]),
            Op::Mul if is(0, 1.0) => Some(x[1]),
            Op::Mul if is(1, -1.0) => Some(self.emit(Op::Neg, &x[..1])),
            Op::Mul if is(0, -1.0) => Some(self.emit(Op::Neg, &x[1..])),
            Op::Pow if is(1, 2.0) => Some(self.emit(Op::Mul, &[x[0], x[0]])),
            Op::Div => {
                let reciprocal = reciprocal(self.constant(x[1])?)?;
                let reciprocal = self.number(reciprocal);
                Some(self.emit(Op::Mul, &[x[0], reciprocal]))
            }
            Op::Neg => negative(0),
            Op::Add => match (negative(0), negative(1)) {
                (_, Some(y)) => Some(self.emit(Op::Sub, &[x[0], y])),
                (Some(y), None) => Some(self.emit(Op::Sub, &[x[1], y])),
                _ => None,
            },
            Op::Sub => negative(1).map(|y| self.emit(Op::Add, &[x[0], y])),
            Op::Abs => negative(0).map(|y| self.emit(Op::Abs, &[y])),
            Op::Where => match self.constant(x[0]) {
                Some(condition) => Some(x[if condition == 0.0 { 2 } else { 1 }]),
                None => (x[1] == x[2]).then_some(x[1]),
            },
            _ => None,
        }
    }
}

/// `1 / x` where multiplying by it is exactly dividing by `x`: powers of two.
fn reciprocal(x: f64) -> Option<f64> {
    let reciprocal = 1.0 / x;
    let power = x.to_bits() << 12 == 0;
    (power && x.is_normal() && reciprocal.is_normal()).then_some(reciprocal)
}
