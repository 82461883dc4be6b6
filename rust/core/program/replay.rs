//! Replay: a plan on a batch of rows.
//!
//! Rows go in chunks of whole blocks; how many blocks depends on the number of rows alone. Each
//! chunk has its own sums, which are added in the order of the chunks: so the number of threads
//! does not change a bit of the result.

mod rows;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::graph::Kind;
use super::kernels::{Frame, LANES, total};
use super::paths::Paths;
use super::plan::{Output, Plan};
use super::section::Section;
use super::simd::Instruction;
use super::tables::FRESH;
use rows::store;

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
    pub parameters: Vec<f64>,
    /// Sums of the results over the rows.
    pub totals: Vec<f64>,
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

/// The memory of one thread.
#[derive(Debug, Default)]
struct Memory {
    slots: Vec<f64>,
    scalars: Vec<f64>,
    answers: Vec<u64>,
}

impl Memory {
    /// Room for a section; slots start at a multiple of 64 bytes.
    fn fit(&mut self, size: usize) -> usize {
        if self.slots.len() < size + 8 {
            self.slots = vec![0.0; size + 8];
        }
        self.slots.as_ptr().align_offset(64).min(8)
    }
}

/// Memory that is kept between replays.
#[derive(Debug, Default)]
pub struct Memories {
    all: Mutex<Vec<Memory>>,
}

impl Memories {
    fn take(&self) -> Memory {
        lock(&self.all).pop().unwrap_or_default()
    }

    fn give_back(&self, memory: Memory) {
        lock(&self.all).push(memory);
    }
}

/// A lock that nobody poisons: what it holds is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn run(instructions: &[Instruction], frame: &mut Frame<'_>) {
    for instruction in instructions {
        instruction.run(frame);
    }
}

