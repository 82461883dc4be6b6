//! The type object of `Value`: its slots, attributes and methods, the rows of the table among
//! them. Trampolines lead from C signatures to the safe functions of [`crate::value`].

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use gradtape::{operations, rule};
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyTuple};

use super::life::{clear, dealloc, new, traverse};
use super::{Arity, Handle, Object, binary, dispatch, unary};
use crate::{trace, value};

type Any<'py> = Bound<'py, PyAny>;

/// Runs `body`; an error or a panic becomes the Python exception, and `failed` is returned.
unsafe fn guarded<T>(failed: T, body: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    let py = unsafe { Python::assume_attached() };
    match catch_unwind(AssertUnwindSafe(|| body(py))) {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => {
            error.restore(py);
            failed
        }
        Err(_) => {
            crate::convert::bug().restore(py);
            failed
        }
    }
}

/// A slot `fn(self) -> object` that calls a safe function.
macro_rules! one {
    ($name:ident) => {{
        unsafe extern "C" fn slot(me: *mut PyObject) -> *mut PyObject {
            unsafe {
                guarded(null_mut(), |py| {
                    Ok(value::$name(&Any::from_borrowed_ptr(py, me))?.into_ptr())
                })
            }
        }
        slot
    }};
}

unsafe extern "C" fn power(
    a: *mut PyObject,
    b: *mut PyObject,
    modulus: *mut PyObject,
) -> *mut PyObject {
    unsafe {
        if modulus == ffi::Py_None() {
            binary::<rule::Pow>(a, b)
        } else {
            ffi::Py_NewRef(ffi::Py_NotImplemented())
        }
    }
}

unsafe extern "C" fn truth(me: *mut PyObject) -> c_int {
    let answer = unsafe { (*me.cast::<Object>()).data } != 0.0;
    if trace::running() {
        unsafe { note(me, |x| trace::tested(x, answer)) };
    }
    c_int::from(answer)
}

/// Tells a recording what was asked of the value `me`.
#[cold]
#[inline(never)]
unsafe fn note(me: *mut PyObject, hook: impl FnOnce(&Handle<'_>)) {
    unsafe {
        guarded((), |py| {
            if let Some(value) = Handle::of(&Any::from_borrowed_ptr(py, me)) {
                hook(&value);
            }
            Ok(())
        });
    }
}

unsafe extern "C" fn hash(me: *mut PyObject) -> ffi::Py_hash_t {
    (me as isize) >> 4 // by identity; never −1, since addresses are positive
}

unsafe extern "C" fn compare(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    unsafe { if trace::running() { answer_noted(a, b, op) } else { answer(a, b, op) } }
}

/// The answer to a comparison, of which a recording is told.
#[cold]
#[inline(never)]
unsafe fn answer_noted(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    unsafe {
        let answer = answer(a, b, op);
        let yes = answer == ffi::Py_True();
        if (yes || answer == ffi::Py_False())
            && let Some(op) = CompareOp::from_raw(op)
        {
            note(a, |x| trace::compared(x, &Any::from_borrowed_ptr(x.any().py(), b), op, yes));
        }
        answer
    }
}

/// The answer to a comparison.
#[inline(always)]
unsafe fn answer(a: *mut PyObject, b: *mut PyObject, op: c_int) -> *mut PyObject {
    use super::Kind;
    unsafe {
        let x = (*a.cast::<Object>()).data;
        if ffi::PyLong_Check(b) != 0 {
            // An int may be larger than any float, or lie between two: floats know how to compare.
            let number = ffi::PyFloat_FromDouble(x);
            if number.is_null() {
                return number;
            }
            let answer = ffi::PyObject_RichCompare(number, b, op);
            ffi::Py_DECREF(number);
            return answer;
        }
        let y = match super::classify(b) {
            Kind::Value(y) => (*y).data,
            Kind::Number(y) => y,
            Kind::Foreign => return ffi::Py_NewRef(ffi::Py_NotImplemented()),
            Kind::Raised => return null_mut(),
        };
        let answer = match op {
            ffi::Py_LT => x < y,
            ffi::Py_LE => x <= y,
            ffi::Py_EQ => x == y,
            ffi::Py_NE => x != y,
            ffi::Py_GT => x > y,
            _ => x >= y,
        };
        ffi::Py_NewRef(if answer { ffi::Py_True() } else { ffi::Py_False() })
    }
}

unsafe extern "C" fn init(me: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    unsafe {
        guarded(-1, |py| {
            let args = Any::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
            let kwargs = Any::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked());
            value::init(&Any::from_borrowed_ptr(py, me), &args, kwargs.as_ref())?;
            Ok(0)
        })
    }
}

