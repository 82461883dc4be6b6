//! One look at a graph for whoever shows it: nodes, local derivatives and adjoints in arrays.

use std::collections::{HashMap, HashSet};

use gradtape::formula::formulas as formulas_of;
use gradtape::kernel::{Index, SINK, contribution};
use gradtape::tape::NO_LINE;
use gradtape::{Op, Tape};
use numpy::PyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::functions::value_of;
use crate::graph::{recall, value_at};
use crate::slots::{Handle, make_room};
use crate::state::{State, enter_idle};

type Any<'py> = Bound<'py, PyAny>;

/// A formula as text and as LaTeX.
type Pair = (String, String);

/// Stands for a leaf where a node has its operation, and for no activation.
const NO_OP: i16 = -1;

/// A graph in arrays: leaves in the order of their first use, then nodes as on the tape.
#[derive(Default)]
struct Snapshot {
    places: Vec<Index>,
    ids: HashMap<Index, i64>,
    ops: Vec<i16>,
    activations: Vec<i16>,
    /// Where the operands of each node start, and where the last ones end.
    starts: Vec<i64>,
    /// The operands' numbers; -1 for a constant.
    operands: Vec<i64>,
    constants: Vec<f64>,
    partials: Vec<f64>,
    values: Vec<f64>,
}

impl Snapshot {
    fn of(state: &mut State, root: Index) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut uses = Vec::new();
        let mut nodes = Vec::new();
        if root < 0 {
            uses.push((root, Index::MAX));
        } else {
            nodes = state.tape.reach(root).0;
            recall(state, root); // the values of all that it reaches
            let mut seen = HashSet::new();
            for &at in &nodes {
                let operands = state.tape.recorded(at).operands.into_iter();
                let leaves = operands.map(|(operand, _)| operand).filter(|&operand| operand < SINK);
                uses.extend(leaves.filter(|&leaf| seen.insert(leaf)).map(|leaf| (leaf, at)));
            }
        }
        let State { tape, objects, .. } = state;
        let values = tape.leaf_values(&uses, |slot| crate::slots::data_in(objects, slot));
        for ((leaf, _), value) in uses.into_iter().zip(values) {
            snapshot.place(leaf, value);
            snapshot.ops.push(NO_OP);
            snapshot.activations.push(NO_OP);
        }
        for at in nodes {
            snapshot.node(state, at);
        }
        snapshot.starts.push(snapshot.operands.len() as i64);
        snapshot
    }

    fn place(&mut self, at: Index, value: f64) {
        self.ids.insert(at, self.places.len() as i64);
        self.places.push(at);
        self.values.push(value);
        self.starts.push(self.operands.len() as i64);
    }

    fn node(&mut self, state: &mut State, at: Index) {
        let value = recall(state, at);
        let node = state.tape.recorded(at);
        self.place(at, value);
        self.ops.push(node.op as i16);
        self.activations.push(node.activation.map_or(NO_OP, |op| op as i16));
        for (operand, number) in node.operands {
            let constant = operand == SINK;
            self.operands.push(if constant { -1 } else { self.ids[&operand] });
            self.constants.push(if constant { number } else { f64::NAN });
            self.partials.push(if constant { f64::NAN } else { number });
        }
    }

    /// The derivative of the last node by every other, by the sweep's own rule.
    fn adjoints(&self) -> Vec<f64> {
        let mut adjoints = vec![0.0; self.places.len()];
        if let Some(last) = adjoints.last_mut() {
            *last = 1.0;
        }
        for i in (0..self.places.len()).rev() {
            let a = adjoints[i];
            for k in self.starts[i] as usize..self.starts[i + 1] as usize {
                if self.operands[k] >= 0 {
                    adjoints[self.operands[k] as usize] += contribution(a, self.partials[k]);
                }
            }
        }
        adjoints
    }

    /// What `grad` of each would say.
    fn grads(&self, tape: &mut Tape) -> Vec<f64> {
        let grad = |&at: &Index| {
            let slot = if at < 0 { !at as u32 } else { tape.owner(at) };
            if slot == 0 { tape.adjoint(at) } else { tape.grad(slot) }
        };
        self.places.iter().map(grad).collect()
    }
}

