//! Rows into slots, and results back into rows.

use ndarray::{ArrayViewMut2, s};

use super::Job;
use crate::program::kernels::LANES;
use crate::program::real::Real;

impl<T: Real> Job<'_, '_, T> {
    /// Loads `count` rows; the lanes behind them repeat the last one.
    pub(super) fn load(&self, row: usize, count: usize, slots: &mut [T]) {
        let mut loads = &self.plan.loads[..];
        while let Some(&(input, at)) = loads.first() {
            let (leaf, column) = self.columns[input as usize];
            let leaf = &self.rows.leaves[leaf];
            if let Some(numbers) = leaf.as_slice()
                && count == LANES
                && let tiled = side_by_side(loads, leaf.ncols() - column) / TILE * TILE
                && tiled > 0
            {
                let (some, rest) = loads.split_at(tiled);
                load_tiles(&numbers[row * leaf.ncols() + column..], leaf.ncols(), some, slots);
                loads = rest;
                continue;
            }
            let lanes = &mut slots[at as usize..][..LANES];
            let numbers = leaf.slice(s![row..row + count, column]);
            match numbers.as_slice() {
                Some(numbers) => {
                    lanes.iter_mut().zip(numbers).for_each(|(lane, x)| *lane = T::narrow(*x));
                }
                None => lanes.iter_mut().zip(&numbers).for_each(|(lane, x)| *lane = T::narrow(*x)),
            }
            let last = lanes[count - 1];
            lanes[count..].fill(last);
            loads = &loads[1..];
        }
    }
}

/// Columns and rows that are loaded together: as many as numbers in a line of the cache.
const TILE: usize = 8;

/// How many of the first loads, at most `most`, are of inputs one after the other.
fn side_by_side(loads: &[(u32, u32)], most: usize) -> usize {
    let first = loads[0].0;
    loads.iter().take(most).zip(first..).take_while(|(load, input)| load.0 == *input).count()
}

/// Loads columns that stand side by side in rows of `width`: few rows at a time, so that each is
/// read from its start to its end.
fn load_tiles<T: Real>(numbers: &[f64], width: usize, loads: &[(u32, u32)], slots: &mut [T]) {
    for lane in (0..LANES).step_by(TILE) {
        for (k, some) in loads.chunks_exact(TILE).enumerate() {
            let start = lane * width + k * TILE;
            for (c, &(_, at)) in some.iter().enumerate() {
                let lanes = &mut slots[at as usize + lane..][..TILE];
                for (i, number) in lanes.iter_mut().enumerate() {
                    *number = T::narrow(numbers[start + i * width + c]);
                }
            }
        }
    }
}

pub(super) fn store<T: Real>(
    to: &mut ArrayViewMut2<'_, f64>,
    row: usize,
    column: usize,
    lanes: &[T],
) {
    let rows = row..row + lanes.len();
    let to = to.slice_mut(s![rows, column]);
    to.into_iter().zip(lanes).for_each(|(to, lane)| *to = lane.wide());
}