/// A method of positional arguments.
macro_rules! method {
    ($name:ident) => {{
        unsafe extern "C" fn slot(
            me: *mut PyObject,
            args: *mut PyObject,
            kwargs: *mut PyObject,
        ) -> *mut PyObject {
            unsafe {
                guarded(null_mut(), |py| {
                    let args = Any::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>();
                    let kwargs =
                        Any::from_borrowed_ptr_or_opt(py, kwargs).map(|k| k.cast_into_unchecked());
                    Ok(value::$name(&Any::from_borrowed_ptr(py, me), &args, kwargs.as_ref())?
                        .into_ptr())
                })
            }
        }
        ffi::PyMethodDefPointer { PyCFunctionWithKeywords: slot }
    }};
}

/// An attribute; `None` where it cannot be set.
macro_rules! attribute {
    ($name:literal, $get:ident, $doc:literal $(, $set:ident)?) => {{
        unsafe extern "C" fn get(me: *mut PyObject, _: *mut c_void) -> *mut PyObject {
            unsafe {
                guarded(null_mut(), |py| Ok(value::$get(&Any::from_borrowed_ptr(py, me))?.into_ptr()))
            }
        }
        #[allow(unused_mut, unused_assignments, reason = "only settable attributes fill it")]
        let mut set: Option<ffi::setter> = None;
        $({
            unsafe extern "C" fn put(me: *mut PyObject, to: *mut PyObject, _: *mut c_void) -> c_int {
                unsafe {
                    guarded(-1, |py| {
                        if to.is_null() {
                            return Err(PyAttributeError::new_err(concat!($name, " cannot be deleted")));
                        }
                        value::$set(&Any::from_borrowed_ptr(py, me), &Any::from_borrowed_ptr(py, to))?;
                        Ok(0)
                    })
                }
            }
            set = Some(put);
        })?
        ffi::PyGetSetDef { name: text($name), get: Some(get), set, doc: text($doc), closure: null_mut() }
    }};
}

/// Text for the interpreter, which keeps it for ever.
fn text(text: &str) -> *const c_char {
    CString::new(text).map_or(c"".as_ptr(), |text| text.into_raw().cast_const())
}

/// The rows of the table as methods of `Value` and, with null for `self`, as functions.
fn rows() -> Vec<ffi::PyMethodDef> {
    let mut all = Vec::new();
    macro_rules! add {
        ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal $latex:literal
            { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => { $({
            unsafe extern "C" fn slot(me: *mut PyObject, args: *mut *mut PyObject, count: ffi::Py_ssize_t) -> *mut PyObject {
                unsafe {
                    // A module function gets the module as `self`.
                    let me = if super::is_value(me) { me } else { null_mut() };
                    dispatch::<Arity<rule::$Op, $arity>, $arity>(gradtape::Op::$Op.row().name, me, args.cast(), count)
                }
            }
            let row = gradtape::Op::$Op.row();
            let operands = [$(stringify!($x)),+].join(", ");
            all.push(ffi::PyMethodDef {
                ml_name: text(row.name),
                ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: slot },
                ml_flags: ffi::METH_FASTCALL,
                ml_doc: text(&format!("{}({operands}, /)\n--\n\n{}.", row.name, row.summary)),
            });
        })+ };
    }
    operations!(add);
    all
}

const END: ffi::PyMethodDef = ffi::PyMethodDef::zeroed();

/// Adds the rows of the table to the module as functions.
pub fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let mut rows = rows();
    rows.push(END);
    // SAFETY: the definitions live for ever, as the interpreter asks.
    match unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), rows.leak().as_mut_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(module.py())),
    }
}

/// NumPy's name for a row, where it has another one: `np.arcsin(v)` calls `v.arcsin()`.
fn numpy_name(name: &str) -> Option<String> {
    let rest = name.strip_prefix('a')?;
    ["sin", "cos", "tan"].iter().any(|f| rest.starts_with(f)).then(|| format!("arc{rest}"))
}

