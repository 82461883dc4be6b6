//! Large dense layers as products of matrices, by the `gemm` crate.
//!
//! Inputs, outputs and their adjoints each stand in slots side by side: matrices of [`LANES`]
//! columns. The sums have another order than the tape's.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::kernels::{Frame, LANES, Names, total};
use super::real::Real;
use super::simd::multiply;
use super::tables::{FRESH, Layer, NOWHERE};

/// Layers with fewer products than this are computed in lanes.
const WORTH_A_PRODUCT: usize = 512;

/// Whether a layer is large enough.
pub fn worth(inputs: usize, outputs: usize) -> bool {
    inputs * outputs >= WORTH_A_PRODUCT && inputs.min(outputs) >= 8
}

fn cut(offset: u32, slots: usize) -> Range<usize> {
    offset as usize..offset as usize + slots * LANES
}

/// The first lanes of slots side by side.
fn lanes<T: Real>(slots: &[T], width: usize) -> ArrayView2<'_, T> {
    matrix(slots, slots.len() / LANES).slice_move(s![.., ..width])
}

fn lanes_mut<T: Real>(slots: &mut [T], width: usize) -> ArrayViewMut2<'_, T> {
    let rows = slots.len() / LANES;
    matrix_mut(slots, rows).slice_move(s![.., ..width])
}

fn matrix<T: Real>(numbers: &[T], rows: usize) -> ArrayView2<'_, T> {
    let shape = (rows, numbers.len() / rows);
    ArrayView2::from_shape(shape, numbers).unwrap_or_else(|_| unreachable!("rows are whole"))
}

fn matrix_mut<T: Real>(numbers: &mut [T], rows: usize) -> ArrayViewMut2<'_, T> {
    let shape = (rows, numbers.len() / rows);
    ArrayViewMut2::from_shape(shape, numbers).unwrap_or_else(|_| unreachable!("rows are whole"))
}

/// A row of shared numbers a neuron: start, weights, bias.
fn shared<'a, T: Real>(scalars: &'a [T], layer: &Layer) -> ArrayView2<'a, T> {
    let outputs = layer.outputs.len();
    matrix(&scalars[layer.scalars as usize..][..outputs * layer.width()], outputs)
}

/// A dense layer: `[layer, inputs, outputs]`.
pub fn product<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
    let layer = &frame.tables.layers[n[0] as usize];
    let (inputs, outputs, width) = (layer.inputs.len(), layer.outputs.len(), frame.width);
    let shared = shared(frame.scalars, layer);
    let apart = frame.slots.get_disjoint_mut([cut(n[1], inputs), cut(n[2], outputs)]);
    let Ok([x, r]) = apart else { unreachable!("results have their own slots") };
    for (lanes, own) in r.chunks_exact_mut(LANES).zip(shared.rows()) {
        lanes[..width].fill(own[0] + own[inputs + 1]);
    }
    let weights = shared.slice(s![.., 1..=inputs]);
    multiply(lanes_mut(r, width), true, &weights, &lanes(x, width));
}

/// The reverse of [`product`]: `[layer, inputs, adjoints of the outputs, of the inputs]`.
pub fn product_reverse<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
    let layer = &frame.tables.layers[n[0] as usize];
    let (inputs, outputs, width) = (layer.inputs.len(), layer.outputs.len(), frame.width);
    let adjoints = lanes(&frame.slots[cut(n[2], outputs)], width);
    if layer.sums != NOWHERE {
        let x = lanes(&frame.slots[cut(n[1], inputs)], width);
        let sums = &mut frame.sums[layer.sums as usize..][..outputs * layer.width()];
        let mut sums = matrix_mut(sums, outputs);
        multiply(sums.slice_mut(s![.., 1..=inputs]), true, &adjoints, &x.t());
        for (mut own, lanes) in sums.rows_mut().into_iter().zip(adjoints.rows()) {
            let sum = total(lanes.to_slice().unwrap_or_default());
            own[0] += sum;
            own[inputs + 1] += sum;
        }
    }
    if n[3] != NOWHERE {
        let weights = shared(frame.scalars, layer).slice_move(s![.., 1..=inputs]);
        let places = [cut(n[2], outputs), cut(n[3] & !FRESH, inputs)];
        let Ok([a, d]) = frame.slots.get_disjoint_mut(places) else {
            unreachable!("every adjoint has its own slot")
        };
        multiply(lanes_mut(d, width), n[3] & FRESH == 0, &weights.t(), &lanes(a, width));
    }
}
