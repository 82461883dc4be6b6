//! `Value`'s attributes and methods that are not hot, in safe Rust.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString, PyTuple};

use crate::convert::not_a_number;
use crate::graph;
use crate::slots::{Given, Handle, given};
use crate::state::{self, enter_idle};
use crate::trace;

type Any<'py> = Bound<'py, PyAny>;
type Kwargs<'a, 'py> = Option<&'a Bound<'py, PyDict>>;

pub const DOC: &str = "Value(data, label='')\n--\n\n\
A number that remembers how it was made.\n\n\
Arithmetic with values records a tape; ``backward()`` sweeps it and fills every ``grad``.\n\n\
Parameters\n----------\n\
data : float\n    The number. A ``Value`` is not accepted: use ``detach()`` for a copy.\n\
label : str, optional\n    A name for people.\n\n\
Raises\n------\n\
TypeError\n    If `data` is not a real number or `label` not a string.\n\n\
Examples\n--------\n\
>>> from gradtape import Value\n\
>>> x, y = Value(2.0, label='x'), Value(-3.0)\n\
>>> z = x * y + x\n\
>>> z.backward()\n\
>>> z, x.grad, y.grad\n\
(Value(data=-4.0), -2.0, 2.0)\n";

pub const BACKWARD: &str = "backward($self, /, seed=1.0)\n--\n\n\
Sweep the tape backwards from this value.\n\n\
Every inner value that is reached gets its adjoint as ``grad``; leaves have theirs added to it.\n\n\
Parameters\n----------\nseed : float\n    The adjoint of this value itself.\n\n\
Examples\n--------\n\
>>> from gradtape import Value\n\
>>> x = Value(3.0)\n\
>>> (4 * x**2 - 2 * x + 5).backward()\n\
>>> x.grad\n22.0\n";

pub const DETACH: &str = "detach($self, /)\n--\n\n\
A new leaf with the same number: what is computed from it does not reach this value.\n\n\
Examples\n--------\n\
>>> from gradtape import Value\n\
>>> x = Value(3.0)\n\
>>> (x.detach() * x).backward()\n\
>>> x.grad\n3.0\n";

fn me<'py>(object: &Any<'py>) -> PyResult<Handle<'py>> {
    Handle::of(object).ok_or_else(|| not_a_number("self", object))
}

/// A real number that is not a `Value`; `what` names it in the error.
pub fn plain(what: &str, object: &Any<'_>) -> PyResult<f64> {
    match given(object)? {
        Some(Given::Number(x)) => Ok(x),
        _ => Err(PyTypeError::new_err(
            not_a_number(what, object).value(object.py()).to_string().replace("a Value or ", ""),
        )),
    }
}

fn string<'a, 'py>(what: &str, object: &'a Any<'py>) -> PyResult<&'a Bound<'py, PyString>> {
    object.cast_exact::<PyString>().map_err(|_| {
        let kind =
            object.get_type().qualname().map_or_else(|_| "?".into(), |name| name.to_string());
        PyTypeError::new_err(format!("{what} must be a str, not {kind}"))
    })
}