/// Which input a column of a leaf is.
fn columns<'a>(leaves: &'a [ArrayView2<'a, f64>]) -> impl Iterator<Item = (usize, usize)> + 'a {
    leaves.iter().enumerate().flat_map(|(leaf, array)| (0..array.ncols()).map(move |c| (leaf, c)))
}

impl Plan {
    /// Replays the rows.
    pub fn replay(
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
        let mut shared = memories.take();
        let start = shared.fit(self.shared.size);
        shared.answers.clear();
        shared.answers.resize(self.questions, 0);
        if !self.share(rows, &columns, &mut shared, start) {
            memories.give_back(shared);
            return End::Left;
        }
        let mut scalars = std::mem::take(&mut shared.scalars);
        scalars.clear();
        let value = |at: u32| shared.slots[start + at as usize];
        scalars.extend(self.scalars.iter().map(|source| source.map_or_else(|x| x, value)));
        let splats: Vec<(f64, u32)> =
            self.splats.iter().map(|&(from, to)| (value(from), to)).collect();
        // What is the same for all rows is answered for all lanes.
        let answers: Vec<u64> =
            shared.answers.iter().map(|&yes| if yes == 0 { 0 } else { u64::MAX }).collect();
        let job = Job {
            plan: self,
            rows,
            columns: &columns,
            scalars: &scalars,
            splats: &splats,
            answers: &answers,
        };
        let end = job.all(results, memories, caller);
        if end == End::Done {
            self.fill_shared_outputs(rows, results, &shared.slots[start..]);
            let (totals, sums) = results.totals.split_at(self.outputs.len());
            let sums = sums.to_vec();
            results.totals = totals.to_vec();
            if !self.shared.seeds.is_empty() {
                self.sweep_shared(rows, &columns, &sums, results, &mut shared, start);
            }
        }
        shared.scalars = scalars;
        memories.give_back(shared);
        end
    }

    /// Computes what all rows share; whether they are on the path.
    fn share(
        &self,
        rows: &Rows<'_>,
        columns: &[(usize, usize)],
        memory: &mut Memory,
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
        let mut frame = self.shared.frame(&mut slots[start..], &[], &mut [], answers);
        run(&self.shared.forward, &mut frame);
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

    /// The reverse part of what all rows share.
    fn sweep_shared(
        &self,
        rows: &Rows<'_>,
        columns: &[(usize, usize)],
        sums: &[f64],
        results: &mut Results<'_>,
        memory: &mut Memory,
        start: usize,
    ) {
        for care in [false, true] {
            let slots = &mut memory.slots[start..];
            for &seed in &self.shared.seeds {
                slots[(seed & !FRESH) as usize] = 0.0;
            }
            let mut add = |seed: u32, adjoint: f64| slots[(seed & !FRESH) as usize] += adjoint;
            for (sum, seed) in sums.iter().zip(&self.sums) {
                if let Some(seed) = *seed {
                    add(seed, *sum);
                }
            }
            for (output, seed) in self.outputs.iter().zip(rows.seeds) {
                if let Output::Shared(_, Some(at)) = *output {
                    add(at, seed * rows.rows as f64);
                }
            }
            let reverse = if care { self.shared.careful() } else { &self.shared.reverse };
            run(reverse, &mut self.shared.frame(slots, &[], &mut [], &mut []));
            let adjoint = |at: u32| memory.slots[start + at as usize];
            if !care && self.shared_gradients.iter().any(|&(_, at)| adjoint(at).is_nan()) {
                // The values that the first sweep used are there no more.
                self.share(rows, columns, memory, start);
                continue;
            }
            for &(kind, at) in &self.shared_gradients {
                match kind {
                    Kind::Parameter(k) => results.parameters[k as usize] = adjoint(at),
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

impl<const L: usize> Section<L> {
    fn frame<'a>(
        &'a self,
        slots: &'a mut [f64],
        scalars: &'a [f64],
        sums: &'a mut [f64],
        answers: &'a mut [u64],
    ) -> Frame<'a> {
        Frame { slots, scalars, sums, tables: &self.tables, answers, left: false }
    }
}

/// One replay, for all threads.
struct Job<'a, 'b> {
    plan: &'a Plan,
    rows: &'a Rows<'b>,
    columns: &'a [(usize, usize)],
    scalars: &'a [f64],
    splats: &'a [(f64, u32)],
    answers: &'a [u64],
}

/// A chunk's share of the results.
struct Chunk<'r> {
    start: usize,
    rows: usize,
    values: Option<ArrayViewMut2<'r, f64>>,
    gradients: Vec<Option<ArrayViewMut2<'r, f64>>>,
    sums: &'r mut [f64],
    routes: Option<(&'r Paths, &'r mut [u32])>,
}

impl Job<'_, '_> {
    /// Totals of the results, then the sums of the plan.
    fn sums(&self) -> usize {
        self.plan.outputs.len() + self.plan.sums.len()
    }

    /// All rows; leaves the totals and sums in `results.totals`.
    fn all(&self, results: &mut Results<'_>, memories: &Memories, caller: &Caller<'_>) -> End {
        let (rows, width) = (self.rows.rows, self.sums());
        let varies = !self.plan.rows.kept.is_empty() || !self.plan.rows.forward.is_empty();
        let varies = varies || results.routes.is_some();
        let blocks = if varies { (rows / (LANES * 128)).clamp(1, 16) } else { 1 };
        let size = blocks * LANES;
        let chunks = if varies { rows.div_ceil(size) } else { 0 };
        let mut sums = vec![0.0; width * chunks];
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
                sums: each_sums.next().unwrap_or_default(),
                routes: routes.as_mut().and_then(|(paths, each)| Some((*paths, each.next()?))),
            })
        });
        let (left, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
        let work = |stop: &dyn Fn() -> bool| {
            let mut memory = memories.take();
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
        results.totals.clear();
        results.totals.resize(width, 0.0);
        for chunk in sums.chunks_exact(width.max(1)) {
            results.totals.iter_mut().zip(chunk).for_each(|(total, part)| *total += part);
        }
        End::Done
    }

    /// A chunk of blocks; whether all its rows are on the path.
    fn chunk(&self, chunk: &mut Chunk<'_>, memory: &mut Memory, start: usize) -> bool {
        // Where exact zeros met infinities once, they will again: care is taken from the start.
        let care = self.plan.poisoned.load(Ordering::Relaxed);
        for care in [care, true] {
            chunk.sums.fill(0.0);
            let mut poisoned = false;
            for row in (0..chunk.rows).step_by(LANES) {
                let Some(ordinary) = self.block(chunk, row, memory, start, care) else {
                    return false;
                };
                poisoned |= !ordinary;
            }
            let totals = self.plan.outputs.len();
            if care || !(poisoned || holds_nan(&chunk.sums[totals..])) {
                break;
            }
            self.plan.poisoned.store(true, Ordering::Relaxed);
        }
        true
    }

    /// A block of rows: `None` where one left the path, else whether no adjoint is nan.
    fn block(
        &self,
        chunk: &mut Chunk<'_>,
        row: usize,
        memory: &mut Memory,
        start: usize,
        care: bool,
    ) -> Option<bool> {
        let plan = self.plan;
        let count = LANES.min(chunk.rows - row);
        let Memory { slots, answers, .. } = memory;
        let (totals, sums) = chunk.sums.split_at_mut(plan.outputs.len());
        self.load(chunk.start + row, count, &mut slots[start..]);
        let mut frame = plan.rows.frame(&mut slots[start..], self.scalars, sums, answers);
        run(&plan.rows.forward, &mut frame);
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
            totals[k] += total(lanes);
        }
        if plan.rows.seeds.is_empty() {
            return Some(true);
        }
        for &seed in &plan.rows.seeds {
            frame.slots[(seed & !FRESH) as usize..][..LANES].fill(0.0);
        }
        for (output, seed) in plan.outputs.iter().zip(self.rows.seeds) {
            if let Output::Rows(_, Some(at)) = *output {
                let lanes = &mut frame.slots[(at & !FRESH) as usize..][..count];
                for lane in lanes {
                    *lane += seed;
                }
            }
        }
        run(if care { plan.rows.careful() } else { &plan.rows.reverse }, &mut frame);
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
fn holds_nan(numbers: &[f64]) -> bool {
    numbers.chunks(64).any(|some| some.iter().fold(false, |nan, x| nan | x.is_nan()))
}
