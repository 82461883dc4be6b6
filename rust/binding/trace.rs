//! Recording a Python function: it runs on the one tape, which holds still meanwhile, and hooks note
//! what a tape does not: comparisons, numbers taken out, derivatives cut off. [`unroll`] then
//! reads the steps off the tape.
//!
//! The hooks ask one flag of the process first, then the tracer of their thread. No Python code
//! runs while a tracer is borrowed: it might come back here.

mod guards;
mod places;
mod unroll;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradtape::Tape;
use gradtape::kernel::Index;
use gradtape::program::{Recording, Source};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::convert::{bug, not_a_number, not_a_run};
use crate::slots::{Given, Handle, given};
use crate::state::{enter_idle, set_recording};
use guards::Guards;
pub use guards::{compared, read, tested};

/// How many recordings run in the process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The recordings of this thread, an inner one after the one it runs in.
    static TRACERS: RefCell<Vec<Tracer>> = const { RefCell::new(Vec::new()) };
}

/// Whether any thread records, so that a hook may have something to do.
#[inline(always)]
pub fn running() -> bool {
    RUNNING.load(Ordering::Relaxed) != 0
}

/// What stands behind an origin.
#[derive(Clone, Copy)]
enum Base {
    Source(Source),
    /// A node of this recording.
    Node(Index),
}

/// Where a leaf's or a guard's number comes from.
#[derive(Clone, Copy)]
struct Origin {
    base: Base,
    /// No derivative goes there.
    detached: bool,
}

impl Origin {
    const fn of(source: Source) -> Origin {
        Origin { base: Base::Source(source), detached: false }
    }

    fn constant(self) -> bool {
        matches!(self.base, Base::Source(Source::Constant(_)))
    }
}

/// What a leaf of this recording stands for.
struct Made {
    origin: Origin,
    /// Length of the tape when that began.
    since: usize,
}

/// One recording while it runs.
struct Tracer {
    /// Nodes from here on are the recording's.
    start: Index,
    /// The arguments and the leaves that the function made, by slot.
    made: HashMap<u32, Made>,
    /// What leaves stood for before they were assigned to: for nodes before that place.
    earlier: HashMap<u32, Vec<(usize, Origin)>>,
    captured: Captured,
    guards: Guards,
}

/// Values that were there before, in the order in which they were met.
#[derive(Default)]
struct Captured {
    objects: Vec<Py<PyAny>>,
    numbers: HashMap<usize, u32>,
}

impl Captured {
    fn new(py: Python<'_>, known: &[Py<PyAny>]) -> Captured {
        let address = |(object, number): (&Py<PyAny>, u32)| (object.as_ptr() as usize, number);
        Captured {
            objects: known.iter().map(|object| object.clone_ref(py)).collect(),
            numbers: known.iter().zip(0..).map(address).collect(),
        }
    }

    fn source(&mut self, value: &Handle<'_>) -> Source {
        let object = value.any();
        let number = self.numbers.entry(object.as_ptr() as usize).or_insert_with(|| {
            self.objects.push(object.clone().unbind());
            self.objects.len() as u32 - 1
        });
        Source::Parameter(*number)
    }
}

impl Tracer {
    fn origin(&mut self, value: &Handle<'_>) -> Origin {
        let at = value.at();
        if at >= self.start {
            return Origin { base: Base::Node(at), detached: false };
        }
        match self.made.get(&value.slot()) {
            Some(made) if at < 0 => made.origin,
            _ => Origin::of(self.captured.source(value)),
        }
    }

    /// What the leaf in `slot` stood for when node `at` was recorded; `None` if it is captured.
    fn leaf(&self, slot: u32, at: Index) -> Option<Origin> {
        let made = self.made.get(&slot)?;
        let earlier = self.earlier.get(&slot).and_then(|e| e.iter().find(|e| e.0 > at as usize));
        Some(earlier.map_or(made.origin, |earlier| earlier.1))
    }
}

/// Asks the tracer of this thread, where there is one.
fn with<T>(ask: impl FnOnce(&mut Tracer) -> T) -> Option<T> {
    if !running() {
        return None;
    }
    TRACERS.with_borrow_mut(|tracers| tracers.last_mut().map(ask))
}

/// Whether this thread records.
pub fn recording() -> bool {
    with(|_| ()).is_some()
}

/// A leaf was made in `slot`, the tape being `len` long.
pub fn born(slot: u32, len: usize) {
    let origin = Origin::of(Source::Constant(0.0));
    with(|tracer| tracer.made.insert(slot, Made { origin, since: len }));
}

/// The value in `slot` is a leaf no more.
pub fn placed(slot: u32) {
    with(|tracer| tracer.made.remove(&slot));
}

/// The leaf in `slot` has new data, the tape being `len` long.
pub fn assigned(slot: u32, data: f64, len: usize) {
    with(|tracer| {
        let Some(made) = tracer.made.get_mut(&slot) else { return };
        if made.since < len {
            tracer.earlier.entry(slot).or_default().push((len, made.origin));
        }
        *made = Made { origin: Origin::of(Source::Constant(data)), since: len };
    });
}

