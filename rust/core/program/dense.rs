//! Sums of terms and dense layers on a block of rows: what is summed stays in registers.
//!
//! Other kernels are loops that the compiler vectorises; sums that must stay in registers while
//! lists are walked it does not, so these are written in [`Pack`]s, without closures: whether
//! these become part of the copy that has the features is not sure.
#![allow(clippy::needless_range_loop, reason = "several arrays have the same index")]

use std::array::from_fn;

use super::kernels::{Frame, Names, PARTS, accumulated, folded};
use super::real::Real;
use super::tables::{FRESH, Layer, NOWHERE, Place};

/// As many lanes as a register holds.
pub trait Pack: Copy {
    /// What stands in a lane.
    type Number: Real;
    /// Number of lanes: divides [`PARTS`].
    const WIDTH: usize;
    /// Every lane `x`.
    fn splat(x: Self::Number) -> Self;
    /// The first lanes of `from`, which has as many.
    fn load(from: &[Self::Number]) -> Self;
    /// To the first lanes of `to`, which has as many.
    fn store(self, to: &mut [Self::Number]);
    /// The sum, lane by lane.
    fn add(self, other: Self) -> Self;
    /// The difference, lane by lane.
    fn sub(self, other: Self) -> Self;
    /// The product, lane by lane.
    fn mul(self, other: Self) -> Self;
    /// The sum of [`PARTS`] lanes that the first of these hold, in the order of [`folded`].
    fn folded(packs: [Self; PARTS]) -> Self::Number;
    /// `self + a * b` rounded once; with care, where `a` or `b` is exactly zero, `self`.
    fn accumulated<const CARE: bool>(self, a: Self, b: Self) -> Self;
}

/// Lanes as any processor has them.
#[derive(Clone, Copy)]
pub struct Plain<T, const N: usize>([T; N]);

