//! The reverse sweep: one loop backwards over the nodes.
//!
//! Adjoints live in one scratch array that is all zero between sweeps. A place is named by an
//! [`Index`]: nodes count up from 0, leaves count down from −1, and `base` shifts both into the
//! array, so that the loop need not know which of them an operand is.

use crate::Op;

/// Place of an operand: a node (`>= 0`) or the leaf in slot `s` (`!s`, negative).
pub type Index = i32;

/// The place of a constant, whose contributions nobody reads: slot 0, which no value ever gets.
/// A node of at most two operands names itself instead, since so many contributions to one place
/// would wait for each other.
pub const SINK: Index = !0;

/// Marks a node whose operands stand in a [`Run`].
pub const RUN: Index = Index::MIN;

/// Owner of a node that no value holds.
pub const NOBODY: u32 = 0;

/// One operation of at most two operands, 24 bytes.
///
/// Where an operand is a constant, `at` is the node's own place and `partial` is the constant. Where
/// `at[0]` is [`RUN`], `at[1]` numbers the run and `partial` is `[activation's partial derivative,
/// bias]`.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub(crate) at: [Index; 2],
    pub(crate) partial: [f64; 2],
}

/// A node's operation (7 bits) and owner (25 bits).
#[derive(Clone, Copy, Debug)]
pub struct Tag(u32);

impl Tag {
    /// The largest number of an owner.
    pub const MOST_OWNERS: u32 = u32::MAX >> 7;

    #[inline(always)]
    pub(crate) fn new(op: Op, owner: u32) -> Tag {
        Tag(op as u32 | owner << 7)
    }

    pub(crate) fn op(self) -> Op {
        Op::ALL[(self.0 & 127) as usize]
    }

    #[inline(always)]
    pub(crate) fn owner(self) -> u32 {
        self.0 >> 7
    }

    #[inline(always)]
    pub(crate) fn set_owner(&mut self, owner: u32) {
        self.0 = self.0 & 127 | owner << 7;
    }
}

const _: () = assert!(Op::ALL.len() <= 128, "an operation must fit a tag");

/// The operands of an n-ary node, as ranges of [`Terms`].
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Length of the terms before this run's own: where they are cut when the node goes.
    pub(crate) first: u32,
    /// Where the operands start. With `weights`, a layer's nodes share one range of them.
    pub(crate) start: u32,
    /// Number of operands (pairs of them, where there are weights).
    pub(crate) len: u32,
    /// Where the weights start; only read where `bias` is not [`RUN`].
    pub(crate) weights: u32,
    /// The bias, or [`RUN`] for a run without weights, whose numbers are partial derivatives.
    pub(crate) bias: Index,
    /// The activation's place in [`Op::ALL`](crate::Op), or `u8::MAX`.
    pub(crate) activation: u8,
    /// How the operands' places follow each other, and the weights'.
    pub(crate) step: Step,
    pub(crate) weight_step: Step,
}

/// How the places in a run follow each other in the array of adjoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// They are constants: nobody reads their adjoints.
    Constant,
    /// Each is the next one up, as a layer's outputs are.
    Up,
    /// Each is the next one down, as leaves are that were made one after the other.
    Down,
    /// In no order.
    Any,
}

impl Step {
    /// Of these places.
    pub(crate) fn of(mut at: impl Iterator<Item = Index>) -> Step {
        let Some(first) = at.next() else {
            return Step::Constant;
        };
        let Some(second) = at.next() else {
            return if first == SINK { Step::Constant } else { Step::Up };
        };
        let (step, by) = match second.wrapping_sub(first) {
            1 => (Step::Up, 1),
            -1 => (Step::Down, -1),
            0 if first == SINK => (Step::Constant, 0),
            _ => return Step::Any,
        };
        let mut last = second;
        for at in at {
            if at.wrapping_sub(last) != by {
                return Step::Any;
            }
            last = at;
        }
        step
    }
}

/// Operands of n-ary nodes, side by side: a place, and a partial derivative (a constant where the
/// place is [`SINK`]) or, in a run with weights, a value.
#[derive(Debug, Default)]
pub struct Terms {
    pub(crate) at: Vec<Index>,
    pub(crate) number: Vec<f64>,
}

