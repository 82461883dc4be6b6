//! The functions of any number of operands, dense layers, and access to many values at once.

use gradtape::kernel::Index;
use gradtape::tape::Layer;
use gradtape::{Error, Op, Operand, Rule, Tape, rule};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList};

use crate::convert::{not_a_number, raise};
use crate::slots::{Given, Handle, Operands, apply, given, make_room};
use crate::state::{State, enter_idle};
use crate::trace;
use crate::value::plain;

type Any<'py> = Bound<'py, PyAny>;

/// Records one node on `runs` of operands, which are looked up when there is room. Where nothing is
/// to be differentiated, the node goes on a tape that is thrown away; numbers alone give a number.
fn single<'py>(
    py: Python<'py>,
    runs: &[&Operands<'py>],
    record: impl FnOnce(&mut Tape, &[Vec<Operand>], u32) -> Result<(Index, f64), Error>,
) -> PyResult<Any<'py>> {
    let constant = runs.iter().all(|run| run.constant());
    let out = Handle::leaf(py, 0.0)?;
    let mut state = enter_idle();
    let paused = state.paused();
    if constant || (paused && !trace::recording()) {
        drop(state);
        let numbers: Vec<_> = runs.iter().map(|run| run.constants()).collect();
        let (_, data) = record(&mut Tape::new(), &numbers, out.slot()).map_err(raise)?;
        out.place(out.at(), data);
        return Ok(if constant { PyFloat::new(py, data).into_any() } else { out.into_any() });
    }
    make_room(&mut state, 1, runs.iter().map(|run| run.len()).sum())?;
    let operands: Vec<_> = runs.iter().map(|run| run.filled()).collect();
    let (at, data) = record(&mut state.tape, &operands, out.slot()).map_err(raise)?;
    if paused {
        trace::detach_node(&mut state.tape, out.slot(), at);
    }
    drop(state);
    out.place(if paused { out.at() } else { at }, data);
    Ok(out.into_any())
}

/// Sum of the operands, one node.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.sum([gt.Value(1.0), 2, 3.5])
/// Value(data=6.5)
#[pyfunction]
#[pyo3(text_signature = "(values, /)")]
pub fn sum<'py>(py: Python<'py>, values: &Any<'py>) -> PyResult<Any<'py>> {
    let x = Operands::of(values, "values")?;
    single(py, &[&x], |tape, x, slot| Ok(tape.sum(&x[0], slot)))
}

/// Sum of the products of two runs of operands, one node.
///
/// Raises
/// ------
/// ValueError
///     If the runs differ in length.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.dot([gt.Value(1.0), 2], [3, gt.Value(4.0)])
/// Value(data=11.0)
#[pyfunction]
#[pyo3(text_signature = "(xs, ws, /)")]
pub fn dot<'py>(py: Python<'py>, xs: &Any<'py>, ws: &Any<'py>) -> PyResult<Any<'py>> {
    let (x, w) = (Operands::of(xs, "xs")?, Operands::of(ws, "ws")?);
    single(py, &[&x, &w], |tape, x, slot| tape.dot(&x[0], &x[1], slot))
}

/// `activation(dot(xs, ws) + bias)`, one node: a neuron.
///
/// Raises
/// ------
/// ValueError
///     If the runs differ in length or the activation is unknown.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.affine([gt.Value(1.0), 2], [3, 4], -20.0, "relu")
/// Value(data=0.0)
#[pyfunction]
#[pyo3(signature = (xs, ws, bias, activation = ""), text_signature = "(xs, ws, bias, activation='')")]
pub fn affine<'py>(
    py: Python<'py>,
    xs: &Any<'py>,
    ws: &Any<'py>,
    bias: &Any<'py>,
    activation: &str,
) -> PyResult<Any<'py>> {
    let (x, w) = (Operands::of(xs, "xs")?, Operands::of(ws, "ws")?);
    let bias = Operands::of((bias,).into_pyobject(py)?.as_any(), "bias")?;
    let activation = activation_named(activation)?;
    if x.len() != w.len() {
        return Err(raise(Error::Lengths { first: x.len(), second: w.len() }));
    }
    single(py, &[&x, &w, &bias], |tape, x, slot| {
        let parameters = [&x[1][..], &x[2][..]].concat();
        let layer = Layer { inputs: &x[0], parameters: &parameters, activation };
        let mut outputs = Vec::with_capacity(1);
        tape.layer(layer, &[slot], &mut outputs)?;
        Ok(outputs[0])
    })
}

