//! Recordings as plain Python data, for pickle and files: names, numbers, tuples and lists.
//!
//! A recording is `(inputs, steps, guards, outputs, places)`: the number of arguments, then lists.
//! A step is `(name, activation, operands)`, with `""` for no activation; a guard `(test, a, b, holds,
//! place)`; a place `(file, line)`. An operand is a float for a constant, an int for the step of that
//! number, `("input", k)` or `("parameter", k)`.

use gradtape::Op;
use gradtape::program::{Action, Guard, Recording, Source, Test};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::trace;

type Any<'py> = Bound<'py, PyAny>;

const INPUT: &str = "input";
const PARAMETER: &str = "parameter";
const DETACH: &str = "detach";

const TESTS: [(Test, &str); 4] = [
    (Test::Less, "less"),
    (Test::LessEqual, "less_equal"),
    (Test::Equal, "equal"),
    (Test::Same, "same"),
];

/// The recording as Python data.
pub fn to_python<'py>(py: Python<'py>, recording: &Recording) -> PyResult<Bound<'py, PyTuple>> {
    let name = |text| PyString::intern(py, text);
    let source = |&source: &Source| told(py, source);
    let step = |step: &gradtape::program::Step| {
        let (op, activation) = match step.action {
            Action::Apply(op, activation) => {
                (op.row().name, activation.map_or("", |op| op.row().name))
            }
            Action::Detach => (DETACH, ""),
        };
        let operands = recording.operands_of(step).iter().map(source);
        let operands = PyTuple::new(py, operands.collect::<PyResult<Vec<_>>>()?)?;
        (name(op), name(activation), operands).into_pyobject(py)
    };
    let guard = |guard: &Guard| {
        let test = TESTS.iter().find(|test| test.0 == guard.test).map_or("", |test| test.1);
        let [a, b] = guard.operands;
        (name(test), told(py, a)?, told(py, b)?, guard.holds, guard.place).into_pyobject(py)
    };
    let steps = recording.steps.iter().map(step).collect::<PyResult<Vec<_>>>()?;
    let guards = recording.guards.iter().map(guard).collect::<PyResult<Vec<_>>>()?;
    let outputs = recording.outputs.iter().map(source).collect::<PyResult<Vec<_>>>()?;
    let (steps, guards) = (PyList::new(py, steps)?, PyList::new(py, guards)?);
    (
        recording.inputs,
        steps,
        guards,
        PyList::new(py, outputs)?,
        PyList::new(py, &recording.places)?,
    )
        .into_pyobject(py)
}

fn told(py: Python<'_>, source: Source) -> PyResult<Any<'_>> {
    Ok(match source {
        Source::Constant(x) => PyFloat::new(py, x).into_any(),
        Source::Step(k) => k.into_pyobject(py)?.into_any(),
        Source::Input(k) => (intern!(py, INPUT), k).into_pyobject(py)?.into_any(),
        Source::Parameter(k) => (intern!(py, PARAMETER), k).into_pyobject(py)?.into_any(),
    })
}

fn malformed(what: &str) -> PyErr {
    PyValueError::new_err(format!("not the state of a recording: {what}"))
}

/// The items of a list or tuple.
fn items<'py>(object: &Any<'py>, what: &str) -> PyResult<Vec<Any<'py>>> {
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        return object.try_iter()?.collect();
    }
    Err(malformed(what))
}

/// The items of a list or tuple of so many.
fn parts<'py, const N: usize>(object: &Any<'py>, what: &str) -> PyResult<[Any<'py>; N]> {
    items(object, what)?.try_into().map_err(|_| malformed(what))
}

/// An int from 0 to `end`, without it.
fn number(object: &Any<'_>, end: usize, what: &str) -> PyResult<u32> {
    let whole = object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>();
    match object.extract::<u32>() {
        Ok(k) if whole && (k as usize) < end => Ok(k),
        _ => Err(malformed(what)),
    }
}

fn text(object: &Any<'_>, what: &str) -> PyResult<String> {
    object.extract().map_err(|_| malformed(what))
}

/// How many sources of each kind there are.
#[derive(Clone, Copy)]
struct Known {
    inputs: usize,
    parameters: usize,
    steps: usize,
}

