//! `Value`'s object: its memory, its number slots and the functions of the table, written against
//! the C interface because every nanosecond counts here. All `unsafe` of the binding but the
//! state's own door is in this file.
//!
//! What each block relies on: the interpreter calls slots attached, with live objects, the first
//! or second of which is a `Value`; an object whose type is `Value` or a subclass begins with
//! [`Object`]; nothing calls Python between entering the state and leaving it.

mod class;
mod handle;
mod life;

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use gradtape::kernel::Index;
use gradtape::tape::leaf;
use gradtape::{Operand, Rule, Tape};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;

use crate::state::{Entered, State, enter, enter_idle};
use crate::trace;

pub use class::{add_functions, make};
pub use handle::{Given, Handle, Operands, apply, data_in, given};
pub use life::bury;

/// A `Value`: 64 bytes.
#[repr(C)]
pub struct Object {
    head: PyObject,
    pub data: f64,
    /// Its place on the tape.
    pub at: Index,
    /// Its slot; 0 for none, in a spare object.
    pub slot: u32,
    label: *mut PyObject,
    dict: *mut PyObject,
    weak: *mut PyObject,
}

static TYPE: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

/// The type `Value`.
#[inline(always)]
pub fn value_type() -> *mut PyTypeObject {
    TYPE.load(Ordering::Relaxed)
}

/// A Python float. The stable interface does not promise this layout, though it never changed:
/// [`float_type`] is null where a look at a known number does not find it.
#[repr(C)]
struct Float {
    head: PyObject,
    number: f64,
}

static FLOAT: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

/// The type of objects that are laid out as [`Float`].
#[inline(always)]
fn float_type() -> *mut PyTypeObject {
    FLOAT.load(Ordering::Relaxed)
}

/// Looks whether floats are laid out as [`Float`].
fn learn_floats(py: Python<'_>) {
    let known = [1.0, -0.0, std::f64::consts::PI, 5e-324, f64::NEG_INFINITY];
    let found = known.iter().all(|&x| {
        let object = pyo3::types::PyFloat::new(py, x);
        // SAFETY: a float's object is at least as large as one pointer-aligned double after its head.
        let number = unsafe { (*object.as_ptr().cast::<Float>()).number };
        number.to_bits() == x.to_bits()
    });
    if found && cfg!(not(Py_GIL_DISABLED)) {
        FLOAT.store(&raw mut ffi::PyFloat_Type, Ordering::Release);
    }
}

/// Whether `o` is a `Value`, of a subclass perhaps; null is not.
pub unsafe fn is_value(o: *mut PyObject) -> bool {
    unsafe { !o.is_null() && ffi::PyObject_TypeCheck(o, value_type()) != 0 }
}

/// Tells the slots which type is `Value`.
fn set_value_type(py: Python<'_>, object: *mut PyObject) {
    learn_floats(py);
    TYPE.store(object.cast(), Ordering::Release);
}

impl Object {
    #[inline(always)]
    fn operand(&self) -> Operand {
        Operand::new(self.at, self.data)
    }
}

/// What an operand is.
pub enum Kind {
    Value(*mut Object),
    Number(f64),
    /// Of no type that arithmetic with values knows.
    Foreign,
    /// A Python exception is set.
    Raised,
}

/// Classifies an operand; calls Python only for types other than `Value`, float and int.
#[inline(always)]
pub unsafe fn classify(o: *mut PyObject) -> Kind {
    unsafe {
        let kind = ffi::Py_TYPE(o);
        if kind == value_type() {
            Kind::Value(o.cast())
        } else if kind == &raw mut ffi::PyFloat_Type {
            Kind::Number(ffi::PyFloat_AsDouble(o))
        } else if kind == &raw mut ffi::PyLong_Type {
            number(ffi::PyLong_AsDouble(o))
        } else {
            classify_rare(o)
        }
    }
}

