//! Training natively: batch after batch is replayed, and the optimizer steps between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gradtape::optimizer::{Bad, Method, Optimizer as Core};
use gradtape::program::{Numbers, Runs};
use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray2};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::paths::{Call, Filled, Paths, gathered, lock};
use crate::slots::Handle;
use crate::state::enter_idle;
use crate::trace;

type Any<'py> = Bound<'py, PyAny>;

/// An optimizer's arithmetic and what it remembers; `gradtape.optim` shows it to people.
///
/// Parameters
/// ----------
/// method : {"sgd", "rmsprop", "adagrad", "adam", "adamw"}
/// parameters : list of Value
/// **settings : float
///     Of the method.
#[pyclass(module = "gradtape._core", frozen)]
pub struct Optimizer {
    parameters: Vec<Py<PyAny>>,
    core: Mutex<Core>,
    places: Mutex<Arc<Places>>,
}

fn method(name: &str, settings: &Bound<'_, PyDict>) -> PyResult<Method> {
    let get = |name: &str, other: f64| -> PyResult<f64> {
        settings.get_item(name)?.map_or(Ok(other), |x| x.extract())
    };
    let on = |name: &str| get(name, 0.0).map(|x| x != 0.0);
    let adam = |decoupled| -> PyResult<Method> {
        let betas = [get("beta1", 0.9)?, get("beta2", 0.999)?];
        Ok(Method::Adam { betas, epsilon: get("epsilon", 1e-8)?, decoupled })
    };
    match name {
        "sgd" => Ok(Method::Sgd { momentum: get("momentum", 0.0)?, nesterov: on("nesterov")? }),
        "rmsprop" => Ok(Method::RmsProp {
            smoothing: get("smoothing", 0.99)?,
            epsilon: get("epsilon", 1e-8)?,
            momentum: get("momentum", 0.0)?,
            centred: on("centred")?,
        }),
        "adagrad" => {
            Ok(Method::Adagrad { decay: get("decay", 0.0)?, epsilon: get("epsilon", 1e-10)? })
        }
        "adam" => adam(false),
        "adamw" => adam(true),
        _ => Err(PyValueError::new_err(format!("no optimizer '{name}'"))),
    }
}

impl Optimizer {
    fn handles<'py>(&self, py: Python<'py>) -> Vec<Handle<'py>> {
        self.parameters.iter().filter_map(|value| Handle::of(value.bind(py))).collect()
    }

    fn raise(&self, py: Python<'_>, bad: Bad) -> PyErr {
        let name = |i: usize| {
            let label = Handle::of(self.parameters[i].bind(py)).and_then(|value| value.label());
            label.map_or_else(|| format!("parameters[{i}]"), |label| label.to_string())
        };
        let number = |x: f64| if x.is_nan() { "nan".into() } else { x.to_string() };
        let text = match bad {
            Bad::Gradient(i, x) => format!("the gradient of {} is {}", name(i), number(x)),
            Bad::Parameter(i, x) => format!(
                "the step would make {} {}: a smaller learning_rate may help",
                name(i),
                number(x)
            ),
        };
        PyValueError::new_err(format!("{text}; no parameter was changed"))
    }
}