impl Known {
    fn source(self, object: &Any<'_>) -> PyResult<Source> {
        if let Ok(x) = object.cast::<PyFloat>() {
            return Ok(Source::Constant(x.value()));
        }
        if object.is_instance_of::<PyInt>() {
            return Ok(Source::Step(number(object, self.steps, "a step that is not before")?));
        }
        let [kind, k] = parts(object, "an operand of another form")?;
        match text(&kind, "a kind of operand")?.as_str() {
            INPUT => Ok(Source::Input(number(&k, self.inputs, "an input out of range")?)),
            PARAMETER => {
                Ok(Source::Parameter(number(&k, self.parameters, "a parameter out of range")?))
            }
            _ => Err(malformed("a kind of operand")),
        }
    }

    fn sources(self, object: &Any<'_>, what: &str) -> PyResult<Vec<Source>> {
        items(object, what)?.iter().map(|object| self.source(object)).collect()
    }
}

/// The action of those names on so many operands.
fn action(name: &str, activation: &str, count: usize) -> Option<Action> {
    if name == DETACH {
        return (count == 1 && activation.is_empty()).then_some(Action::Detach);
    }
    let op = Op::named(name)?;
    let fits = match op {
        Op::Sum => true,
        Op::Logsumexp => count > 0,
        Op::Dot => count.is_multiple_of(2),
        Op::Affine => !count.is_multiple_of(2),
        _ => count == op.row().operands.len(),
    };
    let activation = match activation {
        "" => None,
        _ => Some(
            Op::named(activation).filter(|a| op == Op::Affine && a.row().operands.len() == 1)?,
        ),
    };
    fits.then_some(Action::Apply(op, activation))
}

fn guard(object: &Any<'_>, known: Known, places: usize) -> PyResult<Guard> {
    let [test, a, b, holds, place] = parts(object, "a guard of another form")?;
    let test = text(&test, "a test")?;
    let test = TESTS.iter().find(|known| known.1 == test).ok_or_else(|| malformed("a test"))?.0;
    let operands = [known.source(&a)?, known.source(&b)?];
    let holds = holds.cast::<PyBool>().map_err(|_| malformed("an answer"))?.is_true();
    Ok(Guard { test, operands, holds, place: number(&place, places, "a place")? })
}

/// The recording that [`to_python`] told, with so many parameters.
///
/// # Errors
/// `ValueError` for anything else.
pub fn from_python(state: &Any<'_>, parameters: usize) -> PyResult<Recording> {
    let [inputs, steps, guards, outputs, places] = parts(state, "its form")?;
    let inputs = number(&inputs, u32::MAX as usize, "the number of inputs")?;
    let mut recording = Recording { inputs, ..Recording::default() };
    let mut known = Known { inputs: inputs as usize, parameters, steps: 0 };
    for step in items(&steps, "the steps")? {
        let [name, activation, operands] = parts(&step, "a step of another form")?;
        let operands = known.sources(&operands, "the operands of a step")?;
        let names = (text(&name, "an operation")?, text(&activation, "an activation")?);
        let action = action(&names.0, &names.1, operands.len()).ok_or_else(|| {
            malformed(&format!("the operation {names:?} of {} operands", operands.len()))
        })?;
        recording.push(action, operands);
        known.steps += 1;
        if recording.operands.len().max(known.steps) > i32::MAX as usize {
            return Err(malformed("too many operands"));
        }
    }
    for place in items(&places, "the places")? {
        let [file, line] = parts(&place, "a place of another form")?;
        let line = number(&line, u32::MAX as usize, "a line")?;
        recording.places.push((text(&file, "a file")?, line));
    }
    let places = recording.places.len();
    let guards = items(&guards, "the guards")?;
    let guards = guards.iter().map(|object| guard(object, known, places));
    recording.guards = guards.collect::<PyResult<_>>()?;
    recording.outputs = known.sources(&outputs, "the outputs")?;
    Ok(recording)
}

/// Records a call at a point: the recording as Python data, and the values that it captured.
#[pyfunction]
#[pyo3(text_signature = "(call, point, /)")]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracted")]
pub fn _record<'py>(
    py: Python<'py>,
    call: &Any<'py>,
    point: Vec<f64>,
) -> PyResult<(Bound<'py, PyTuple>, Vec<Py<PyAny>>)> {
    let mut parameters = Vec::new();
    let recording = trace::record(py, call, &point, &mut parameters)?;
    Ok((to_python(py, &recording)?, parameters))
}

/// The state of a recording, read and told again: an error where it is malformed.
#[pyfunction]
#[pyo3(text_signature = "(state, parameters, /)")]
pub fn _recording<'py>(state: &Any<'py>, parameters: usize) -> PyResult<Bound<'py, PyTuple>> {
    to_python(state.py(), &from_python(state, parameters)?)
}