#[inline(always)]
unsafe fn number(x: f64) -> Kind {
    if x == -1.0 && !unsafe { ffi::PyErr_Occurred() }.is_null() {
        Kind::Raised
    } else {
        Kind::Number(x)
    }
}

#[cold]
#[inline(never)]
unsafe fn classify_rare(o: *mut PyObject) -> Kind {
    unsafe {
        if ffi::PyObject_TypeCheck(o, value_type()) != 0 {
            return Kind::Value(o.cast());
        }
        if ffi::PyFloat_Check(o) != 0 {
            return Kind::Number(ffi::PyFloat_AsDouble(o));
        }
        if ffi::PyLong_Check(o) != 0 {
            return number(ffi::PyLong_AsDouble(o));
        }
        let py = Python::assume_attached();
        match crate::convert::real_scalar(&Bound::from_borrowed_ptr(py, o)) {
            Ok(Some(x)) => Kind::Number(x),
            Ok(None) => Kind::Foreign,
            Err(error) => {
                error.restore(py);
                Kind::Raised
            }
        }
    }
}

/// A new object of exactly the type `Value`, with a slot. Null with an exception where memory or
/// slots run out.
#[inline(always)]
unsafe fn alloc(state: &mut State) -> *mut Object {
    #[cfg(not(Py_GIL_DISABLED))] // there, `dealloc` spares none
    if let Some(object) = state.spare.pop() {
        unsafe {
            (*object).head.ob_refcnt = 1; // a spare object is otherwise as good as new
            return if (*object).slot == 0 { slotted(state, object) } else { object };
        }
    }
    unsafe { alloc_fresh(state) }
}

#[cold]
#[inline(never)]
unsafe fn alloc_fresh(state: &mut State) -> *mut Object {
    unsafe { slotted(state, ffi::PyType_GenericAlloc(value_type(), 0).cast()) }
}

/// Gives a new object (or null) a slot; null with an exception set where that fails.
#[inline(never)]
unsafe fn slotted(state: &mut State, object: *mut Object) -> *mut Object {
    if object.is_null() {
        return object;
    }
    unsafe { (*object).at = gradtape::kernel::SINK };
    match state.tape.open() {
        Ok(slot) => {
            let index = slot as usize;
            if state.objects.len() <= index {
                state.objects.resize(index + 1, null_mut());
            }
            state.objects[index] = object;
            unsafe { (*object).slot = slot };
            object
        }
        Err(error) => unsafe {
            crate::convert::raise(error).restore(Python::assume_attached());
            ffi::Py_DECREF(object.cast());
            null_mut()
        },
    }
}

/// Records with `record`, or computes `value` alone under `no_grad`.
#[inline(always)]
unsafe fn result(
    record: impl FnOnce(&mut Tape, u32) -> (Index, f64),
    value: impl FnOnce() -> f64,
) -> *mut PyObject {
    let (mut state, mut paused) = (enter(), false);
    if state.closed() | !state.tape.has_room() {
        match ready(state) {
            Some(entered) => state = entered,
            None => return null_mut(),
        }
        paused = state.paused();
    }
    unsafe {
        let object = alloc(&mut state);
        if object.is_null() {
            return null_mut();
        }
        let slot = (*object).slot;
        ((*object).at, (*object).data) = if paused {
            without_grad(&mut state, slot, record, value)
        } else {
            record(&mut state.tape, slot)
        };
        state.tape.set_grad(slot, 0.0);
        object.cast()
    }
}

/// A result under `no_grad`: a leaf, for which a recording notes how it was computed.
#[cold]
#[inline(never)]
fn without_grad(
    state: &mut State,
    slot: u32,
    record: impl FnOnce(&mut Tape, u32) -> (Index, f64),
    value: impl FnOnce() -> f64,
) -> (Index, f64) {
    if !trace::recording() {
        return (leaf(slot), value());
    }
    let (at, data) = record(&mut state.tape, slot);
    trace::detach_node(&mut state.tape, slot, at);
    (leaf(slot), data)
}

