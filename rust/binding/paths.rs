//! `Paths`: what is known of a compiled function, and its replay over NumPy arrays.

mod call;
mod replays;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use gradtape::program::{Batch, Level, Memories, Numbers, Paths as Core, Recording, Replay};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray1, PyReadwriteArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::slots::Handle;
use crate::value::sweep;
use crate::{recording, threads, trace};
pub use call::{Call, Filled, gathered};

type Any<'py> = Bound<'py, PyAny>;

type Plans = HashMap<(Option<usize>, Batch), Arc<dyn Replay>>;

/// One state of knowledge: a new path makes a new one.
#[derive(Default)]
struct Known {
    paths: Core,
    /// Number of results.
    outputs: Option<usize>,
    recordings: Vec<Recording>,
    /// Plans by path (none for the router) and kind of batch.
    plans: Mutex<Plans>,
}

/// The paths of a function.
///
/// Parameters
/// ----------
/// max_paths : int, optional
///     How many there may be.
#[pyclass(module = "gradtape._core", frozen)]
pub struct Paths {
    most: usize,
    known: Mutex<Arc<Known>>,
    parameters: Mutex<Vec<Py<PyAny>>>,
    memories: Memories,
    /// Rows replayed on each path.
    rows: Mutex<Vec<u64>>,
    /// Seconds spent recording and laying out.
    compiling: Mutex<[f64; 2]>,
    /// Rows and seconds of the last replay.
    last: Mutex<(usize, f64)>,
}

