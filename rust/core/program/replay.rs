//! Replay: a plan on a batch of rows.
//!
//! Rows go in chunks of whole blocks; how many blocks depends on the number of rows alone. Each
//! chunk has its own sums, which are added in the order of the chunks: so the number of threads
//! does not change a bit of the result.

mod job;
mod memory;
mod rows;

use std::sync::Arc;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::graph::{Graph, Kind, Trace};
use super::kernels::Frame;
use super::level::Level;
use super::paths::Paths;
use super::plan::{Batch, Numbers, Output, Plan};
use super::real::Real;
use super::section::{Part, Section};
use super::simd::Instruction;
use super::tables::FRESH;
use job::Job;
pub use memory::{Memories, Memory};

/// What a replay reads: for every leaf a row of numbers, or one row that all share.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Number of rows.
    pub rows: usize,
    /// One array a leaf; the inputs are their columns, leaf after leaf.
    pub leaves: &'a [ArrayView2<'a, f64>],
    /// The captured values' data.
    pub parameters: &'a [f64],
    /// Weights of the results in what is differentiated.
    pub seeds: &'a [f64],
}

/// What a replay fills.
#[derive(Debug)]
pub struct Results<'a> {
    /// The results, a row each.
    pub values: Option<ArrayViewMut2<'a, f64>>,
    /// For each leaf the gradient, a row each; for what all rows share, in one row, their sum.
    pub gradients: Vec<Option<ArrayViewMut2<'a, f64>>>,
    /// Gradient of the captured values.
    pub parameters: &'a mut [f64],
    /// Sums of the results over the rows.
    pub totals: &'a mut [f64],
    /// The path of every row, where the plan tells answers.
    pub routes: Option<(&'a Paths, &'a mut [u32])>,
}

/// Whoever waits for a replay.
pub struct Caller<'a> {
    /// Where the other threads come from; `None` for one thread.
    pub pool: Option<&'a rayon::ThreadPool>,
    /// Asked now and then in the calling thread: whether to stop.
    pub stop: &'a dyn Fn() -> bool,
}

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All rows are done.
    Done,
    /// A row left the path; the results are not filled.
    Left,
    /// The caller asked to stop.
    Stopped,
}

fn run<T: Real>(instructions: &[Instruction<T>], frame: &mut Frame<'_, T>) {
    for instruction in instructions {
        instruction.run(frame);
    }
}