impl<T: Real, const N: usize> Pack for Plain<T, N> {
    type Number = T;
    const WIDTH: usize = N;
    #[inline(always)]
    fn splat(x: Self::Number) -> Self {
        Plain([x; N])
    }
    #[inline(always)]
    fn load(from: &[Self::Number]) -> Self {
        Plain(from_fn(|i| from[i]))
    }
    #[inline(always)]
    fn store(self, to: &mut [Self::Number]) {
        to[..N].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Plain(from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Plain(from_fn(|i| self.0[i] - other.0[i]))
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Plain(from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    fn folded(packs: [Self; PARTS]) -> Self::Number {
        folded(from_fn(|part| packs[part / N].0[part % N]))
    }
    #[inline(always)]
    fn accumulated<const CARE: bool>(self, a: Self, b: Self) -> Self {
        Plain(from_fn(|i| accumulated::<T, CARE>(self.0[i], a.0[i], b.0[i])))
    }
}

/// The packs at `offset`.
#[inline(always)]
fn packs<V: Pack, const P: usize>(slots: &[V::Number], offset: usize) -> [V; P] {
    let lanes = &slots[offset..offset + V::WIDTH * P];
    let mut packs = [V::splat(V::Number::ZERO); P];
    for p in 0..P {
        packs[p] = V::load(&lanes[p * V::WIDTH..]);
    }
    packs
}

#[inline(always)]
fn store<V: Pack, const P: usize>(slots: &mut [V::Number], offset: usize, packs: [V; P]) {
    let lanes = &mut slots[offset..offset + V::WIDTH * P];
    for p in 0..P {
        packs[p].store(&mut lanes[p * V::WIDTH..]);
    }
}

/// A factor.
#[inline(always)]
fn read<V: Pack, const P: usize>(
    frame: &Frame<'_, V::Number>,
    place: Place,
    start: usize,
) -> [V; P] {
    match place {
        Place::Slot(at) => packs(frame.slots, at as usize + start),
        Place::Scalar(at) => [V::splat(frame.scalars[at as usize]); P],
    }
}

/// A sum of terms, from the first to the last, `P` packs at a time: `[result, first term, number of
/// terms]`.
#[inline(always)]
pub fn linear<V: Pack>(frame: &mut Frame<'_, V::Number>, n: &Names) {
    match frame.width / V::WIDTH {
        1 => sums::<V, 1>(frame, n),
        4 => sums::<V, 4>(frame, n),
        _ => sums::<V, 8>(frame, n),
    }
}

#[inline(always)]
fn sums<V: Pack, const P: usize>(frame: &mut Frame<'_, V::Number>, n: &Names) {
    let terms = &frame.tables.terms[n[1] as usize..(n[1] + n[2]) as usize];
    for start in (0..frame.width).step_by(V::WIDTH * P) {
        let mut sum = [V::splat(V::Number::narrow(-0.0)); P]; // to which adding anything changes nothing
        for term in terms {
            let mut value: [V; P] = read(frame, term.x, start);
            if let Some(y) = term.y {
                let y: [V; P] = read(frame, y, start);
                for p in 0..P {
                    value[p] = value[p].mul(y[p]);
                }
            }
            for p in 0..P {
                sum[p] = if term.minus { sum[p].sub(value[p]) } else { sum[p].add(value[p]) };
            }
        }
        store(frame.slots, n[0] as usize + start, sum);
    }
}

/// The reverse of [`linear`]: `[adjoint of the result, first term, number of terms]`.
#[inline(always)]
pub fn linear_reverse<V: Pack, const CARE: bool>(frame: &mut Frame<'_, V::Number>, n: &Names) {
    for term in &frame.tables.terms[n[1] as usize..(n[1] + n[2]) as usize] {
        factor::<V, CARE>(frame, n[0], (term.x, term.dx), term.y, term.minus);
        if let Some(y) = term.y {
            factor::<V, CARE>(frame, n[0], (y, term.dy), Some(term.x), term.minus);
        }
    }
}

/// Adds adjoint times the other factor to the adjoint of a factor.
#[inline(always)]
fn factor<V: Pack, const CARE: bool>(
    frame: &mut Frame<'_, V::Number>,
    adjoint: u32,
    (of, target): (Place, u32),
    other: Option<Place>,
    minus: bool,
) {
    if target == NOWHERE {
        return;
    }
    if let Place::Scalar(_) = of {
        return shared_factor::<V, CARE>(frame, adjoint, target as usize, other, minus);
    }
    let sign = V::Number::narrow(if minus { -1.0 } else { 1.0 });
    let fresh = target & FRESH != 0;
    let width = frame.width;
    let cut = |offset: u32| offset as usize..offset as usize + width;
    if let Some(Place::Slot(y)) = other {
        let apart = frame.slots.get_disjoint_mut([cut(target & !FRESH), cut(adjoint), cut(y)]);
        let Ok([d, a, y]) = apart else { unreachable!("adjoints and values have their own slots") };
        let sign = V::splat(sign);
        for i in (0..width).step_by(V::WIDTH) {
            let sum = if fresh { V::splat(V::Number::ZERO) } else { V::load(&d[i..]) };
            let y = V::load(&y[i..]).mul(sign);
            sum.accumulated::<CARE>(V::load(&a[i..]), y).store(&mut d[i..]);
        }
    } else {
        let weight = other.map_or(sign, |y| sign * frame.scalars[y.at()]);
        let apart = frame.slots.get_disjoint_mut([cut(target & !FRESH), cut(adjoint)]);
        let Ok([d, a]) = apart else { unreachable!("every adjoint has its own slot") };
        let weight = V::splat(weight);
        for i in (0..width).step_by(V::WIDTH) {
            let sum = if fresh { V::splat(V::Number::ZERO) } else { V::load(&d[i..]) };
            sum.accumulated::<CARE>(V::load(&a[i..]), weight).store(&mut d[i..]);
        }
    }
}

/// The same for a factor that all rows share: its adjoint is a sum over them.
#[inline(always)]
fn shared_factor<V: Pack, const CARE: bool>(
    frame: &mut Frame<'_, V::Number>,
    adjoint: u32,
    sum: usize,
    other: Option<Place>,
    minus: bool,
) {
    let mut parts = [V::splat(V::Number::ZERO); PARTS];
    for q in 0..PARTS / V::WIDTH {
        for start in (q * V::WIDTH..frame.width).step_by(PARTS) {
            let [a]: [V; 1] = packs(frame.slots, adjoint as usize + start);
            parts[q] = match other {
                Some(Place::Slot(x)) => {
                    let [x]: [V; 1] = packs(frame.slots, x as usize + start);
                    parts[q].accumulated::<CARE>(a, x)
                }
                _ => parts[q].add(a), // two shared numbers never stand in one term
            };
        }
    }
    let total = V::folded(parts);
    let to = &mut frame.sums[sum];
    *to += if minus { -total } else { total };
}

/// A dense layer: `[layer]`.
#[inline(always)]
pub fn layer<V: Pack>(frame: &mut Frame<'_, V::Number>, n: &Names) {
    let layer = &frame.tables.layers[n[0] as usize];
    for k in (0..layer.outputs.len()).step_by(4) {
        match layer.outputs.len() - k {
            1 => neurons::<V, 1, 4>(frame, layer, k),
            2 => neurons::<V, 2, 4>(frame, layer, k),
            3 => neurons::<V, 3, 2>(frame, layer, k),
            _ => neurons::<V, 4, 2>(frame, layer, k),
        }
    }
}

/// Neurons `k` to `k + T`, `P` packs at a time: each sum in its own order, as the tape has it.
#[inline(always)]
fn neurons<V: Pack, const T: usize, const P: usize>(
    frame: &mut Frame<'_, V::Number>,
    layer: &Layer,
    k: usize,
) {
    let (width, count) = (layer.width(), layer.inputs.len());
    let scalars = &frame.scalars[layer.scalars as usize + k * width..][..width * T];
    let weights: [&[V::Number]; T] = from_fn(|t| &scalars[t * width + 1..][..count]);
    for start in (0..frame.width).step_by(V::WIDTH * P) {
        let mut sums = [[V::splat(V::Number::ZERO); P]; T];
        for t in 0..T {
            sums[t] = [V::splat(scalars[t * width]); P];
        }
        for (j, &input) in layer.inputs.iter().enumerate() {
            let x: [V; P] = packs(frame.slots, input as usize + start);
            for t in 0..T {
                let weight = V::splat(weights[t][j]);
                for p in 0..P {
                    sums[t][p] = sums[t][p].add(x[p].mul(weight));
                }
            }
        }
        for t in 0..T {
            if layer.bias {
                let bias = V::splat(scalars[(t + 1) * width - 1]);
                for p in 0..P {
                    sums[t][p] = sums[t][p].add(bias);
                }
            }
            store(frame.slots, layer.outputs[k + t].0 as usize + start, sums[t]);
        }
    }
}

/// The reverse of [`layer`]: `[layer]`.
#[inline(always)]
pub fn layer_reverse<V: Pack, const CARE: bool>(frame: &mut Frame<'_, V::Number>, n: &Names) {
    let layer = &frame.tables.layers[n[0] as usize];
    if layer.sums != NOWHERE {
        let mut neurons = (0..layer.outputs.len()).filter(|&k| layer.outputs[k].1 != NOWHERE);
        while let Some(k) = neurons.next() {
            match neurons.next() {
                Some(l) => weights::<V, 2, CARE>(frame, layer, [k, l]),
                None => weights::<V, 1, CARE>(frame, layer, [k]),
            }
        }
    }
    for tile in layer.targets.chunks(4) {
        match tile.len() {
            1 => inputs::<V, 1, 4, CARE>(frame, layer, tile),
            2 => inputs::<V, 2, 4, CARE>(frame, layer, tile),
            3 => inputs::<V, 3, 2, CARE>(frame, layer, tile),
            _ => inputs::<V, 4, 2, CARE>(frame, layer, tile),
        }
    }
}

/// Adjoints of `T` inputs, `P` packs at a time.
#[inline(always)]
fn inputs<V: Pack, const T: usize, const P: usize, const CARE: bool>(
    frame: &mut Frame<'_, V::Number>,
    layer: &Layer,
    targets: &[(u32, u32)],
) {
    let width = layer.width();
    let scalars = &frame.scalars[layer.scalars as usize..][..width * layer.outputs.len()];
    for start in (0..frame.width).step_by(V::WIDTH * P) {
        let mut sums = [[V::splat(V::Number::ZERO); P]; T];
        for (&(_, adjoint), row) in layer.outputs.iter().zip(scalars.chunks_exact(width)) {
            if adjoint == NOWHERE {
                continue;
            }
            let a: [V; P] = packs(frame.slots, adjoint as usize + start);
            for t in 0..T {
                let weight = V::splat(row[1 + targets[t].0 as usize]);
                for p in 0..P {
                    sums[t][p] = sums[t][p].accumulated::<CARE>(a[p], weight);
                }
            }
        }
        for t in 0..T {
            let (name, fresh) = (targets[t].1 & !FRESH, targets[t].1 & FRESH != 0);
            let at = name as usize + start;
            if !fresh {
                let old: [V; P] = packs(frame.slots, at);
                for p in 0..P {
                    sums[t][p] = sums[t][p].add(old[p]);
                }
            }
            store(frame.slots, at, sums[t]);
        }
    }
}

/// Adjoints of the shared numbers of `K` neurons.
#[inline(always)]
fn weights<V: Pack, const K: usize, const CARE: bool>(
    frame: &mut Frame<'_, V::Number>,
    layer: &Layer,
    neurons: [usize; K],
) {
    let at = neurons.map(|k| layer.sums as usize + k * layer.width());
    let adjoints = neurons.map(|k| layer.outputs[k].1);
    for k in 0..K {
        summed::<V>(frame, adjoints[k], [at[k], at[k] + layer.width() - 1]);
    }
    let mut at = at.map(|at| at + 1);
    for tile in layer.inputs.chunks(4) {
        match *tile {
            [a] => products::<V, K, 1, CARE>(frame, adjoints, [a], at),
            [a, b] => products::<V, K, 2, CARE>(frame, adjoints, [a, b], at),
            [a, b, c] => products::<V, K, 3, CARE>(frame, adjoints, [a, b, c], at),
            [a, b, c, d, ..] => products::<V, K, 4, CARE>(frame, adjoints, [a, b, c, d], at),
            [] => {}
        }
        at = at.map(|at| at + 4);
    }
}

/// Adds the lanes of `adjoint` to two sums.
#[inline(always)]
fn summed<V: Pack>(frame: &mut Frame<'_, V::Number>, adjoint: u32, at: [usize; 2]) {
    let mut parts = [V::splat(V::Number::ZERO); PARTS];
    for q in 0..PARTS / V::WIDTH {
        for start in (q * V::WIDTH..frame.width).step_by(PARTS) {
            let [a]: [V; 1] = packs(frame.slots, adjoint as usize + start);
            parts[q] = parts[q].add(a);
        }
    }
    for at in at {
        frame.sums[at] += V::folded(parts);
    }
}

/// Adds `adjoint * x`, summed over the lanes, to the sums at `at`, for `K` adjoints and `J` inputs.
#[inline(always)]
fn products<V: Pack, const K: usize, const J: usize, const CARE: bool>(
    frame: &mut Frame<'_, V::Number>,
    adjoints: [u32; K],
    inputs: [u32; J],
    at: [usize; K],
) {
    let mut sums = [[[V::splat(V::Number::ZERO); PARTS]; J]; K];
    for q in 0..PARTS / V::WIDTH {
        for start in (q * V::WIDTH..frame.width).step_by(PARTS) {
            let (mut a, mut x) = ([V::splat(V::Number::ZERO); K], [V::splat(V::Number::ZERO); J]);
            for k in 0..K {
                [a[k]] = packs(frame.slots, adjoints[k] as usize + start);
            }
            for j in 0..J {
                [x[j]] = packs(frame.slots, inputs[j] as usize + start);
            }
            for k in 0..K {
                for j in 0..J {
                    sums[k][j][q] = sums[k][j][q].accumulated::<CARE>(a[k], x[j]);
                }
            }
        }
    }
    for k in 0..K {
        let at = &mut frame.sums[at[k]..at[k] + J];
        for j in 0..J {
            at[j] += V::folded(sums[k][j]);
        }
    }
}