/// Adjoint times partial derivative, where a factor that is exactly zero makes the product zero,
/// whatever the other is: a branch not taken never poisons a gradient with nan.
#[inline(always)]
#[must_use]
pub fn contribution(adjoint: f64, partial: f64) -> f64 {
    let product = adjoint * partial;
    if product.is_nan() { unpoisoned(adjoint, partial) } else { product }
}

/// Whether `a` is neither 0 nor infinite nor nan: then `a * p` needs no care, whatever `p` is.
#[inline(always)]
fn ordinary(a: f64) -> bool {
    (a.to_bits() << 1).wrapping_sub(1) < (f64::INFINITY.to_bits() << 1) - 1
}

#[cold]
#[inline(never)]
fn unpoisoned(adjoint: f64, partial: f64) -> f64 {
    if adjoint == 0.0 || partial == 0.0 { 0.0 } else { f64::NAN }
}

#[inline(always)]
fn add_scaled<'a>(to: impl Iterator<Item = &'a mut f64>, a: f64, number: &[f64]) {
    to.zip(number).for_each(|(to, p)| *to += a * p);
}

/// What a sweep reads and writes.
pub(crate) struct Sweep<'a> {
    pub nodes: &'a [Node],
    pub runs: &'a [Run],
    pub terms: &'a Terms,
    pub tags: &'a [Tag],
    pub adjoints: &'a mut [f64],
    pub base: usize,
    pub grads: &'a mut [f64],
}

/// How many nodes are scanned between two looks at whether the scan pays.
const STRIDE: usize = 256;

/// So many nodes are scanned before that is asked at all; gathering 50 nodes takes as long.
const SCANNED: usize = 1024;

