//! Looking back from Python: operands of a value, and graphs taken apart for copy and pickle.

use std::collections::HashMap;

use gradtape::Op;
use gradtape::kernel::{Index, SINK};
use gradtape::tape::Recorded;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyType};

use crate::slots::{Handle, make_room};
use crate::state::{State, enter_idle};

/// The value at `at`: the living one, or a new one for a node or leaf whose value is gone.
pub fn value_at(py: Python<'_>, at: Index) -> PyResult<Handle<'_>> {
    let slot = if at < 0 { !at as u32 } else { enter_idle().tape.owner(at) };
    if slot != 0
        && let Some(value) = Handle::in_slot(py, slot)
    {
        return Ok(value);
    }
    let value = Handle::leaf(py, 0.0)?;
    if at < 0 {
        value.adopt_leaf(slot);
    } else {
        let mut state = enter_idle();
        let data = recall(&mut state, at);
        let grad = state.tape.adjoint(at);
        state.tape.own(at, value.slot());
        state.tape.set_grad(value.slot(), grad);
        drop(state);
        value.place(at, data);
    }
    Ok(value)
}

/// The value that the node at `at` was recorded with.
pub fn recall(state: &mut State, at: Index) -> f64 {
    let State { tape, objects, .. } = state;
    tape.value(at, |slot| crate::slots::data_in(objects, slot))
}

/// The operands of `value` that are values, in their order.
pub fn operands<'py>(py: Python<'py>, value: &Handle<'py>) -> PyResult<Vec<Handle<'py>>> {
    if value.at() < 0 {
        return Ok(Vec::new());
    }
    let places = enter_idle().tape.recorded(value.at()).operands;
    places.into_iter().filter(|&(at, _)| at != SINK).map(|(at, _)| value_at(py, at)).collect()
}

/// `__reduce__`: the value's nodes down to the next living values, which are pickled themselves,
/// so that a graph stays one graph.
pub fn reduce<'py>(value: &Handle<'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.any().py();
    crate::trace::read(value);
    let mut ends = Vec::new();
    let nodes = PyList::empty(py);
    if value.at() >= 0 {
        let (order, leaves) = between(value.at());
        let mut numbers: HashMap<Index, i64> = HashMap::new();
        for at in leaves {
            numbers.insert(at, -2 - ends.len() as i64);
            ends.push(value_at(py, at)?.into_any());
        }
        for (i, (at, node)) in order.into_iter().enumerate() {
            numbers.insert(at, i as i64);
            let name = |at: &Index| if *at == SINK { -1 } else { numbers[at] };
            let operands: Vec<(i64, f64)> =
                node.operands.iter().map(|(at, p)| (name(at), *p)).collect();
            nodes.append((
                node.op.row().name,
                node.activation.map(|op| op.row().name),
                operands,
            ))?;
        }
    }
    let restore = py.import("gradtape._core")?.getattr("_restore")?;
    let (data, grad) = (value.data(), enter_idle().tape.grad(value.slot()));
    let label = value.label().map(Bound::unbind);
    let args = (value.any().get_type(), data, grad, label, PyTuple::new(py, ends)?, nodes);
    let state = value.attributes();
    Ok((restore, args, state).into_pyobject(py)?.into_any())
}

type Parts = (Vec<(Index, Recorded)>, Vec<Index>);

/// The nodes from `root` down to living values, ascending, and the places of those and of leaves.
fn between(root: Index) -> Parts {
    let state = enter_idle();
    let (mut seen, mut next) = (std::collections::BTreeMap::new(), vec![root]);
    let mut ends = std::collections::BTreeSet::new();
    while let Some(at) = next.pop() {
        if seen.contains_key(&at) {
            continue;
        }
        let node = state.tape.recorded(at);
        for &(at, _) in &node.operands {
            if at < 0 || state.tape.owner(at) != 0 {
                if at != SINK {
                    ends.insert(at);
                }
            } else {
                next.push(at);
            }
        }
        seen.insert(at, node);
    }
    (seen.into_iter().collect(), ends.into_iter().collect())
}

type Node = (String, Option<String>, Vec<(i64, f64)>);

/// Puts a value together again from what `__reduce__` told.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
pub fn _restore<'py>(
    class: &Bound<'py, PyType>,
    data: f64,
    grad: f64,
    label: Option<Bound<'py, PyAny>>,
    ends: Vec<Bound<'py, PyAny>>,
    nodes: Vec<Node>,
) -> PyResult<Bound<'py, PyAny>> {
    let object = class.call_method1("__new__", (class,))?;
    let foreign = || PyValueError::new_err("not the state of a gradtape.Value");
    let value = Handle::of(&object).ok_or_else(foreign)?;
    let ends: Vec<Handle> =
        ends.iter().map(|end| Handle::of(end).ok_or_else(foreign)).collect::<PyResult<_>>()?;
    let ops: Vec<(Op, Option<Op>)> = nodes
        .iter()
        .map(|(op, activation, operands)| {
            let op = Op::named(op).ok_or_else(foreign)?;
            let activation =
                activation.as_ref().map(|a| Op::named(a).ok_or_else(foreign)).transpose()?;
            let arity = op.row().operands.len();
            if arity != 0 && arity != operands.len() {
                Err(foreign())
            } else {
                Ok((op, activation))
            }
        })
        .collect::<PyResult<_>>()?;
    for (i, (_, _, operands)) in nodes.iter().enumerate() {
        let fits = |&(at, _): &(i64, f64)| at < i as i64 && at >= -1 - ends.len() as i64;
        if !operands.iter().all(fits) {
            return Err(foreign());
        }
    }
    if nodes.is_empty() {
        value.set_data(data);
    } else {
        let mut state = enter_idle();
        let terms = nodes.iter().map(|node| node.2.len()).sum();
        make_room(&mut state, nodes.len(), terms)?;
        let mut places: Vec<Index> = Vec::with_capacity(nodes.len());
        for (i, (&(op, activation), (_, _, operands))) in ops.iter().zip(&nodes).enumerate() {
            let place = |at: i64| match at {
                -1 => SINK,
                at if at >= 0 => places[at as usize],
                at => ends[(-2 - at) as usize].at(),
            };
            let operands = operands.iter().map(|&(at, number)| (place(at), number)).collect();
            let owner = if i + 1 == nodes.len() { value.slot() } else { 0 };
            places.push(state.tape.restore(&Recorded { op, activation, operands }, owner));
        }
        drop(state);
        value.place(places[places.len() - 1], data);
        crate::trace::placed(value.slot());
    }
    if let Some(label) = label {
        crate::value::set_label(&object, &label)?;
    }
    enter_idle().tape.set_grad(value.slot(), grad);
    Ok(object)
}