/// Waits for the tape, and makes room for a node. `None` with an exception set where there is none.
#[cold]
#[inline(never)]
fn ready(state: Entered) -> Option<Entered> {
    drop(state);
    let mut state = enter_idle();
    match make_room(&mut state, 1, 0) {
        Ok(()) => Some(state),
        Err(error) => {
            drop(state);
            // SAFETY: slots run attached.
            error.restore(unsafe { Python::assume_attached() });
            None
        }
    }
}

/// Makes room on the tape and tells the objects where their nodes have moved.
pub fn make_room(state: &mut State, nodes: usize, terms: usize) -> PyResult<()> {
    if state.tape.make_room(nodes, terms).map_err(crate::convert::raise)? {
        for (at, slot) in state.tape.owners().enumerate() {
            if slot != 0 {
                // SAFETY: an owner is the slot of a live object.
                unsafe { (*state.objects[slot as usize]).at = at as Index };
            }
        }
    }
    Ok(())
}

#[inline(always)]
unsafe fn record2<R: Rule<2>>(x: *mut Object, y: *mut Object) -> *mut PyObject {
    unsafe {
        result(
            |tape, slot| tape.record2::<R>((*x).operand(), (*y).operand(), slot),
            || R::value([(*x).data, (*y).data]),
        )
    }
}

#[inline(always)]
unsafe fn record2_by<R: Rule<2>>(x: *mut Object, y: f64) -> *mut PyObject {
    unsafe {
        result(
            |tape, slot| tape.record2_by::<R>((*x).operand(), y, slot),
            || R::value([(*x).data, y]),
        )
    }
}

#[inline(always)]
unsafe fn record2_of<R: Rule<2>>(x: f64, y: *mut Object) -> *mut PyObject {
    unsafe {
        result(
            |tape, slot| tape.record2_of::<R>(x, (*y).operand(), slot),
            || R::value([x, (*y).data]),
        )
    }
}

/// `x op y` as a number slot or a function of the table. The kinds of operand that loops have come
/// first, each with a test of its own: going through [`Kind`] costs 3 ns.
pub unsafe extern "C" fn binary<R: Rule<2>>(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    unsafe {
        let (of_a, of_b, value) = (ffi::Py_TYPE(a), ffi::Py_TYPE(b), value_type());
        if of_a == value {
            if of_b == value {
                return record2::<R>(a.cast(), b.cast());
            }
            if of_b == float_type() {
                return record2_by::<R>(a.cast(), (*b.cast::<Float>()).number);
            }
        } else if of_b == value && of_a == float_type() {
            return record2_of::<R>((*a.cast::<Float>()).number, b.cast());
        }
        binary_rare::<R>(a, b)
    }
}

#[inline(never)]
unsafe fn binary_rare<R: Rule<2>>(a: *mut PyObject, b: *mut PyObject) -> *mut PyObject {
    unsafe {
        match (classify(a), classify(b)) {
            (Kind::Value(x), Kind::Value(y)) => record2::<R>(x, y),
            (Kind::Value(x), Kind::Number(y)) => record2_by::<R>(x, y),
            (Kind::Number(x), Kind::Value(y)) => record2_of::<R>(x, y),
            (Kind::Number(x), Kind::Number(y)) => ffi::PyFloat_FromDouble(R::value([x, y])),
            (Kind::Raised, _) | (_, Kind::Raised) => null_mut(),
            _ => foreign(R::OP.row().symbol, &[a, b]),
        }
    }
}

/// `op x`.
#[inline(always)]
pub unsafe extern "C" fn unary<R: Rule<1>>(a: *mut PyObject) -> *mut PyObject {
    unsafe {
        match classify(a) {
            Kind::Value(x) => result(
                |tape, slot| tape.record1::<R>((*x).operand(), slot),
                || R::value([(*x).data]),
            ),
            Kind::Number(x) => ffi::PyFloat_FromDouble(R::value([x])),
            Kind::Foreign => foreign(R::OP.row().name, &[a]),
            Kind::Raised => null_mut(),
        }
    }
}