fn methods() -> Vec<ffi::PyMethodDef> {
    let mut all = Vec::new();
    for (mut row, op) in rows().into_iter().zip(gradtape::Op::ALL) {
        let texts = op.row();
        // As a method, the first operand is `self`.
        let operands =
            ["$self"].iter().chain(&texts.operands[1..]).copied().collect::<Vec<_>>().join(", ");
        row.ml_doc = text(&format!("{}({operands}, /)\n--\n\n{}.", texts.name, texts.summary));
        if let Some(other) = numpy_name(texts.name) {
            let doc = format!("{other}({operands}, /)\n--\n\nNumPy's name for {}.", texts.name);
            all.push(ffi::PyMethodDef { ml_name: text(&other), ml_doc: text(&doc), ..row });
        }
        all.push(row);
    }
    let mut add = |name: &str, ml_meth, doc: &str| {
        let ml_flags = ffi::METH_VARARGS | ffi::METH_KEYWORDS;
        all.push(ffi::PyMethodDef { ml_name: text(name), ml_meth, ml_flags, ml_doc: text(doc) });
    };
    add("backward", method!(backward), value::BACKWARD);
    add("detach", method!(detach), value::DETACH);
    add(
        "conjugate",
        method!(conjugate),
        "conjugate($self, /)\n--\n\nThe value itself, which is real.",
    );
    add("_repr_svg_", method!(svg), "_repr_svg_($self, /)\n--\n\nThe drawing, for a notebook.");
    add("_repr_latex_", method!(latex), "_repr_latex_($self, /)\n--\n\nFormulas, for a notebook.");
    add("__reduce__", method!(reduce), "__reduce__($self, /)\n--\n\nHelper for copy and pickle.");
    all.push(END);
    all
}

/// Makes the type `Value`.
pub fn make(module: &Bound<'_, PyModule>) -> PyResult<Py<PyAny>> {
    let attributes = vec![
        attribute!("data", data, "The number; may be assigned to.", set_data),
        attribute!(
            "grad",
            grad,
            "Derivative of the last swept output with respect to this value; on a leaf, the sum over all sweeps.",
            set_grad
        ),
        attribute!("label", label, "A name for people.", set_label),
        attribute!("op", op, "Symbol of the operation that made the value; empty for a leaf."),
        attribute!("prev", prev, "The operands that are values, in their order."),
        ffi::PyGetSetDef {
            name: text("__dict__"),
            get: Some(ffi::PyObject_GenericGetDict),
            set: Some(ffi::PyObject_GenericSetDict),
            doc: std::ptr::null(),
            closure: null_mut(),
        },
        // SAFETY: an all-zero definition ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let member = |name: &str, offset: usize| ffi::PyMemberDef {
        name: text(name),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    let members = vec![
        member("__dictoffset__", std::mem::offset_of!(Object, dict)),
        member("__weaklistoffset__", std::mem::offset_of!(Object, weak)),
        // SAFETY: as above.
        unsafe { std::mem::zeroed() },
    ];
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = vec![
        slot(ffi::Py_tp_doc, text(value::DOC).cast_mut().cast()),
        slot(ffi::Py_tp_new, new as *mut c_void),
        slot(ffi::Py_tp_init, init as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_repr, one!(repr) as *mut c_void),
        slot(ffi::Py_tp_hash, hash as *mut c_void),
        slot(ffi::Py_tp_richcompare, compare as *mut c_void),
        slot(ffi::Py_tp_methods, methods().leak().as_mut_ptr().cast()),
        slot(ffi::Py_tp_members, members.leak().as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, attributes.leak().as_mut_ptr().cast()),
        slot(ffi::Py_nb_add, binary::<rule::Add> as *mut c_void),
        slot(ffi::Py_nb_subtract, binary::<rule::Sub> as *mut c_void),
        slot(ffi::Py_nb_multiply, binary::<rule::Mul> as *mut c_void),
        slot(ffi::Py_nb_true_divide, binary::<rule::Div> as *mut c_void),
        slot(ffi::Py_nb_power, power as *mut c_void),
        slot(ffi::Py_nb_negative, unary::<rule::Neg> as *mut c_void),
        slot(ffi::Py_nb_positive, one!(positive) as *mut c_void),
        slot(ffi::Py_nb_absolute, unary::<rule::Abs> as *mut c_void),
        slot(ffi::Py_nb_bool, truth as *mut c_void),
        slot(ffi::Py_nb_float, one!(to_float) as *mut c_void),
        slot(ffi::Py_nb_int, one!(to_int) as *mut c_void),
        slot(0, null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"gradtape.Value".as_ptr(),
        basicsize: std::mem::size_of::<Object>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as u32,
        slots: slots.as_mut_ptr(),
    };
    let py = module.py();
    // SAFETY: the slots have the signatures that their numbers ask for; what the type keeps a
    // pointer to was leaked.
    let class = unsafe { Any::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))? };
    super::set_value_type(py, class.as_ptr());
    Ok(class.unbind())
}