#[pymethods]
impl Optimizer {
    #[new]
    #[pyo3(signature = (name, parameters, rate, **settings))]
    fn new(
        py: Python<'_>,
        name: &str,
        parameters: Vec<Py<PyAny>>,
        rate: f64,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Optimizer> {
        if parameters.iter().any(|value| Handle::of(value.bind(py)).is_none()) {
            return Err(PyTypeError::new_err("parameters must be Values"));
        }
        let none = PyDict::new(py);
        let method = method(name, settings.unwrap_or(&none))?;
        let core = Mutex::new(Core::new(method, rate));
        Ok(Optimizer { parameters, core, places: Mutex::default() })
    }

    /// Sets settings: those of the method, and ``rate``, ``weight_decay``, ``l1``, ``clip_norm``,
    /// ``clip_value``.
    #[pyo3(signature = (name, **settings))]
    fn set(&self, name: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let Some(settings) = settings else { return Ok(()) };
        let mut core = lock(&self.core);
        core.method = method(name, settings)?;
        let get = |name: &str, to: &mut f64| -> PyResult<()> {
            if let Some(x) = settings.get_item(name)? {
                *to = x.extract()?;
            }
            Ok(())
        };
        get("rate", &mut core.rate)?;
        get("weight_decay", &mut core.weight_decay)?;
        get("l1", &mut core.l1)?;
        get("clip_norm", &mut core.clip_norm)?;
        get("clip_value", &mut core.clip_value)
    }

    /// Updates the parameters from their gradients; on an error nothing changes.
    fn step(&self, py: Python<'_>) -> PyResult<()> {
        trace::refuse_gradients("step()")?;
        let values = self.handles(py);
        let mut data: Vec<f64> = values.iter().map(Handle::data).collect();
        let state = enter_idle();
        let gradient: Vec<f64> = values.iter().map(|v| state.tape.grad(v.slot())).collect();
        drop(state);
        lock(&self.core).step(&mut data, &gradient).map_err(|bad| self.raise(py, bad))?;
        values.iter().zip(data).for_each(|(value, data)| value.set_data(data));
        Ok(())
    }

    /// One pass over rows in batches, a step after each.
    ///
    /// Parameters
    /// ----------
    /// paths : Paths
    /// missing : callable
    ///     As for `run`; its row is one of `order`.
    /// leaves : list of numpy.ndarray
    ///     Of shape (rows, size).
    /// order : numpy.ndarray
    ///     The numbers of the rows, batch after batch.
    /// batch : int
    /// rates : numpy.ndarray
    ///     The learning rate of each step.
    /// values : numpy.ndarray
    ///     (len(order), outputs), to fill; the first result is the loss.
    /// threads : int, optional
    /// single : bool, optional
    ///     Whether rows are computed in 32 bits.
    ///
    /// Returns
    /// -------
    /// int
    ///     Number of batches that were stepped; fewer than all where a loss, a gradient or a
    ///     parameter was not finite: the parameters are those before that step.
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
    #[pyo3(signature = (paths, missing, leaves, order, batch, rates, values, threads=0, single=false))]
    fn train<'py>(
        &self,
        paths: &Paths,
        missing: &Any<'py>,
        leaves: Vec<PyReadonlyArray2<'py, f64>>,
        order: PyReadonlyArray1<'py, i64>,
        batch: usize,
        rates: PyReadonlyArray1<'py, f64>,
        mut values: PyReadwriteArray2<'py, f64>,
        threads: usize,
        single: bool,
    ) -> PyResult<usize> {
        let numbers = if single { Numbers::Single } else { Numbers::Double };
        let py = missing.py();
        let leaves: Vec<ArrayView2<'_, f64>> = leaves.iter().map(|l| l.as_array()).collect();
        let order = order.as_array();
        let rows = leaves.first().map_or(0, ArrayView2::nrows);
        let mut values = values.as_array_mut();
        let fits = leaves.iter().all(|leaf| leaf.nrows() == rows)
            && order.iter().all(|&i| (0..rows as i64).contains(&i))
            && values.nrows() == order.len()
            && batch > 0
            && rates.as_array().len() >= order.len().div_ceil(batch);
        if !fits {
            return Err(PyValueError::new_err("the arrays do not fit each other"));
        }
        let before = lock(&self.core).rate;
        let handles = self.handles(py);
        let places = self.places(py, paths)?;
        let mut job = Epoch {
            data: handles.iter().map(Handle::data).collect(),
            gradient: vec![0.0; handles.len()],
            now: if places.same { Vec::new() } else { paths.data(py)? },
            places,
            adjoints: Vec::new(),
            paths,
            optimizer: self,
            handles,
            threads,
            numbers,
        };
        let (mut done, mut result) = (0, Ok(()));
        for (k, start) in (0..order.len()).step_by(batch).enumerate() {
            let end = (start + batch).min(order.len());
            let some: Vec<usize> =
                order.slice(ndarray::s![start..end]).iter().map(|&i| i as usize).collect();
            lock(&self.core).rate = rates.as_array()[k];
            let mut filled = values.slice_mut(ndarray::s![start..end, ..]);
            let step = py.check_signals();
            let step = step.and_then(|()| job.step(missing, &leaves, &some, filled.view_mut()));
            match step {
                Ok(true) => done += 1,
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        lock(&self.core).rate = before;
        job.sync();
        result.map(|()| done)
    }

    /// The number of steps taken, and what is remembered between them.
    fn state<'py>(&self, py: Python<'py>) -> (i32, Vec<Bound<'py, PyArray1<f64>>>) {
        let core = lock(&self.core);
        (core.steps(), core.state().iter().map(|s| PyArray1::from_slice(py, s)).collect())
    }

    /// Puts back what `state` told.
    fn restore(&self, steps: i32, state: [PyReadonlyArray1<'_, f64>; 3]) -> PyResult<()> {
        let state = state.map(|s| s.as_array().to_vec());
        if state.iter().any(|s| !s.is_empty() && s.len() != self.parameters.len()) || steps < 0 {
            return Err(PyValueError::new_err("that is not the state of such an optimizer"));
        }
        lock(&self.core).restore(steps, state);
        Ok(())
    }
}

/// Which captured value is which of the optimizer's parameters.
#[derive(Default)]
struct Places {
    /// The captured values' addresses.
    captured: Vec<usize>,
    /// From captured values to parameters, and back.
    to: Runs,
    from: Runs,
    /// Whether they are the same, in the same order.
    same: bool,
}

impl Optimizer {
    /// The places of the captured values; found again only where these are others.
    fn places(&self, py: Python<'_>, paths: &Paths) -> PyResult<Arc<Places>> {
        let captured = paths.captured();
        let mut last = lock(&self.places);
        let addresses = captured.iter().map(|value| value.as_ptr() as usize);
        let known = addresses.clone().eq(last.captured.iter().copied());
        // The optimizer's own parameters are leaves.
        let inner =
            |value: &Py<PyAny>| Handle::of(value.bind(py)).is_none_or(|value| value.at() >= 0);
        if !(known && last.same) && captured.iter().any(inner) {
            return Err(PyRuntimeError::new_err(
                "the function captures a value that was computed from others, which a native step \
                 cannot follow; compute it inside the function",
            ));
        }
        if known {
            return Ok(last.clone());
        }
        let own = self.parameters.iter().map(|value| value.as_ptr() as usize);
        let known: HashMap<usize, u32> = own.zip(0..).collect();
        let pairs: Vec<(u32, u32)> = addresses
            .clone()
            .zip(0..)
            .filter_map(|(address, k)| Some((k, *known.get(&address)?)))
            .collect();
        let from = pairs.iter().map(|&(captured, own)| (own, captured)).collect();
        let count = self.parameters.len();
        let same = pairs.len() == count && pairs.iter().all(|(k, own)| k == own);
        let to = pairs.into_iter().collect();
        *last = Arc::new(Places { captured: addresses.collect(), to, from, same });
        Ok(last.clone())
    }
}

/// What the steps of an epoch share. The values themselves are brought up to date at its end, and
/// before Python looks at them.
struct Epoch<'a, 'py> {
    paths: &'a Paths,
    optimizer: &'a Optimizer,
    handles: Vec<Handle<'py>>,
    /// Data of the optimizer's parameters.
    data: Vec<f64>,
    gradient: Vec<f64>,
    places: Arc<Places>,
    /// Data of the captured values, where these are not the parameters; and their gradient.
    now: Vec<f64>,
    adjoints: Vec<f64>,
    threads: usize,
    numbers: Numbers,
}

impl Epoch<'_, '_> {
    fn sync(&self) {
        self.handles.iter().zip(&self.data).for_each(|(value, data)| value.set_data(*data));
    }

    /// One batch; whether its loss, gradient and parameters are finite.
    fn step(
        &mut self,
        missing: &Any<'_>,
        leaves: &[ArrayView2<'_, f64>],
        rows: &[usize],
        values: ArrayViewMut2<'_, f64>,
    ) -> PyResult<bool> {
        let own: Vec<Array2<f64>> = leaves.iter().map(|leaf| gathered(leaf, rows)).collect();
        let weight = |k| if k == 0 { 1.0 / rows.len() as f64 } else { 0.0 };
        let mut filled = Filled {
            gradients: leaves.iter().map(|_| None).collect(),
            parameters: std::mem::take(&mut self.adjoints),
            ..Filled::default()
        };
        let call = Call {
            rows: rows.len(),
            leaves: own.iter().map(|leaf| leaf.view()).collect(),
            seeds: (0..values.ncols()).map(weight).collect(),
            wants: vec![false; leaves.len()],
            parameters: true,
            threads: self.threads,
            precision: self.numbers,
            numbers: rows,
            now: if self.places.same { &self.data } else { &self.now },
            sync: &|| self.sync(),
        };
        filled.values = Some(values);
        self.paths.fill(missing, &call, &mut filled)?;
        let Filled { parameters, totals, .. } = filled;
        self.adjoints = parameters;
        if self.places.captured.len() != self.adjoints.len() {
            // A new path captured more.
            self.places = self.optimizer.places(missing.py(), self.paths)?;
            self.now = self.paths.data(missing.py())?;
        }
        if !totals[0].is_finite() {
            return Ok(false);
        }
        if !self.places.same {
            self.gradient.fill(0.0);
            self.places.to.add(&self.adjoints, &mut self.gradient);
        }
        let gradient = if self.places.same { &self.adjoints } else { &self.gradient };
        let stepped = lock(&self.optimizer.core).step(&mut self.data, gradient).is_ok();
        if !self.places.same {
            self.places.from.copy(&self.data, &mut self.now);
        }
        Ok(stepped)
    }
}