/// A row of three operands.
unsafe fn ternary<R: Rule<3>>(o: [*mut PyObject; 3]) -> *mut PyObject {
    unsafe {
        let kinds = o.map(|o| classify(o));
        let mut numbers = [0.0; 3];
        let mut values = [null_mut(); 3];
        for (i, kind) in kinds.iter().enumerate() {
            match *kind {
                Kind::Value(x) => (values[i], numbers[i]) = (x, (*x).data),
                Kind::Number(x) => numbers[i] = x,
                Kind::Foreign => return foreign(R::OP.row().name, &o),
                Kind::Raised => return null_mut(),
            }
        }
        if values.iter().all(|x| x.is_null()) {
            return ffi::PyFloat_FromDouble(R::value(numbers));
        }
        let operand = |i: usize| match values[i] {
            x if x.is_null() => Operand::constant(numbers[i]),
            x => (*x).operand(),
        };
        result(
            |tape, slot| tape.record3::<R>([operand(0), operand(1), operand(2)], slot),
            || R::value(numbers),
        )
    }
}

/// Python's answer to an operand of a foreign type: `TypeError` for the kinds that are never
/// meant, else `NotImplemented`, so that arrays and other classes get their turn.
#[cold]
#[inline(never)]
unsafe fn foreign(symbol: &str, operands: &[*mut PyObject]) -> *mut PyObject {
    unsafe {
        let py = Python::assume_attached();
        for &o in operands {
            if let Some(error) =
                crate::convert::never_meant(symbol, &Bound::from_borrowed_ptr(py, o))
            {
                error.restore(py);
                return null_mut();
            }
        }
        ffi::Py_NewRef(ffi::Py_NotImplemented())
    }
}

/// A row of the table as a function of `A` positional arguments: `o` are they.
pub trait Call {
    /// # Safety
    /// `o` holds as many live objects as the row has operands; the caller is attached.
    unsafe fn call(o: &[*mut PyObject]) -> *mut PyObject;
}

/// The row `R` with its number of operands, so that each arity has its own `Call`.
pub struct Arity<R, const A: usize>(std::marker::PhantomData<R>);

impl<R: Rule<1>> Call for Arity<R, 1> {
    unsafe fn call(o: &[*mut PyObject]) -> *mut PyObject {
        unsafe { unary::<R>(o[0]) }
    }
}

impl<R: Rule<2>> Call for Arity<R, 2> {
    unsafe fn call(o: &[*mut PyObject]) -> *mut PyObject {
        unsafe { binary::<R>(o[0], o[1]) }
    }
}

impl<R: Rule<3>> Call for Arity<R, 3> {
    unsafe fn call(o: &[*mut PyObject]) -> *mut PyObject {
        unsafe { ternary::<R>([o[0], o[1], o[2]]) }
    }
}

/// The body of a method (`self` is the first operand) or, where `self` is null, of a function.
pub unsafe fn dispatch<C: Call, const A: usize>(
    name: &str,
    me: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
) -> *mut PyObject {
    unsafe {
        let args = if count == 0 { &[] } else { std::slice::from_raw_parts(args, count as usize) };
        let mut operands = [me; A];
        let own = usize::from(!me.is_null());
        if args.len() != A - own {
            let text = format!("{name}() takes {} arguments, not {count}", A - own);
            PyTypeError::new_err(text).restore(Python::assume_attached());
            return null_mut();
        }
        operands[own..].copy_from_slice(args);
        let result = C::call(&operands);
        if result != ffi::Py_NotImplemented() {
            return result;
        }
        ffi::Py_DECREF(result);
        crate::convert::elementwise(Python::assume_attached(), name, &operands)
    }
}