/// A value's graph in arrays: one look for all that shows it.
///
/// Parameters
/// ----------
/// value : Value
/// marks : list of Value
///     Values whose numbers in the graph are asked for.
///
/// Returns
/// -------
/// dict
///     ``ops`` and ``activations`` (places in `operations()`, -1 for leaves and for none), ``starts``
///     (n + 1), ``operands`` (numbers of nodes, -1 for constants), ``constants``, ``partials``,
///     ``values``, ``adjoints`` (of the value by each node), ``grads``, ``labels`` (by number),
///     ``marks`` (numbers, -1 where the graph has not got it), ``swept`` (whether the last sweep began here),
///     ``lines`` (as [`inspect`] was told them, -1 where they are not known).
#[pyfunction]
#[pyo3(text_signature = "(value, marks, /)")]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
pub fn snapshot<'py>(
    py: Python<'py>,
    value: &Any<'py>,
    marks: Vec<Any<'py>>,
) -> PyResult<Bound<'py, PyDict>> {
    let value = value_of("value", value)?;
    let mut state = enter_idle();
    let snapshot = Snapshot::of(&mut state, value.at());
    let adjoints = snapshot.adjoints();
    let grads = snapshot.grads(&mut state.tape);
    let line = |&at: &Index| match state.tape.line(at) {
        NO_LINE => -1,
        line => i64::from(line),
    };
    let lines: Vec<i64> = snapshot.places.iter().map(line).collect();
    let swept = state.tape.swept_from() == Some(value.at());
    let slots: Vec<u32> = snapshot
        .places
        .iter()
        .map(|&at| if at < 0 { !at as u32 } else { state.tape.owner(at) })
        .collect();
    drop(state);
    let labels = PyDict::new(py);
    for (i, &slot) in slots.iter().enumerate() {
        if slot != 0
            && let Some(label) = Handle::in_slot(py, slot).and_then(|value| value.label())
        {
            labels.set_item(i, label)?;
        }
    }
    let number = |mark: &Any<'py>| -> PyResult<i64> {
        let at = value_of("marks", mark)?.at();
        Ok(snapshot.ids.get(&at).copied().unwrap_or(-1))
    };
    let found = PyDict::new(py);
    found.set_item(
        "marks",
        PyList::new(py, marks.iter().map(number).collect::<PyResult<Vec<_>>>()?)?,
    )?;
    found.set_item("labels", labels)?;
    found.set_item("swept", swept)?;
    found.set_item("lines", PyArray1::from_vec(py, lines))?;
    found.set_item("ops", PyArray1::from_vec(py, snapshot.ops))?;
    found.set_item("activations", PyArray1::from_vec(py, snapshot.activations))?;
    found.set_item("starts", PyArray1::from_vec(py, snapshot.starts))?;
    found.set_item("operands", PyArray1::from_vec(py, snapshot.operands))?;
    found.set_item("constants", PyArray1::from_vec(py, snapshot.constants))?;
    found.set_item("partials", PyArray1::from_vec(py, snapshot.partials))?;
    found.set_item("values", PyArray1::from_vec(py, snapshot.values))?;
    found.set_item("adjoints", PyArray1::from_vec(py, adjoints))?;
    found.set_item("grads", PyArray1::from_vec(py, grads))?;
    Ok(found)
}

/// The formula of a row of the table and those of its partial derivatives, each as text and as
/// LaTeX: operands stand there as ``$x``, the result as ``$r``.
#[pyfunction]
#[pyo3(text_signature = "(name, /)")]
pub fn formulas(name: &str) -> PyResult<(Pair, Vec<Pair>)> {
    let (value, partials) = Op::named(name)
        .and_then(formulas_of)
        .ok_or_else(|| PyValueError::new_err(format!("no row '{name}' in the table")))?;
    let pair = |texts: gradtape::formula::Texts| (texts.text, texts.latex);
    Ok((pair(value), partials.into_iter().map(pair).collect()))
}

/// Begins (or ends) to keep dead nodes, and the values and lines of all, for [`inspect`].
#[pyfunction]
#[pyo3(text_signature = "(flag, /)")]
pub fn watch(flag: bool) {
    let mut state = enter_idle();
    if flag { state.tape.watch() } else { state.tape.unwatch() }
}

/// Looks at the nodes recorded since the last call, all by the line with number `line`, and lets
/// dead ones go. The first of them that is nan or inf as a value; None where there is none.
#[pyfunction]
#[pyo3(text_signature = "(line, /)")]
pub fn inspect(py: Python<'_>, line: u32) -> PyResult<Option<Any<'_>>> {
    let mut state = enter_idle();
    let State { tape, objects, .. } = &mut *state;
    let bad = tape.inspect(line, |slot| crate::slots::data_in(objects, slot));
    drop(state);
    // Before the tape is thawed: the node may be dead.
    let bad = bad.map(|at| value_at(py, at)).transpose()?.map(Handle::into_any);
    let mut state = enter_idle();
    state.tape.thaw();
    let room = if state.tape.overgrown() { make_room(&mut state, 0, 0) } else { Ok(()) };
    state.tape.freeze();
    room.map(|()| bad)
}