impl Known {
    /// Names of the inputs, and of the captured values that follow them.
    fn names<'n>(&self, names: &'n [String]) -> [&'n [String]; 2] {
        let inputs = self.recordings.first().map_or(0, |recording| recording.inputs as usize);
        let (inputs, parameters) = names.split_at(inputs.min(names.len()));
        [inputs, parameters]
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
/// An error of gradtape's own class.
fn error(py: Python<'_>, text: &str) -> PyErr {
    let class = py.import("gradtape.errors").and_then(|module| module.getattr("GradtapeError"));
    match class.and_then(|class| class.call1((text,))) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
#[pymethods]
impl Paths {
    #[new]
    #[pyo3(signature = (max_paths = 64))]
    fn new(max_paths: usize) -> Paths {
        Paths {
            most: max_paths,
            known: Mutex::default(),
            parameters: Mutex::default(),
            memories: Memories::default(),
            rows: Mutex::default(),
            compiling: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Records what `call` does at `point`, twice, and adds the path unless it is there.
    ///
    /// Parameters
    /// ----------
    /// call : callable
    ///     Takes a list of Values, returns a list of Values or numbers.
    /// point : list of float
    ///
    /// Raises
    /// ------
    /// GradtapeError
    ///     If the two recordings differ, contradict what is known, or there are too many paths.
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    fn record(&self, py: Python<'_>, call: &Any<'_>, point: Vec<f64>) -> PyResult<()> {
        let start = Instant::now();
        let mut parameters: Vec<Py<PyAny>> =
            lock(&self.parameters).iter().map(|value| value.clone_ref(py)).collect();
        let first = trace::record(py, call, &point, &mut parameters)?;
        let second = trace::record(py, call, &point, &mut parameters)?;
        *lock(&self.parameters) = parameters;
        self.add(py, first, Some(&second))?;
        lock(&self.compiling)[0] += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Replays rows.
    ///
    /// Parameters
    /// ----------
    /// missing : callable
    ///     Called with the number of a row whose path is not known: must `record` it.
    /// rows : int
    /// leaves : list of numpy.ndarray
    ///     Of shape (rows, size), or (1, size) for what all rows share. Their columns are the
    ///     function's arguments.
    /// values : numpy.ndarray, optional
    ///     (rows, outputs), to fill.
    /// totals : numpy.ndarray, optional
    ///     (outputs,), to fill with the sums over the rows.
    /// gradients : list of numpy.ndarray or None, optional
    ///     As the leaves, to fill with the gradient of sum(seeds * results); for what all rows
    ///     share, of its sum over the rows.
    /// seeds : numpy.ndarray, optional
    ///     (outputs,), the weights of the results.
    /// parameter_gradient : bool, optional
    ///     Whether the captured values' gradient is returned.
    /// threads : int, optional
    ///     0 for all processors.
    ///
    /// Returns
    /// -------
    /// numpy.ndarray or None
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    #[pyo3(signature = (missing, rows, leaves, *, values=None, totals=None, gradients=None, seeds=None, parameter_gradient=false, threads=0))]
    fn run<'py>(
        &self,
        missing: &Any<'py>,
        rows: usize,
        leaves: Vec<PyReadonlyArray2<'py, f64>>,
        values: Option<PyReadwriteArray2<'py, f64>>,
        totals: Option<PyReadwriteArray1<'py, f64>>,
        gradients: Option<Vec<Option<PyReadwriteArray2<'py, f64>>>>,
        seeds: Option<PyReadonlyArray1<'py, f64>>,
        parameter_gradient: bool,
        threads: usize,
    ) -> PyResult<Option<Bound<'py, PyArray1<f64>>>> {
        let mut gradients = gradients.unwrap_or_default();
        gradients.resize_with(leaves.len(), || None);
        let call = Call {
            rows,
            leaves: leaves.iter().map(PyReadonlyArray2::as_array).collect(),
            seeds: seeds.as_ref().map_or_else(Vec::new, |seeds| seeds.as_array().to_vec()),
            wants: gradients.iter().map(Option::is_some).collect(),
            parameters: parameter_gradient,
            threads,
            precision: Numbers::Exact,
            numbers: &[],
            now: &[],
            sync: &|| (),
        };
        let mut values = values;
        let mut filled = Filled {
            values: values.as_mut().map(PyReadwriteArray2::as_array_mut),
            gradients: gradients
                .iter_mut()
                .map(|g| g.as_mut().map(PyReadwriteArray2::as_array_mut))
                .collect(),
            ..Filled::default()
        };
        call.check(&filled)?;
        if rows > 0 {
            self.fill(missing, &call, &mut filled)?;
        }
        if let Some(mut totals) = totals {
            let fits = totals.as_array().len() == filled.totals.len();
            if !fits {
                return Err(PyValueError::new_err(
                    "totals must have as many places as there are results",
                ));
            }
            totals.as_array_mut().iter_mut().zip(&filled.totals).for_each(|(to, x)| *to = *x);
        }
        Ok(parameter_gradient.then(|| PyArray1::from_vec(missing.py(), filled.parameters)))
    }

    /// Adds to the gradients of the captured values: to a leaf's own, through an inner node to its
    /// leaves'.
    ///
    /// Parameters
    /// ----------
    /// gradient : numpy.ndarray
    ///     A number for each of the first captured values.
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    fn add_gradient(&self, py: Python<'_>, gradient: PyReadonlyArray1<'_, f64>) {
        for (value, adjoint) in self.captured().iter().zip(gradient.as_array()) {
            if let Some(value) = Handle::of(value.bind(py)) {
                sweep(&value, *adjoint);
            }
        }
    }

    /// The captured values, in the order in which they were met.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let captured: Vec<Any<'_>> =
            self.captured().iter().map(|value| value.bind(py).clone()).collect();
        PyList::new(py, captured)
    }

    /// Number of results; -1 before the first recording.
    #[getter]
    fn outputs(&self) -> i64 {
        self.known().outputs.map_or(-1, |outputs| outputs as i64)
    }

    /// For each path its guards (condition, answer, file, line), its rows, and its number of nodes
    /// as recorded and as replayed; `names` are those of the inputs, then of the captured values.
    #[expect(clippy::type_complexity, reason = "a list of tuples for Python")]
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    #[pyo3(signature = (names = Vec::new()))]
    fn paths(
        &self,
        names: Vec<String>,
    ) -> Vec<(Vec<(String, bool, String, u32)>, u64, usize, usize)> {
        let known = self.known();
        let counts = lock(&self.rows).clone();
        let each = known.paths.traces().iter().enumerate().map(|(path, trace)| {
            let guards = trace.guards.iter().map(|guard| {
                let (file, line) = known.paths.places()[guard.2 as usize].clone();
                (known.paths.guard_text(guard, known.names(&names)), guard.1, file, line)
            });
            let before = known.recordings[path].steps.len();
            let after = known.paths.size(trace);
            (guards.collect(), counts.get(path).copied().unwrap_or(0), before, after)
        });
        each.collect()
    }

    /// The Wengert list of a path, with these names for the inputs, then the captured values.
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    fn text(&self, path: usize, names: Vec<String>) -> PyResult<String> {
        let known = self.known();
        let trace = known.paths.traces().get(path);
        let trace =
            trace.ok_or_else(|| PyValueError::new_err(format!("there is no path {path}")))?;
        Ok(known.paths.text(trace, known.names(&names)))
    }

    /// Figures: milliseconds of compiling, the level of SIMD, the last replay.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let known = self.known();
        let [recording, layout] = *lock(&self.compiling);
        let (rows, seconds) = *lock(&self.last);
        let before: usize = known.recordings.iter().map(|recording| recording.steps.len()).sum();
        let (mut shared, mut own, mut instructions, mut bytes) = (0, 0, 0, 0);
        for plan in lock(&known.plans).values() {
            let nodes = plan.nodes();
            if nodes.0 + nodes.1 > shared + own {
                (shared, own) = nodes;
                (instructions, bytes) = plan.size();
            }
        }
        let stats = PyDict::new(py);
        stats.set_item("paths", known.paths.traces().len())?;
        stats.set_item("nodes_recorded", before)?;
        stats.set_item("nodes", shared + own)?;
        stats.set_item("nodes_a_batch", shared)?;
        stats.set_item("nodes_a_row", own)?;
        stats.set_item("instructions", instructions)?;
        stats.set_item("bytes_a_block", bytes)?;
        stats.set_item("record_ms", recording * 1e3)?;
        stats.set_item("compile_ms", (recording + layout) * 1e3)?;
        stats.set_item("simd", Level::available().last().map_or("", |level| level.name()))?;
        stats.set_item("rows_a_block", gradtape::program::LANES)?;
        stats.set_item("threads", threads::default_count()?)?;
        stats.set_item("last_rows", rows)?;
        stats.set_item("last_ms", seconds * 1e3)?;
        let work = (rows * own.max(1)).max(1) as f64;
        stats.set_item("ns_a_node_and_row", seconds * 1e9 / work)?;
        Ok(stats)
    }

    /// All recordings, for `restore`.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let known = self.known();
        let each: PyResult<Vec<_>> =
            known.recordings.iter().map(|recording| recording::to_python(py, recording)).collect();
        PyList::new(py, each?)
    }

    /// Paths put together again from what `state` told.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If it is not such a state.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    fn restore(
        py: Python<'_>,
        state: Vec<Any<'_>>,
        parameters: Vec<Py<PyAny>>,
        max_paths: usize,
    ) -> PyResult<Paths> {
        let paths = Paths::new(max_paths);
        for state in &state {
            let recording = recording::from_python(state, parameters.len())?;
            paths.add(py, recording, None)?;
        }
        if parameters.iter().any(|value| Handle::of(value.bind(py)).is_none()) {
            return Err(PyValueError::new_err("captured values must be Values"));
        }
        *lock(&paths.parameters) = parameters;
        Ok(paths)
    }
}

impl Paths {
    /// The captured values.
    pub fn captured(&self) -> MutexGuard<'_, Vec<Py<PyAny>>> {
        lock(&self.parameters)
    }

    /// Takes a recording in, and a second one at the same point, which must be the same.
    fn add(&self, py: Python<'_>, first: Recording, second: Option<&Recording>) -> PyResult<()> {
        let mut known = lock(&self.known);
        let mut paths = known.paths.clone();
        let before = paths.traces().len();
        for recording in [Some(&first), second].into_iter().flatten() {
            paths.take(recording, self.most).map_err(|strange| error(py, &strange.to_string()))?;
        }
        if paths.traces().len() == before {
            return Ok(());
        }
        let mut recordings = known.recordings.clone();
        let outputs = Some(first.outputs.len());
        recordings.push(first);
        // Plans of old paths stay good; the router's do not.
        let kept = lock(&known.plans).clone().into_iter().filter(|((path, _), _)| path.is_some());
        let plans = Mutex::new(kept.collect());
        *known = Arc::new(Known { paths, outputs, recordings, plans });
        Ok(())
    }
}