/// `log(sum(exp(xs)))` without overflow, one node.
///
/// Raises
/// ------
/// ValueError
///     If there is no operand.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.logsumexp([gt.Value(1000.0), 1000.0])
/// Value(data=1000.6931471805599)
#[pyfunction]
#[pyo3(text_signature = "(xs, /)")]
pub fn logsumexp<'py>(py: Python<'py>, xs: &Any<'py>) -> PyResult<Any<'py>> {
    let x = Operands::of(xs, "xs")?;
    single(py, &[&x], |tape, x, slot| tape.logsumexp(&x[0], slot))
}

/// `xs[i] - logsumexp(xs)` for each i: logarithms of probabilities.
///
/// Raises
/// ------
/// ValueError
///     If there is no operand.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.log_softmax([gt.Value(0.0), 0.0])
/// [Value(data=-0.6931471805599453), Value(data=-0.6931471805599453)]
#[pyfunction]
#[pyo3(text_signature = "(xs, /)")]
pub fn log_softmax<'py>(py: Python<'py>, xs: &Any<'py>) -> PyResult<Vec<Any<'py>>> {
    let shifted = shifted(xs)?;
    let total = logsumexp(py, PyList::new(py, &shifted)?.as_any())?;
    shifted.iter().map(|x| x.sub(&total)).collect()
}

/// `xs` less the largest of them, which counts as a constant: a softmax does not depend on it, and
/// near 0 the sums lose no digits.
fn shifted<'py>(xs: &Any<'py>) -> PyResult<Vec<Any<'py>>> {
    let xs = Operands::of(xs, "xs")?;
    let top = if trace::recording() { top_recorded(&xs)? } else { top(&xs) };
    xs.objects().iter().map(|x| x.sub(&top)).collect()
}

/// The largest operand's number; 0 where that is not finite.
fn top<'py>(xs: &Operands<'py>) -> Any<'py> {
    let larger = |top, x: &Operand| rule::Maximum::value([top, x.value()]);
    let top = xs.constants().iter().fold(f64::NEG_INFINITY, larger);
    PyFloat::new(xs.objects().py(), if top.is_finite() { top } else { 0.0 }).into_any()
}

/// The same in operations, since a replay has other numbers.
fn top_recorded<'py>(xs: &Operands<'py>) -> PyResult<Any<'py>> {
    let number = |x| PyFloat::new(xs.objects().py(), x).into_any();
    let larger = |top: Any<'py>, x: Any<'py>| apply::<rule::Maximum, 2>([&top, &x]);
    let top = xs.objects().iter().try_fold(number(f64::NEG_INFINITY), larger)?;
    let zero = number(0.0);
    let finite = apply::<rule::Equal, 2>([&top.sub(&top)?, &zero])?;
    let top = apply::<rule::Where, 3>([&finite, &top, &zero])?;
    if Handle::of(&top).is_some() { top.call_method0("detach") } else { Ok(top) }
}

/// `exp(xs[i]) / sum(exp(xs))` for each i, without overflow: probabilities.
///
/// Raises
/// ------
/// ValueError
///     If there is no operand.
///
/// Examples
/// --------
/// >>> import gradtape as gt
/// >>> gt.softmax([gt.Value(0.0), 0.0])
/// [Value(data=0.5), Value(data=0.5)]
#[pyfunction]
#[pyo3(text_signature = "(xs, /)")]
pub fn softmax<'py>(py: Python<'py>, xs: &Any<'py>) -> PyResult<Vec<Any<'py>>> {
    let shifted = shifted(xs)?;
    let exps: Vec<_> =
        shifted.iter().map(|x| apply::<rule::Exp, 1>([x])).collect::<PyResult<_>>()?;
    if exps.is_empty() {
        return Err(raise(Error::Empty));
    }
    let total = sum(py, PyList::new(py, &exps)?.as_any())?;
    exps.iter().map(|e| e.div(&total)).collect()
}

/// The activation of that name; `None` is the identity.
pub fn activation_named(name: &str) -> PyResult<Option<Op>> {
    if matches!(name, "" | "linear") {
        return Ok(None);
    }
    match Op::named(name) {
        Some(op) if op.row().operands.len() == 1 => Ok(Some(op)),
        _ => Err(PyValueError::new_err(format!(
            "unknown activation '{name}'; known are {}",
            activations().join(", ")
        ))),
    }
}

