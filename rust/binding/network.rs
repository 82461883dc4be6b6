//! Dense networks on a batch of rows in one call.

use gradtape::kernel::{Index, NOBODY};
use gradtape::tape::Layer;
use gradtape::{Op, Operand, Tape};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::convert::raise;
use crate::functions::activation_named;
use crate::slots::{Handle, Operands, make_room};
use crate::state::enter_idle;
use crate::trace;

type Any<'py> = Bound<'py, PyAny>;

/// A layer as it was given.
struct Given<'py> {
    parameters: Operands<'py>,
    activation: Option<Op>,
    inputs: usize,
    outputs: usize,
}

/// Layers that fit each other, on `inputs` inputs.
fn fitting(layers: Vec<(Any<'_>, String)>, mut inputs: usize) -> PyResult<Vec<Given<'_>>> {
    let mut all = Vec::with_capacity(layers.len());
    for (i, (parameters, activation)) in layers.into_iter().enumerate() {
        let parameters = Operands::of(&parameters, "parameters")?;
        let activation = activation_named(&activation)?;
        let width = inputs + 1;
        if parameters.len() == 0 || parameters.len() % width != 0 {
            return Err(PyValueError::new_err(format!(
                "layer {} on {inputs} inputs takes {width} parameters a neuron (its weights, then \
                 its bias), so a multiple of {width}, not {}",
                i + 1,
                parameters.len()
            )));
        }
        let outputs = parameters.len() / width;
        all.push(Given { parameters, activation, inputs, outputs });
        inputs = outputs;
    }
    Ok(all)
}

/// Records the layers on every row; the last layer's nodes belong to `slots`.
fn record(
    tape: &mut Tape,
    layers: &[(Vec<Operand>, Option<Op>, usize)],
    rows: &[Vec<Operand>],
    slots: &[u32],
) -> PyResult<Vec<(Index, f64)>> {
    let Some((last, hidden)) = layers.split_last() else { return Ok(Vec::new()) };
    let nobody = vec![NOBODY; hidden.iter().map(|layer| layer.2).max().unwrap_or(0)];
    let mut results = Vec::with_capacity(slots.len());
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (row, slots) in rows.iter().zip(slots.chunks_exact(last.2)) {
        inputs.clear();
        inputs.extend_from_slice(row);
        for (parameters, activation, count) in hidden {
            outputs.clear();
            let layer = Layer { inputs: &inputs, parameters, activation: *activation };
            tape.layer(layer, &nobody[..*count], &mut outputs).map_err(raise)?;
            inputs.clear();
            inputs.extend(outputs.iter().map(|&(at, value)| Operand::new(at, value)));
        }
        let layer = Layer { inputs: &inputs, parameters: &last.0, activation: last.1 };
        tape.layer(layer, slots, &mut results).map_err(raise)?;
    }
    Ok(results)
}

/// A network of dense layers on rows of inputs, in one call; each neuron is one node.
///
/// Parameters
/// ----------
/// rows : sequence of m sequences of n Values or numbers
/// layers : sequence of (parameters, activation)
///     Parameters neuron by neuron, its weights, then its bias; activation one of `activations()`.
///
/// Returns
/// -------
/// list of m lists of Values
///     The last layer's outputs.
///
/// Raises
/// ------
/// ValueError
///     If the sizes do not fit or an activation is unknown.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> from gradtape import _core
/// >>> w = [gt.Value(float(i)) for i in range(6)]
/// >>> _core.network([[1.0, 2.0], [0.0, 0.0]], [(w, "relu")])
/// [[Value(data=4.0), Value(data=16.0)], [Value(data=2.0), Value(data=5.0)]]
#[pyfunction]
#[pyo3(text_signature = "(rows, layers, /)")]
pub fn network<'py>(
    py: Python<'py>,
    rows: &Any<'py>,
    layers: Vec<(Any<'py>, String)>,
) -> PyResult<Bound<'py, PyList>> {
    let given = rows.try_iter()?.enumerate().map(|(i, row)| {
        // The name is only made where it is needed.
        Operands::of(&row?, "row").map_err(|error| crate::convert::in_row(py, i, &error))
    });
    let rows = given.collect::<PyResult<Vec<_>>>()?;
    let width = rows.first().map_or(0, Operands::len);
    if let Some(i) = rows.iter().position(|row| row.len() != width) {
        return Err(PyValueError::new_err(format!(
            "row {i} has {} inputs, the rows before it {width}",
            rows[i].len()
        )));
    }
    let layers = fitting(layers, width)?;
    let Some(last) = layers.last() else {
        return Err(PyValueError::new_err("a network needs at least one layer"));
    };
    let outputs = last.outputs;
    let outs =
        (0..rows.len() * outputs).map(|_| Handle::leaf(py, 0.0)).collect::<PyResult<Vec<_>>>()?;
    let slots: Vec<u32> = outs.iter().map(Handle::slot).collect();
    let terms = layers.iter().map(|layer| layer.inputs + layer.parameters.len()).sum::<usize>();
    let nodes = layers.iter().map(|layer| layer.outputs).sum::<usize>();
    let mut state = enter_idle();
    let paused = state.paused();
    let away = paused && !trace::recording(); // on a tape that is thrown away
    if !away {
        make_room(&mut state, nodes * rows.len(), terms * rows.len())?;
    }
    let operands = |run: &Operands<'py>| if away { run.constants() } else { run.filled() };
    let filled =
        layers.iter().map(|layer| (operands(&layer.parameters), layer.activation, layer.outputs));
    let filled: Vec<_> = filled.collect();
    let inputs: Vec<_> = rows.iter().map(operands).collect();
    let results = if away {
        record(&mut Tape::new(), &filled, &inputs, &slots)?
    } else {
        record(&mut state.tape, &filled, &inputs, &slots)?
    };
    if paused && !away {
        let outs = slots.iter().zip(&results);
        outs.for_each(|(&slot, &(at, _))| trace::detach_node(&mut state.tape, slot, at));
    }
    drop(state);
    for (out, &(at, data)) in outs.iter().zip(&results) {
        out.place(if paused { out.at() } else { at }, data);
    }
    let mut outs = outs.into_iter().map(Handle::into_any);
    let lists =
        rows.iter().map(|_| PyList::new(py, outs.by_ref().take(outputs).collect::<Vec<_>>()));
    PyList::new(py, lists.collect::<PyResult<Vec<_>>>()?)
}

/// One dense layer on one row, in one call.
///
/// Parameters
/// ----------
/// inputs : sequence of n Values or numbers
/// parameters : sequence of k * (n + 1) Values
///     Neuron by neuron: its n weights, then its bias.
/// activation : str, optional
///     One of `activations()`.
///
/// Returns
/// -------
/// list of k Values
///
/// Raises
/// ------
/// ValueError
///     If the sizes do not fit or the activation is unknown.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> from gradtape import _core
/// >>> w = [gt.Value(float(i)) for i in range(6)]
/// >>> _core.layer([1.0, 2.0], w, "relu")
/// [Value(data=4.0), Value(data=16.0)]
#[pyfunction]
#[pyo3(signature = (inputs, parameters, activation = ""), text_signature = "(inputs, parameters, activation='')")]
pub fn layer<'py>(
    py: Python<'py>,
    inputs: &Any<'py>,
    parameters: &Any<'py>,
    activation: &str,
) -> PyResult<Any<'py>> {
    let rows = PyList::new(py, [inputs])?;
    network(py, rows.as_any(), vec![(parameters.clone(), activation.into())])?.get_item(0)
}
