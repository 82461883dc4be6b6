//! What a function did when it was called once with values: the raw material of a program.

use std::ops::Range;

use crate::Op;

/// Where an operand comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The k-th scalar argument: a number of its own in every row.
    Input(u32),
    /// The k-th captured value, whose present data is read at each replay.
    Parameter(u32),
    /// A number that was the same however the function is called.
    Constant(f64),
    /// The k-th step of the recording.
    Step(u32),
}

impl PartialEq for Source {
    /// Constants are the same when their bits are.
    fn eq(&self, other: &Source) -> bool {
        match (*self, *other) {
            (Source::Input(a), Source::Input(b))
            | (Source::Parameter(a), Source::Parameter(b))
            | (Source::Step(a), Source::Step(b)) => a == b,
            (Source::Constant(a), Source::Constant(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

/// What a step does with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A row of the table, or an operation of any arity; an affine step has its inputs, its
    /// weights and its bias as operands, a dot product its two runs.
    Apply(Op, Option<Op>),
    /// The operand itself, through which no derivative goes.
    Detach,
}

/// One step: its operands stand in [`Recording::operands`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Where the operands are.
    pub operands: Range<u32>,
}

/// A question that Python asked of numbers, and that decided where it went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a == b`
    Equal,
    /// The bits of `a` are those of `b`: the number itself was taken out of a value.
    Same,
}

impl Test {
    /// Every test, in the order of the enum.
    pub const ALL: [Test; 4] = [Test::Less, Test::LessEqual, Test::Equal, Test::Same];

    /// The answer for two numbers.
    #[inline(always)]
    #[must_use]
    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Test::Less => a < b,
            Test::LessEqual => a <= b,
            Test::Equal => a == b,
            Test::Same => a.to_bits() == b.to_bits(),
        }
    }
}

/// A question with the answer that it got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    /// The question.
    pub test: Test,
    /// What it was asked of.
    pub operands: [Source; 2],
    /// The answer.
    pub holds: bool,
    /// Where it was asked: index into [`Recording::places`].
    pub place: u32,
}

/// A function as it was recorded at one point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// Number of scalar arguments.
    pub inputs: u32,
    /// The steps, each after those it uses.
    pub steps: Vec<Step>,
    /// Operands of all steps, side by side.
    pub operands: Vec<Source>,
    /// The guards in the order in which they were asked.
    pub guards: Vec<Guard>,
    /// The results.
    pub outputs: Vec<Source>,
    /// Files and lines that guards name.
    pub places: Vec<(String, u32)>,
}

impl Recording {
    /// Appends a step.
    pub fn push(&mut self, action: Action, operands: impl IntoIterator<Item = Source>) -> Source {
        let start = self.operands.len() as u32;
        self.operands.extend(operands);
        self.steps.push(Step { action, operands: start..self.operands.len() as u32 });
        Source::Step(self.steps.len() as u32 - 1)
    }

    /// How many captured values it needs.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let guards = self.guards.iter().flat_map(|guard| &guard.operands);
        let all = self.operands.iter().chain(&self.outputs).chain(guards);
        let count = all.map(|source| match source {
            Source::Parameter(k) => *k as usize + 1,
            _ => 0,
        });
        count.max().unwrap_or(0)
    }

    /// The operands of a step.
    #[must_use]
    pub fn operands_of(&self, step: &Step) -> &[Source] {
        &self.operands[step.operands.start as usize..step.operands.end as usize]
    }
}