/// Names of the activations: the identity and every operation of one operand.
#[pyfunction]
pub fn activations() -> Vec<&'static str> {
    let rows = Op::ALL.iter().map(|op| op.row());
    ["linear"]
        .into_iter()
        .chain(rows.filter(|row| row.operands.len() == 1).map(|row| row.name))
        .collect()
}

/// The table of operations: name, operands, symbol, LaTeX and summary of each row.
#[pyfunction]
pub fn operations()
-> Vec<(&'static str, Vec<&'static str>, &'static str, &'static str, &'static str)> {
    let rows = Op::ALL.iter().map(|op| op.row());
    rows.map(|row| (row.name, row.operands.to_vec(), row.symbol, row.latex, row.summary)).collect()
}

/// Value, first and second partial derivatives of a row of the table at `at`, by tangents.
#[pyfunction]
#[pyo3(text_signature = "(name, at, /)")]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
pub fn derivatives(name: &str, at: Vec<f64>) -> PyResult<(f64, Vec<f64>, Vec<Vec<f64>>)> {
    let op = Op::named(name).and_then(|op| op.derivatives(&at));
    op.ok_or_else(|| {
        PyValueError::new_err(format!("no operation '{name}' of {} operands", at.len()))
    })
}

fn handles<'py>(values: &Any<'py>) -> PyResult<Vec<Handle<'py>>> {
    let each = |(i, value): (usize, PyResult<Any<'py>>)| value_of(&format!("values[{i}]"), &value?);
    values.try_iter()?.enumerate().map(each).collect()
}

/// The value that the argument `name` is.
pub fn value_of<'py>(name: &str, value: &Any<'py>) -> PyResult<Handle<'py>> {
    Handle::of(value).ok_or_else(|| {
        let text = not_a_number(name, value).value(value.py()).to_string();
        PyTypeError::new_err(text.replace(" or a real number", ""))
    })
}

/// The data of many values.
#[pyfunction]
#[pyo3(text_signature = "(values, /)")]
pub fn data(values: &Any<'_>) -> PyResult<Vec<f64>> {
    let values = handles(values)?;
    values.iter().for_each(trace::read);
    Ok(values.iter().map(Handle::data).collect())
}

/// The grad of many values.
#[pyfunction]
#[pyo3(text_signature = "(values, /)")]
pub fn grads(values: &Any<'_>) -> PyResult<Vec<f64>> {
    trace::refuse_gradients("grads()")?;
    let values = handles(values)?;
    let state = enter_idle();
    Ok(values.iter().map(|value| state.tape.grad(value.slot())).collect())
}

/// Assigns the data of many values at once: all change, or, on an error, none.
///
/// Raises
/// ------
/// ValueError
///     If there are not as many numbers as values.
/// TypeError
///     If something is no Value, or no number.
#[pyfunction]
#[pyo3(text_signature = "(values, numbers, /)")]
pub fn assign(values: &Any<'_>, numbers: &Any<'_>) -> PyResult<()> {
    let values = handles(values)?;
    let number = |(i, x): (usize, PyResult<Any<'_>>)| {
        let x = x?;
        match given(&x)? {
            Some(Given::Number(number)) => Ok(number),
            _ => plain(&format!("numbers[{i}]"), &x), // the error that names it
        }
    };
    let numbers: Vec<f64> = numbers.try_iter()?.enumerate().map(number).collect::<PyResult<_>>()?;
    if values.len() != numbers.len() {
        return Err(PyValueError::new_err(format!(
            "{} values take as many numbers, not {}",
            values.len(),
            numbers.len()
        )));
    }
    values.iter().try_for_each(trace::assignable)?;
    values.iter().zip(numbers).for_each(|(value, number)| value.set_data(number));
    Ok(())
}

/// Sets the grad of many values to 0.
#[pyfunction]
#[pyo3(text_signature = "(values, /)")]
pub fn zero_grad(values: &Any<'_>) -> PyResult<()> {
    trace::refuse_gradients("zero_grad()")?;
    let values = handles(values)?;
    let mut state = enter_idle();
    for value in &values {
        state.tape.set_grad(value.slot(), 0.0);
    }
    Ok(())
}

/// Switches recording on or off in this thread; whether it was on.
#[pyfunction]
#[pyo3(text_signature = "(flag, /)")]
pub fn set_recording(flag: bool) -> bool {
    crate::state::set_recording(flag)
}

/// Number of nodes on the tape, and of those that a value holds.
#[pyfunction]
pub fn tape_size() -> (usize, usize) {
    let state = enter_idle();
    let State { tape, .. } = &*state;
    (tape.len(), tape.owners().filter(|&owner| owner != 0).count())
}