/// Positional and keyword arguments by name; `None` where one is not given.
fn named<'py, const N: usize>(
    function: &str,
    names: [&str; N],
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<[Option<Any<'py>>; N]> {
    let mut found = [const { None }; N];
    if args.len() > N {
        return Err(PyTypeError::new_err(format!(
            "{function}() takes at most {N} arguments ({}), not {}",
            names.join(", "),
            args.len()
        )));
    }
    for (place, arg) in found.iter_mut().zip(args.iter()) {
        *place = Some(arg);
    }
    for (key, value) in kwargs.iter().flat_map(|kwargs| kwargs.iter()) {
        let key = key.to_string();
        match names.iter().position(|&name| name == key) {
            Some(i) if found[i].is_none() => found[i] = Some(value),
            Some(_) => {
                return Err(PyTypeError::new_err(format!("{function}() got '{key}' twice")));
            }
            None => {
                return Err(PyTypeError::new_err(format!(
                    "{function}() has no argument '{key}'; it takes {}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(found)
}

pub fn init(object: &Any<'_>, args: &Bound<'_, PyTuple>, kwargs: Kwargs<'_, '_>) -> PyResult<()> {
    let kwargs = kwargs.map(|kwargs| kwargs.as_any().cast::<PyDict>()).transpose()?;
    let [data, label] = named("Value", ["data", "label"], args, kwargs)?;
    let Some(data) = data else {
        return Err(PyTypeError::new_err("Value() needs its number: Value(2.0)"));
    };
    let data = plain("data", &data)?;
    if let Some(label) = label {
        set_label(object, &label)?;
    }
    let value = me(object)?;
    trace::assignable(&value)?;
    value.set_data(data);
    Ok(())
}

pub fn repr<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    let value = me(object)?;
    let name = object.get_type().qualname()?;
    let data = PyFloat::new(object.py(), value.data()).repr()?;
    let text = match value.label() {
        Some(label) if !label.is_empty()? => {
            format!("{name}(data={data}, label={})", label.repr()?)
        }
        _ => format!("{name}(data={data})"),
    };
    Ok(PyString::new(object.py(), &text).into_any())
}

pub fn data<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    let value = me(object)?;
    trace::read(&value);
    Ok(PyFloat::new(object.py(), value.data()).into_any())
}

pub fn set_data(object: &Any<'_>, to: &Any<'_>) -> PyResult<()> {
    let (value, data) = (me(object)?, plain("data", to)?);
    trace::assignable(&value)?;
    value.set_data(data);
    Ok(())
}

pub fn grad<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    trace::refuse_gradients("grad")?;
    let grad = enter_idle().tape.grad(me(object)?.slot());
    Ok(PyFloat::new(object.py(), grad).into_any())
}

pub fn set_grad(object: &Any<'_>, to: &Any<'_>) -> PyResult<()> {
    trace::refuse_gradients("grad")?;
    let grad = plain("grad", to)?;
    enter_idle().tape.set_grad(me(object)?.slot(), grad);
    Ok(())
}

pub fn label<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    let label = me(object)?.label();
    Ok(label.unwrap_or_else(|| PyString::new(object.py(), "")).into_any())
}

pub fn set_label(object: &Any<'_>, to: &Any<'_>) -> PyResult<()> {
    let label = string("label", to)?;
    me(object)?.set_label((!label.is_empty()?).then_some(label));
    Ok(())
}

pub fn op<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    let at = me(object)?.at();
    let symbol = if at < 0 { "" } else { enter_idle().tape.recorded(at).op.row().symbol };
    Ok(PyString::new(object.py(), symbol).into_any())
}

pub fn prev<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    let operands = graph::operands(object.py(), &me(object)?)?;
    Ok(PyTuple::new(object.py(), operands.into_iter().map(Handle::into_any))?.into_any())
}

#[expect(clippy::unnecessary_wraps, reason = "slots call functions of one form")]
pub fn positive<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    Ok(object.clone())
}

fn refused(object: &Any<'_>, to: &str) -> PyErr {
    let name =
        object.get_type().qualname().map_or_else(|_| "Value".into(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "a {name} does not become {to} by itself, since its gradient would be lost: use gradtape's \
         functions (gradtape.exp(v) for math.exp(v)), or v.data for the plain number"
    ))
}

pub fn to_float<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    Err(refused(object, "a float"))
}

pub fn to_int<'py>(object: &Any<'py>) -> PyResult<Any<'py>> {
    Err(refused(object, "an int"))
}

pub fn backward<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    trace::refuse_gradients("backward()")?;
    let [seed] = named("backward", ["seed"], args, kwargs)?;
    let seed = seed.map_or(Ok(1.0), |seed| plain("seed", &seed))?;
    sweep(&me(object)?, seed);
    Ok(object.py().None().into_bound(object.py()))
}

/// Adds to the gradients of what `value` was computed from; a leaf's own.
pub fn sweep(value: &Handle<'_>, seed: f64) {
    if value.at() < 0 {
        let mut state = enter_idle();
        let sum = state.tape.grad(value.slot()) + seed;
        state.tape.set_grad(value.slot(), sum);
    } else {
        state::backward(value.any().py(), value.at(), seed);
    }
}

/// What a notebook shows of a value, which the package's module for notebooks makes.
fn shown<'py>(
    name: &str,
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    let [] = named(name, [], args, kwargs)?;
    object.py().import("gradtape.show.notebook")?.getattr(name)?.call1((object,))
}

pub fn svg<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    shown("svg", object, args, kwargs)
}

pub fn latex<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    shown("latex", object, args, kwargs)
}

pub fn detach<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    let [] = named("detach", [], args, kwargs)?;
    let value = me(object)?;
    let leaf = Handle::leaf(object.py(), value.data())?;
    trace::detached(leaf.slot(), &value);
    leaf.set_label(value.label().as_ref());
    Ok(leaf.into_any())
}

pub fn conjugate<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    let [] = named("conjugate", [], args, kwargs)?;
    Ok(object.clone())
}

pub fn reduce<'py>(
    object: &Any<'py>,
    args: &Bound<'py, PyTuple>,
    kwargs: Kwargs<'_, 'py>,
) -> PyResult<Any<'py>> {
    let [] = named("__reduce__", [], args, kwargs)?;
    graph::reduce(&me(object)?)
}