impl Sweep<'_> {
    /// The place of `at` in the array of adjoints.
    #[inline(always)]
    fn place(&self, at: Index) -> usize {
        (self.base as isize + at as isize) as usize
    }

    #[inline(always)]
    fn add(&mut self, at: Index, c: f64) {
        let place = self.place(at);
        self.adjoints[place] += c;
    }

    /// Adds `a` times each number to the places `at`, which `step` tells to be neighbours or not.
    #[inline(always)]
    fn add_scaled(&mut self, at: &[Index], step: Step, a: f64, number: &[f64]) {
        let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
            return;
        };
        match step {
            Step::Up => {
                let place = self.place(first);
                add_scaled(self.adjoints[place..place + at.len()].iter_mut(), a, number);
            }
            Step::Down => {
                let place = self.place(last);
                add_scaled(self.adjoints[place..place + at.len()].iter_mut().rev(), a, number);
            }
            Step::Any => at.iter().zip(number).for_each(|(&at, p)| self.add(at, a * p)),
            Step::Constant => {}
        }
    }

    /// Sweeps the nodes from `root` downwards, for as long as enough of them are reached. Returns
    /// the first node not looked at (0 when all were) and the owned nodes passed over whose `grad`
    /// may be out of date: their adjoint was zero, which reached and unreached nodes share.
    pub fn dense(&mut self, root: usize) -> (usize, Vec<usize>) {
        let mut passed = Vec::new();
        let (mut reached, mut end) = (0, root + 1);
        while end > 0 && root + 1 - end <= 8 * reached + SCANNED {
            let start = end.saturating_sub(STRIDE);
            reached += self.stretch(start, end, &mut passed);
            end = start;
        }
        (end, passed)
    }

    /// Sweeps the nodes from `end` (not itself) down to `start`; how many had an adjoint.
    #[inline(never)]
    fn stretch(&mut self, start: usize, end: usize, passed: &mut Vec<usize>) -> usize {
        let base = self.base;
        let top = base + start;
        let nodes = &self.nodes[start..end];
        let tags = &self.tags[start..end];
        let mut zeros = 0;
        // The two latest adjoints stay in registers: a sum's terms are mostly the nodes before it,
        // and a number stored takes 5 ns to be loaded again.
        let (mut next, mut second) = (0.0, 0.0);
        for (k, (node, tag)) in nodes.iter().zip(tags).enumerate().rev() {
            let owner = tag.owner();
            let a = self.adjoints[top + k] + next;
            (next, second) = (second, 0.0);
            if !ordinary(a) {
                if a == 0.0 {
                    zeros += 1;
                    self.adjoints[top + k] = 0.0; // what it held may have cancelled with `next`
                    if owner != NOBODY && self.grads[owner as usize] != 0.0 {
                        passed.push(start + k);
                    }
                } else {
                    self.visit_carefully(start + k, a);
                }
                continue;
            }
            if owner != NOBODY {
                self.grads[owner as usize] = a;
            }
            if node.at[0] == RUN {
                self.visit_run(node, a);
            } else {
                let here = (start + k) as Index;
                for (&at, p) in node.at.iter().zip(node.partial) {
                    let c = a * p;
                    if at == here - 1 {
                        next += c;
                    } else if at == here - 2 {
                        second += c;
                    } else {
                        self.adjoints[base.wrapping_add_signed(at as isize)] += c;
                    }
                }
            }
            self.adjoints[top + k] = 0.0; // last, for constants have left theirs in it
        }
        // The stretch ends, and the next one looks for them in the array; below node 0 stand the
        // leaves of the first slots.
        for (back, carried) in [(1, next), (2, second)] {
            if carried != 0.0 {
                self.adjoints[top - back] += carried;
            }
        }
        end - start - zeros
    }

    /// Visits node `i`, whose adjoint `a` is infinite or nan.
    #[cold]
    #[inline(never)]
    fn visit_carefully(&mut self, i: usize, a: f64) {
        let (node, owner) = (self.nodes[i], self.tags[i].owner());
        if owner != NOBODY {
            self.grads[owner as usize] = a;
        }
        if node.at[0] == RUN {
            self.visit_run(&node, a);
        } else {
            self.add(node.at[0], contribution(a, node.partial[0]));
            self.add(node.at[1], contribution(a, node.partial[1]));
        }
        self.adjoints[self.base + i] = 0.0;
    }

    /// Sweeps the nodes `order`, from the last to the first: those that the root reaches.
    pub fn sparse(&mut self, order: &[Index]) {
        for &i in order.iter().rev() {
            let i = i as usize;
            let mut passed = Vec::new();
            self.stretch(i, i + 1, &mut passed);
            for i in passed {
                self.grads[self.tags[i].owner() as usize] = 0.0;
            }
        }
    }

    #[inline(never)]
    fn visit_run(&mut self, node: &Node, a: f64) {
        let d = contribution(a, node.partial[0]);
        if d != 0.0 {
            let run = &self.runs[node.at[1] as usize];
            self.spread(run, d);
        }
    }

    /// Spreads the adjoint `a` of a run over its terms.
    #[inline(always)]
    fn spread(&mut self, run: &Run, a: f64) {
        let terms = self.terms;
        let range = run.start as usize..(run.start + run.len) as usize;
        let (at, number) = (&terms.at[range.clone()], &terms.number[range]);
        if !ordinary(a) {
            self.spread_carefully(run, a);
        } else if run.bias == RUN {
            self.add_scaled(at, Step::Any, a, number);
        } else {
            self.add(run.bias, a);
            let range = run.weights as usize..(run.weights + run.len) as usize;
            self.add_scaled(&terms.at[range.clone()], run.weight_step, a, number);
            self.add_scaled(at, run.step, a, &terms.number[range]);
        }
    }

    /// As [`spread`](Sweep::spread), for an adjoint that is 0, infinite or nan.
    #[cold]
    #[inline(never)]
    fn spread_carefully(&mut self, run: &Run, a: f64) {
        let terms = self.terms;
        let weights = if run.bias == RUN { run.start } else { run.weights };
        if run.bias != RUN {
            self.add(run.bias, a);
        }
        for (k, w) in (run.start..run.start + run.len).zip(weights..) {
            let (k, w) = (k as usize, w as usize);
            self.add(terms.at[k], contribution(a, terms.number[w]));
            if run.bias != RUN {
                self.add(terms.at[w], contribution(a, terms.number[k]));
            }
        }
    }
}