/// Which input a column of a leaf is.
fn columns<'a>(leaves: &'a [ArrayView2<'a, f64>]) -> impl Iterator<Item = (usize, usize)> + 'a {
    leaves.iter().enumerate().flat_map(|(leaf, array)| (0..array.ncols()).map(move |c| (leaf, c)))
}

/// A plan for either kind of numbers.
pub trait Replay: Send + Sync {
    /// Replays the rows.
    fn replay(
        &self,
        rows: &Rows<'_>,
        results: &mut Results<'_>,
        memories: &Memories,
        caller: &Caller<'_>,
    ) -> End;
    /// Number of nodes that are computed: once a batch, and once a row.
    fn nodes(&self) -> (usize, usize);
    /// Number of instructions, and bytes of slots that a block of rows takes.
    fn size(&self) -> (usize, usize);
}

/// Lays out the path `trace` for such batches.
#[must_use]
pub fn lay_out(graph: &Graph, trace: &Trace, batch: &Batch, level: Level) -> Arc<dyn Replay> {
    match batch.numbers {
        Numbers::Exact | Numbers::Double => Arc::new(Plan::<f64>::new(graph, trace, batch, level)),
        Numbers::Single => Arc::new(Plan::<f32>::new(graph, trace, batch, level)),
    }
}

impl<T: Real> Replay for Plan<T> {
    fn nodes(&self) -> (usize, usize) {
        (self.shared.nodes, self.rows.nodes)
    }

    fn size(&self) -> (usize, usize) {
        let (rows, shared) = (&self.rows, &self.shared);
        let count =
            rows.forward.len() + rows.reverse.len() + shared.forward.len() + shared.reverse.len();
        (count, size_of::<T>() * rows.size)
    }

    fn replay(
        &self,
        rows: &Rows<'_>,
        results: &mut Results<'_>,
        memories: &Memories,
        caller: &Caller<'_>,
    ) -> End {
        let columns: Vec<(usize, usize)> = columns(rows.leaves).collect();
        for &input in &self.unused {
            let (leaf, column) = columns[input as usize];
            if let Some(gradient) = &mut results.gradients[leaf] {
                gradient.column_mut(column).fill(0.0);
            }
        }
        let mut shared: Memory<f64> = memories.take();
        let start = shared.fit(self.shared.size);
        shared.answers.clear();
        shared.answers.resize(self.questions, 0);
        if !self.share(rows, &columns, &mut shared, start) {
            memories.give_back(shared);
            return End::Left;
        }
        let mut own: Memory<T> = memories.take();
        let slots = &shared.slots[start..];
        own.scalars.resize(self.scalars.count, T::ZERO);
        self.scalars.fill(rows.parameters, slots, &mut own.scalars);
        let splats: Vec<(T, u32)> =
            self.splats.iter().map(|&(from, to)| (T::narrow(slots[from as usize]), to)).collect();
        // What is the same for all rows is answered for all lanes.
        let answers: Vec<u64> =
            shared.answers.iter().map(|&yes| if yes == 0 { 0 } else { u64::MAX }).collect();
        let job = Job {
            plan: self,
            rows,
            columns: &columns,
            scalars: &own.scalars,
            splats: &splats,
            answers: &answers,
        };
        let end = job.all(results, &mut own.sums, memories, caller);
        if end == End::Done {
            self.fill_shared_outputs(rows, results, slots);
            results.parameters.fill(0.0);
            for sums in own.sums.chunks_exact(self.rows.sums.len().max(1)) {
                self.gradients.add(sums, results.parameters);
            }
            if !self.shared.seeds.is_empty() {
                self.sweep_shared(rows, &columns, &own.sums, results, &mut shared, start);
            }
        }
        memories.give_back(own);
        memories.give_back(shared);
        end
    }
}

impl<T: Real> Plan<T> {
    /// Computes what all rows share; whether they are on the path.
    fn share(
        &self,
        rows: &Rows<'_>,
        columns: &[(usize, usize)],
        memory: &mut Memory<f64>,
        start: usize,
    ) -> bool {
        for &(kind, at) in &self.given {
            memory.slots[start + at as usize] = match kind {
                Kind::Input(k) => {
                    let (leaf, column) = columns[k as usize];
                    rows.leaves[leaf][[0, column]]
                }
                Kind::Parameter(k) => rows.parameters[k as usize],
                Kind::Constant(bits) => f64::from_bits(bits),
                _ => unreachable!("operations are computed, not given"),
            };
        }
        let Memory { slots, answers, .. } = memory;
        let mut frame = self.shared.frame(&mut slots[start..], &[], &mut [], answers, 1);
        run(self.shared.part(Part::Forward, 1), &mut frame);
        !frame.left
    }

    /// Results that are the same for all rows.
    fn fill_shared_outputs(&self, rows: &Rows<'_>, results: &mut Results<'_>, slots: &[f64]) {
        for (k, output) in self.outputs.iter().enumerate() {
            let Output::Shared(at, _) = *output else { continue };
            let value = slots[at as usize];
            results.totals[k] = value * rows.rows as f64;
            if let Some(values) = &mut results.values {
                values.column_mut(k).fill(value);
            }
        }
    }

    /// The reverse part of what all rows share; `sums` are those of the chunks.
    fn sweep_shared(
        &self,
        rows: &Rows<'_>,
        columns: &[(usize, usize)],
        sums: &[T],
        results: &mut Results<'_>,
        memory: &mut Memory<f64>,
        start: usize,
    ) {
        for care in [false, true] {
            let slots = &mut memory.slots[start..];
            for &seed in &self.shared.seeds {
                slots[(seed & !FRESH) as usize] = 0.0;
            }
            let mut add = |seed: u32, adjoint: f64| slots[(seed & !FRESH) as usize] += adjoint;
            for sums in sums.chunks_exact(self.rows.sums.len().max(1)) {
                self.sums.iter().for_each(|&(sum, seed)| add(seed, sums[sum as usize].wide()));
            }
            for (output, seed) in self.outputs.iter().zip(rows.seeds) {
                if let Output::Shared(_, Some(at)) = *output {
                    add(at, seed * rows.rows as f64);
                }
            }
            let part = if care { Part::Careful } else { Part::Reverse };
            run(self.shared.part(part, 1), &mut self.shared.frame(slots, &[], &mut [], &mut [], 1));
            let adjoint = |at: u32| memory.slots[start + at as usize];
            if !care && self.shared_gradients.iter().any(|&(_, at)| adjoint(at).is_nan()) {
                // The values that the first sweep used are there no more.
                self.share(rows, columns, memory, start);
                continue;
            }
            for &(kind, at) in &self.shared_gradients {
                match kind {
                    Kind::Parameter(k) => results.parameters[k as usize] += adjoint(at),
                    Kind::Input(k) => {
                        let (leaf, column) = columns[k as usize];
                        if let Some(gradient) = &mut results.gradients[leaf] {
                            gradient[[0, column]] = adjoint(at);
                        }
                    }
                    _ => {}
                }
            }
            return;
        }
    }
}

impl<T: Real, const L: usize> Section<T, L> {
    fn frame<'a>(
        &'a self,
        slots: &'a mut [T],
        scalars: &'a [T],
        sums: &'a mut [T],
        answers: &'a mut [u64],
        width: usize,
    ) -> Frame<'a, T> {
        Frame { slots, scalars, sums, tables: &self.tables, answers, left: false, width }
    }
}