/// The leaf in `slot` is `of` without its derivative.
pub fn detached(slot: u32, of: &Handle<'_>) {
    with(|tracer| {
        let origin = tracer.origin(of);
        let detached = !origin.constant();
        tracer.made.insert(slot, Made { origin: Origin { detached, ..origin }, since: 0 });
    });
}

/// Gives the node `at`, which `slot` owns, up for a leaf that stands for it without its
/// derivative.
pub fn detach_node(tape: &mut Tape, slot: u32, at: Index) {
    tape.close(at); // the tape is frozen, so nothing is cut
    let origin = Origin { base: Base::Node(at), detached: true };
    with(|tracer| tracer.made.insert(slot, Made { origin, since: at as usize }));
}

/// Refuses to assign to a value that this thread's recording did not make.
pub fn assignable(value: &Handle<'_>) -> PyResult<()> {
    let own = with(|tracer| match tracer.made.get(&value.slot()) {
        Some(made) if value.at() < 0 => {
            made.origin.detached || !matches!(made.origin.base, Base::Source(Source::Input(_)))
        }
        _ => false,
    });
    if own.unwrap_or(true) {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "data is assigned to while the function is recorded, and a replay would not do that \
         again: return the new number, and assign it after the call",
    ))
}

/// Refuses what belongs to gradients while this thread records.
pub fn refuse_gradients(what: &str) -> PyResult<()> {
    if !recording() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(format!(
        "{what} is used while the function is recorded, and a replay would not do that again: take \
         the gradient of the compiled function, outside of it"
    )))
}

/// A recording that runs in this thread, until it is dropped.
struct Running {
    /// Whether nodes were recorded before, or `no_grad` was in force.
    before: bool,
    /// In how many recordings of this thread it runs.
    depth: usize,
}

impl Running {
    fn start(py: Python<'_>, inputs: &[Handle<'_>], known: &[Py<PyAny>]) -> Running {
        let captured = Captured::new(py, known);
        let input = |(k, value): (u32, &Handle<'_>)| {
            let origin = Origin::of(Source::Input(k));
            (value.slot(), Made { origin, since: 0 })
        };
        let made = (0..).zip(inputs).map(input).collect();
        // The caller's `no_grad` is not the function's: its derivatives may be wanted later.
        let depth = TRACERS.with_borrow(Vec::len);
        let running = Running { before: set_recording(true), depth };
        let mut state = enter_idle();
        state.tape.freeze();
        let start = state.tape.len() as Index;
        drop(state);
        RUNNING.fetch_add(1, Ordering::Relaxed);
        let tracer =
            Tracer { start, made, earlier: HashMap::new(), captured, guards: Guards::default() };
        TRACERS.with_borrow_mut(|tracers| tracers.push(tracer));
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Dropped when nothing is borrowed, for its values may have destructors.
        drop(TRACERS.with_borrow_mut(|tracers| tracers.split_off(self.depth)));
        RUNNING.fetch_sub(1, Ordering::Relaxed);
        set_recording(self.before);
        enter_idle().tape.thaw();
    }
}

/// Calls `call` with a list of fresh values at `point` and tells what it did. Captured values get
/// the next free numbers in `parameters`, the same object always the same number; on an error
/// `parameters` stay as they are.
///
/// # Errors
/// `TypeError` for a result that is neither a value nor a number, `RuntimeError` for what a replay
/// could not do again, and what `call` raises.
pub fn record(
    py: Python<'_>,
    call: &Bound<'_, PyAny>,
    point: &[f64],
    parameters: &mut Vec<Py<PyAny>>,
) -> PyResult<Recording> {
    let inputs: Vec<_> = point.iter().map(|&x| Handle::leaf(py, x)).collect::<PyResult<_>>()?;
    let _running = Running::start(py, &inputs, parameters);
    let outputs = run(call, &inputs)?;
    let mut tracer = TRACERS.with_borrow_mut(Vec::pop).ok_or_else(bug)?;
    let recording = unroll::unroll(py, &mut tracer, inputs.len(), &outputs)?;
    *parameters = tracer.captured.objects;
    Ok(recording)
}

/// Calls the function; the origins of its results.
fn run(call: &Bound<'_, PyAny>, inputs: &[Handle<'_>]) -> PyResult<Vec<Origin>> {
    let results = call.call1((PyList::new(call.py(), inputs.iter().map(Handle::any))?,))?;
    let items = results.try_iter().map_err(|_| not_a_run("the result", &results))?;
    let origin = |(i, item): (usize, PyResult<Bound<'_, PyAny>>)| {
        let item = item?;
        match (given(&item)?, Handle::of(&item)) {
            (_, Some(value)) => with(|tracer| tracer.origin(&value)).ok_or_else(bug),
            (Some(Given::Number(x)), None) => Ok(Origin::of(Source::Constant(x))),
            _ => Err(not_a_number(&format!("results[{i}]"), &item)),
        }
    };
    items.enumerate().map(origin).collect()
}
