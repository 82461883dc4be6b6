//! The reverse sweep: one loop backwards over the nodes.
//!
//! Adjoints live in one scratch array that is all zero between sweeps. A place is named by an
//! [`Index`]: nodes count up from 0, leaves count down from −1, and `base` shifts both into the
//! array, so that the loop need not know which of them an operand is.

/// Place of an operand: a node (`>= 0`) or the leaf in slot `s` (`!s`, negative).
pub type Index = i32;

/// The place where contributions to constants go: slot 0, which no value ever gets.
pub const SINK: Index = !0;

/// Marks a node whose operands stand in a [`Run`].
pub const RUN: Index = Index::MIN;

/// Owner of a node that no value holds.
pub const NOBODY: u32 = 0;

/// One operation of at most two operands, 24 bytes.
///
/// Where an operand is a constant, `at` is [`SINK`] and `partial` is the constant itself. Where
/// `at[0]` is [`RUN`], `at[1]` numbers the run and `partial` is `[activation's partial derivative,
/// bias]`.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub(crate) at: [Index; 2],
    pub(crate) partial: [f64; 2],
}

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

#[cold]
#[inline(never)]
fn unpoisoned(adjoint: f64, partial: f64) -> f64 {
    if adjoint == 0.0 || partial == 0.0 { 0.0 } else { f64::NAN }
}

/// What a sweep reads and writes.
pub(crate) struct Sweep<'a> {
    pub nodes: &'a [Node],
    pub runs: &'a [Run],
    pub terms: &'a Terms,
    pub owners: &'a [u32],
    pub adjoints: &'a mut [f64],
    pub base: usize,
    pub grads: &'a mut [f64],
}

/// How many nodes are scanned between two looks at whether the scan pays.
const STRIDE: usize = 1024;

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

    /// Sweeps the nodes from `root` downwards, for as long as enough of them are reached. Returns
    /// the first node not looked at (0 when all were) and the owned nodes passed over whose `grad`
    /// may be out of date: their adjoint was zero, which reached and unreached nodes share.
    pub fn dense(&mut self, root: usize) -> (usize, Vec<usize>) {
        let mut passed = Vec::new();
        let (mut reached, mut end) = (0, root + 1);
        while end > 0 {
            if root + 1 - end > 8 * reached + 4096 {
                break;
            }
            let start = end.saturating_sub(STRIDE);
            for i in (start..end).rev() {
                let a = self.adjoints[self.base + i];
                if a == 0.0 {
                    let owner = self.owners[i];
                    if owner != NOBODY && self.grads[owner as usize] != 0.0 {
                        passed.push(i);
                    }
                    continue;
                }
                reached += 1;
                self.visit(i, a);
            }
            end = start;
        }
        (end, passed)
    }

    /// Sweeps the nodes `order`, from the last to the first: those that the root reaches.
    pub fn sparse(&mut self, order: &[Index]) {
        for &i in order.iter().rev() {
            let i = i as usize;
            self.visit(i, self.adjoints[self.base + i]);
        }
    }

    /// Takes node `i`'s adjoint `a` out of the array, hands it to the owner and spreads it over
    /// the operands.
    #[inline(always)]
    fn visit(&mut self, i: usize, a: f64) {
        self.adjoints[self.base + i] = 0.0;
        let owner = self.owners[i];
        if owner != NOBODY {
            self.grads[owner as usize] = a;
        }
        let Node { at, partial } = self.nodes[i];
        if at[0] == RUN {
            self.spread(self.runs[at[1] as usize], contribution(a, partial[0]));
        } else {
            self.add(at[0], contribution(a, partial[0]));
            self.add(at[1], contribution(a, partial[1]));
        }
    }

    /// Spreads the adjoint `a` of a run over its terms.
    #[inline(always)]
    fn spread(&mut self, run: Run, a: f64) {
        if a == 0.0 {
            return;
        }
        let terms = self.terms;
        let range = run.start as usize..(run.start + run.len) as usize;
        let (at, number) = (&terms.at[range.clone()], &terms.number[range]);
        if run.bias == RUN {
            for (&at, &p) in at.iter().zip(number) {
                self.add(at, contribution(a, p));
            }
            return;
        }
        self.add(run.bias, a);
        let range = run.weights as usize..(run.weights + run.len) as usize;
        let (weight_at, weight) = (&terms.at[range.clone()], &terms.number[range]);
        for (((&x_at, &x), &w_at), &w) in at.iter().zip(number).zip(weight_at).zip(weight) {
            self.add(w_at, contribution(a, x));
            self.add(x_at, contribution(a, w));
        }
    }
}
