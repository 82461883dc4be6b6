//! What one instruction does to a block of rows: loops over lanes that the compiler vectorises.
//!
//! The bodies are the rows of the table, expanded; [`super::simd`] makes a copy of each for every
//! level of SIMD. Values are computed as the tape computes them; adjoints may use fused
//! multiply-add.

use super::real::Real;
use super::recording::Test;
use super::tables::{FRESH, Tables};
use crate::elementary::Lanes;
use crate::number::{Lane, Number};
use crate::op::Rule;

/// Rows in a block.
pub const LANES: usize = 64;

/// Lanes that a kernel computes at a time, where it is not for whole blocks.
pub const GROUP: usize = 32;

/// How many lanes are computed for so many rows of a block: whole groups.
pub fn width(rows: usize) -> usize {
    rows.next_multiple_of(GROUP)
}

/// Number of partial sums that a block's rows are added up in, whatever the SIMD width: so the
/// result does not depend on it.
pub const PARTS: usize = 8;

/// What instructions read and write: the memory of one thread.
pub struct Frame<'a, T> {
    /// A block of lanes for every slot.
    pub slots: &'a mut [T],
    /// Numbers that all rows share.
    pub scalars: &'a [T],
    /// Sums over rows.
    pub sums: &'a mut [T],
    /// What instructions of many operands look up.
    pub tables: &'a Tables,
    /// Answers to questions, a bit for every lane.
    pub answers: &'a mut [u64],
    /// Whether a row left the path.
    pub left: bool,
    /// Number of lanes that are computed.
    pub width: usize,
}

/// What an instruction names: offsets of slots, or places in the tables.
pub type Names = [u32; 6];

impl<T: Real> Frame<'_, T> {
    #[inline(always)]
    fn lanes(&self, offset: u32) -> &[T] {
        &self.slots[offset as usize..][..self.width]
    }
}

/// An adjoint that is added to.
pub struct Target<'a, T, const L: usize> {
    lanes: &'a mut [T; L],
    /// Whether this is the first contribution: what stands there is old.
    fresh: bool,
}

impl<'a, T: Real, const L: usize> Target<'a, T, L> {
    /// The lanes that `name` names, with its mark [`FRESH`].
    #[inline(always)]
    pub fn new(lanes: &'a mut [T; L], name: u32) -> Self {
        Target { lanes, fresh: name & FRESH != 0 }
    }

    #[inline(always)]
    fn add<const CARE: bool>(&mut self, i: usize, adjoint: f64, partial: f64) {
        let sum = self.lanes[i].unless(self.fresh).wide();
        self.lanes[i] = T::narrow(accumulated::<f64, CARE>(sum, adjoint, partial));
    }
}

/// `sum + adjoint * partial`. With care, a factor that is exactly zero makes the product zero: the
/// first try goes without, and whoever finds a nan tries again.
#[inline(always)]
pub fn accumulated<T: Real, const CARE: bool>(sum: T, adjoint: T, partial: T) -> T {
    let zero = |x: T| x == T::ZERO;
    if CARE && (zero(adjoint) || zero(partial)) { sum } else { sum.fused(adjoint, partial) }
}

/// A plain number that partial derivatives are computed with in lanes.
pub trait Plain: Number {
    /// The number `x`.
    fn of(x: f64) -> Self;
    /// It as an `f64`.
    fn number(self) -> f64;
}

impl Plain for Lane {
    #[inline(always)]
    fn of(x: f64) -> Lane {
        Lane(x)
    }
    #[inline(always)]
    fn number(self) -> f64 {
        self.0
    }
}

impl Plain for f64 {
    #[inline(always)]
    fn of(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn number(self) -> f64 {
        self
    }
}

/// The values of a row of the table.
#[inline(always)]
pub fn forward<R: Rule<A>, T: Real, const A: usize, const L: usize>(
    r: &mut [T; L],
    x: [&[T; L]; A],
) {
    if L == 1 {
        r[0] = T::narrow(R::value(x.map(|x| x[0].wide())));
        return;
    }
    for i in 0..L {
        r[i] = T::narrow(R::compute::<Lanes>(x.map(|x| x[i].wide())));
    }
    if R::BEYOND && r.iter().fold(false, |any, &r| any | r.is_sentinel()) {
        go_beyond::<R, T, A, L>(r, x);
    }
}

/// Computes the lanes again that are outside the range of a formula.
#[cold]
#[inline(never)]
fn go_beyond<R: Rule<A>, T: Real, const A: usize, const L: usize>(r: &mut [T; L], x: [&[T; L]; A]) {
    for i in 0..L {
        if r[i].is_sentinel() {
            r[i] = T::narrow(R::value(x.map(|x| x[i].wide())));
        }
    }
}

/// Adds to the adjoints of the operands whose bit is set in `OF`; the first target is the first of
/// those.
#[inline(always)]
pub fn reverse<
    R: Rule<A>,
    T: Real,
    N: Plain,
    const A: usize,
    const L: usize,
    const CARE: bool,
    const OF: u8,
    const W: usize,
>(
    mut targets: [Target<'_, T, L>; W],
    a: &[T; L],
    x: [&[T; L]; A],
    r: &[T; L],
) {
    for i in 0..L {
        let partials = R::partials(x.map(|x| N::of(x[i].wide())), N::of(r[i].wide()));
        let mut t = 0;
        for (k, p) in partials.into_iter().enumerate() {
            if OF >> k & 1 == 1 {
                targets[t].add::<CARE>(i, a[i].wide(), p.number());
                t += 1;
            }
        }
    }
}

/// A guard: `[a, b, whether it holds]`.
#[inline(always)]
pub fn check<T: Real>(frame: &mut Frame<'_, T>, n: &Names, test: Test) {
    let all = u64::MAX >> (u64::BITS as usize - frame.width);
    frame.left |= answer(frame, n, test) != if n[2] != 0 { all } else { 0 };
}

/// A question: `[a, b, its number]`.
#[inline(always)]
pub fn ask<T: Real>(frame: &mut Frame<'_, T>, n: &Names, test: Test) {
    frame.answers[n[2] as usize] = answer(frame, n, test);
}

/// A bit for every lane for which the test holds.
#[inline(always)]
fn answer<T: Real>(frame: &Frame<'_, T>, n: &Names, test: Test) -> u64 {
    let (a, b) = (frame.lanes(n[0]), frame.lanes(n[1]));
    let mut answer = 0;
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        answer |= u64::from(test.holds(a.wide(), b.wide())) << i;
    }
    answer
}

/// Adds the lanes to a sum over rows: `[sum, slot]`.
#[inline(always)]
pub fn reduce<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
    let sum = total(frame.lanes(n[1]));
    frame.sums[n[0] as usize] += sum;
}

/// The sum of a block's rows: row `i` goes to part `i % PARTS`, in the order of the rows.
#[inline(always)]
pub fn total<T: Real>(x: &[T]) -> T {
    let mut parts = [T::ZERO; PARTS];
    for some in x.chunks(PARTS) {
        for (part, x) in parts.iter_mut().zip(some) {
            *part += *x;
        }
    }
    folded(parts)
}

/// The sum of the parts, halves first, as registers are folded.
#[inline(always)]
pub fn folded<T: Real>(parts: [T; PARTS]) -> T {
    let [a, b, c, d, e, f, g, h] = parts;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
