//! What Python is told: operands of rare types, and errors.

use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyComplex, PyDict, PyFrozenSet, PyList, PySet, PyString, PyTuple,
};

/// The one place where the core's errors become Python's.
pub fn raise(error: gradtape::Error) -> PyErr {
    match error {
        gradtape::Error::TapeFull | gradtape::Error::TooManyValues => {
            PyOverflowError::new_err(error.to_string())
        }
        gradtape::Error::Lengths { .. } | gradtape::Error::Empty => {
            PyValueError::new_err(error.to_string())
        }
    }
}

/// A panic is a bug of ours: say so, and keep the interpreter alive.
pub fn bug() -> PyErr {
    PyRuntimeError::new_err("a bug in gradtape's native core; please report it with what led to it")
}

fn kind(object: &Bound<'_, PyAny>) -> String {
    object.get_type().qualname().map_or_else(|_| "?".into(), |name| name.to_string())
}

/// A real scalar of another library (NumPy's scalars and arrays without dimensions): its number.
pub fn real_scalar(object: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    if !object.hasattr("dtype")? || !object.hasattr("shape")? {
        return Ok(None);
    }
    let dimensions = object.getattr("shape")?.len()?;
    let sort: String = object.getattr("dtype")?.getattr("kind")?.extract()?;
    if dimensions == 0 && ["f", "i", "u", "b"].contains(&sort.as_str()) {
        return Ok(Some(object.call_method0("__float__")?.extract()?));
    }
    Ok(None)
}

/// The error for an operand of a type that no arithmetic with values can mean.
pub fn never_meant(symbol: &str, object: &Bound<'_, PyAny>) -> Option<PyErr> {
    let complex = || {
        let sort = object
            .getattr("dtype")
            .and_then(|d| d.getattr("kind"))
            .and_then(|k| k.extract::<String>());
        sort.is_ok_and(|sort| sort == "c" || sort == "U" || sort == "S")
    };
    let never = object.is_none()
        || object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyComplex>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyList>()
        || object.is_instance_of::<PyTuple>()
        || object.is_instance_of::<PyDict>()
        || object.is_instance_of::<PySet>()
        || object.is_instance_of::<PyFrozenSet>()
        || complex();
    never.then(|| not_a_number(&format!("an operand of {symbol}"), object))
}

/// The error for what should have been a value or a number.
pub fn not_a_number(what: &str, object: &Bound<'_, PyAny>) -> PyErr {
    let shown = object.repr().map_or_else(|_| String::new(), |r| r.to_string());
    let shown = if shown.chars().count() > 40 { String::new() } else { format!(" {shown}") };
    let shown = if object.is_none() { String::new() } else { shown };
    PyTypeError::new_err(format!(
        "{what} must be a Value or a real number, not {}{shown}",
        kind(object)
    ))
}

/// The error in row `i` of a batch, named so.
pub fn in_row(py: Python<'_>, i: usize, error: &PyErr) -> PyErr {
    let text = error.value(py).to_string();
    PyErr::from_type(error.get_type(py), text.replacen("row", &format!("row {i}"), 1))
}

/// The error for what should have been a sequence of operands.
pub fn not_a_run(what: &str, object: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "{what} must be a sequence of Values or real numbers, not {}",
        kind(object)
    ))
}

/// A function of the table on operands that are neither values nor numbers: element by element,
/// where they are arrays.
///
/// # Safety
/// `operands` are live objects.
pub unsafe fn elementwise(py: Python<'_>, name: &str, operands: &[*mut PyObject]) -> *mut PyObject {
    let call = || -> PyResult<Py<PyAny>> {
        // SAFETY: the caller's word.
        let operands = operands.iter().map(|&o| unsafe { Bound::from_borrowed_ptr(py, o) });
        let operands = PyTuple::new(py, operands)?;
        let module = py.import("gradtape.functions")?;
        Ok(module.call_method1("elementwise", (name, operands))?.unbind())
    };
    match call() {
        Ok(result) => result.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}
