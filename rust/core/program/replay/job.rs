//! One replay of all rows, in chunks, by as many threads as the caller has.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayViewMut2, Axis};

use super::memory::{Memory, lock};
use super::rows::store;
use super::{Caller, End, Memories, Results, Rows, run};
use crate::program::kernels::{LANES, total, width};
use crate::program::paths::Paths;
use crate::program::plan::{Output, Plan};
use crate::program::real::Real;
use crate::program::section::Part;
use crate::program::tables::FRESH;

/// One replay, for all threads.
pub(super) struct Job<'a, 'b, T: Real> {
    pub plan: &'a Plan<T>,
    pub rows: &'a Rows<'b>,
    pub columns: &'a [(usize, usize)],
    pub scalars: &'a [T],
    pub splats: &'a [(T, u32)],
    pub answers: &'a [u64],
}

/// A chunk's share of the results.
struct Chunk<'r, T> {
    start: usize,
    rows: usize,
    values: Option<ArrayViewMut2<'r, f64>>,
    gradients: Vec<Option<ArrayViewMut2<'r, f64>>>,
    totals: &'r mut [f64],
    sums: &'r mut [T],
    routes: Option<(&'r Paths, &'r mut [u32])>,
}

impl<T: Real> Job<'_, '_, T> {
    /// All rows; leaves the sums of each chunk in `sums`.
    pub fn all(
        &self,
        results: &mut Results<'_>,
        sums: &mut Vec<T>,
        memories: &Memories,
        caller: &Caller<'_>,
    ) -> End {
        let (rows, width, outputs) =
            (self.rows.rows, self.plan.rows.sums.len(), self.plan.outputs.len());
        let varies = !self.plan.rows.kept.is_empty() || !self.plan.rows.forward.is_empty();
        let varies = varies || results.routes.is_some();
        let blocks = if varies { (rows / (LANES * 128)).clamp(1, 16) } else { 1 };
        let size = blocks * LANES;
        let chunks = if varies { rows.div_ceil(size) } else { 0 };
        sums.resize(width * chunks, T::ZERO);
        let mut totals = vec![0.0; outputs * chunks];
        let mut values = results.values.as_mut().map(|v| v.axis_chunks_iter_mut(Axis(0), size));
        let mut gradients: Vec<_> = results
            .gradients
            .iter_mut()
            .zip(self.rows.leaves)
            .map(|(gradient, leaf)| match gradient {
                Some(gradient) if leaf.nrows() == rows && gradient.nrows() == rows => {
                    Some(gradient.axis_chunks_iter_mut(Axis(0), size))
                }
                _ => None,
            })
            .collect();
        let mut next = 0;
        let mut each_sums = sums.chunks_exact_mut(width.max(1));
        let mut each_totals = totals.chunks_exact_mut(outputs.max(1));
        let mut routes = results.routes.as_mut().map(|(paths, r)| (*paths, r.chunks_mut(size)));
        let feed = Mutex::new(move || {
            if next >= chunks {
                return None;
            }
            let start = next * size;
            next += 1;
            Some(Chunk {
                start,
                rows: size.min(rows - start),
                values: values.as_mut().and_then(Iterator::next),
                gradients: gradients
                    .iter_mut()
                    .map(|g| g.as_mut().and_then(Iterator::next))
                    .collect(),
                totals: each_totals.next().unwrap_or_default(),
                sums: each_sums.next().unwrap_or_default(),
                routes: routes.as_mut().and_then(|(paths, each)| Some((*paths, each.next()?))),
            })
        });
        let (left, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
        let work = |stop: &dyn Fn() -> bool| {
            let mut memory = memories.take::<T>();
            let start = memory.fit(self.plan.rows.size);
            memory.answers.clear();
            memory.answers.extend(self.answers);
            for &(value, at) in self.splats {
                memory.slots[start + at as usize..][..LANES].fill(value);
            }
            while !left.load(Ordering::Relaxed) && !stopped.load(Ordering::Relaxed) {
                let Some(mut chunk) = (*lock(&feed))() else { break };
                if !self.chunk(&mut chunk, &mut memory, start) {
                    left.store(true, Ordering::Relaxed);
                }
                if stop() {
                    stopped.store(true, Ordering::Relaxed);
                }
            }
            memories.give_back(memory);
        };
        match caller.pool {
            Some(pool) if chunks > 1 => pool.in_place_scope(|scope| {
                for _ in 1..pool.current_num_threads().min(chunks) {
                    scope.spawn(|_| work(&|| false));
                }
                work(caller.stop);
            }),
            _ => work(caller.stop),
        }
        drop(feed);
        if stopped.into_inner() {
            return End::Stopped;
        }
        if left.into_inner() {
            return End::Left;
        }
        results.totals.fill(0.0);
        for chunk in totals.chunks_exact(outputs.max(1)) {
            results.totals.iter_mut().zip(chunk).for_each(|(total, part)| *total += part);
        }
        End::Done
    }

    /// A chunk of blocks; whether all its rows are on the path.
    fn chunk(&self, chunk: &mut Chunk<'_, T>, memory: &mut Memory<T>, start: usize) -> bool {
        // Where exact zeros met infinities once, they will again: care is taken from the start.
        let care = self.plan.poisoned.load(Ordering::Relaxed);
        for care in [care, true] {
            chunk.totals.fill(0.0);
            chunk.sums.fill(T::ZERO);
            let mut poisoned = false;
            for row in (0..chunk.rows).step_by(LANES) {
                let Some(ordinary) = self.block(chunk, row, memory, start, care) else {
                    return false;
                };
                poisoned |= !ordinary;
            }
            if care || !(poisoned || holds_nan(chunk.sums)) {
                break;
            }
            self.plan.poisoned.store(true, Ordering::Relaxed);
        }
        true
    }

    /// A block of rows: `None` where one left the path, else whether no adjoint is nan.
    fn block(
        &self,
        chunk: &mut Chunk<'_, T>,
        row: usize,
        memory: &mut Memory<T>,
        start: usize,
        care: bool,
    ) -> Option<bool> {
        let plan = self.plan;
        let count = LANES.min(chunk.rows - row);
        let Memory { slots, answers, .. } = memory;
        self.load(chunk.start + row, count, &mut slots[start..]);
        let width = width(count);
        let mut frame =
            plan.rows.frame(&mut slots[start..], self.scalars, chunk.sums, answers, width);
        run(plan.rows.part(Part::Forward, width), &mut frame);
        if frame.left {
            return None;
        }
        if let Some((paths, routes)) = &mut chunk.routes {
            paths.route(frame.answers, &mut routes[row..row + count]);
        }
        for (k, output) in plan.outputs.iter().enumerate() {
            let Output::Rows(at, _) = *output else { continue };
            let lanes = &frame.slots[at as usize..][..count];
            if let Some(values) = &mut chunk.values {
                store(values, row, k, lanes);
            }
            chunk.totals[k] += total(lanes).wide();
        }
        if plan.rows.seeds.is_empty() {
            return Some(true);
        }
        for &seed in &plan.rows.seeds {
            frame.slots[(seed & !FRESH) as usize..][..LANES].fill(T::ZERO);
        }
        for (output, seed) in plan.outputs.iter().zip(self.rows.seeds) {
            if let Output::Rows(_, Some(at)) = *output {
                let lanes = &mut frame.slots[(at & !FRESH) as usize..][..count];
                for lane in lanes {
                    *lane += T::narrow(*seed);
                }
            }
        }
        let part = if care { Part::Careful } else { Part::Reverse };
        run(plan.rows.part(part, width), &mut frame);
        let mut ordinary = true;
        for &(input, at) in &plan.row_gradients {
            let (leaf, column) = self.columns[input as usize];
            let lanes = &frame.slots[at as usize..][..count];
            if let Some(gradient) = &mut chunk.gradients[leaf] {
                ordinary &= !holds_nan(lanes);
                store(gradient, row, column, lanes);
            }
        }
        Some(ordinary)
    }
}

/// Whether a number is nan; chunk by chunk, which takes vector instructions.
fn holds_nan<T: Real>(numbers: &[T]) -> bool {
    numbers.chunks(64).any(|some| some.iter().fold(false, |nan, x| nan | x.wide().is_nan()))
}
