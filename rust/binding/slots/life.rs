//! Birth and death of `Value` objects. What the blocks rely on is said in the parent module.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use gradtape::tape::leaf;
use pyo3::ffi::{self, PyObject, PyTypeObject};

use super::{Object, alloc, slotted, value_type};
use crate::state::{State, enter, enter_idle};

/// So many spare objects are kept.
const SPARES: usize = 1 << 16;

/// Frees or spares an object without references.
pub unsafe extern "C" fn dealloc(o: *mut PyObject) {
    unsafe {
        let object = o.cast::<Object>();
        let mut state = enter();
        if state.busy {
            state.aside.push(object);
            return;
        }
        // First off the tape: a callback on its death may look for it there.
        leave(&mut state, object);
        if (*object).weak.is_null() & (*object).label.is_null() & (*object).dict.is_null() {
            put_by(&mut state, object);
        } else {
            drop(state);
            clear_references(object);
            put_by(&mut enter_idle(), object);
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn clear_references(object: *mut Object) {
    unsafe {
        if !(*object).weak.is_null() {
            ffi::PyObject_ClearWeakRefs(object.cast());
        }
        ffi::Py_XDECREF(std::mem::replace(&mut (*object).label, null_mut()));
        ffi::Py_XDECREF(std::mem::replace(&mut (*object).dict, null_mut()));
    }
}

/// Takes a dead object off the tape.
#[inline(always)]
unsafe fn leave(state: &mut State, object: *mut Object) {
    unsafe {
        let Object { at, slot, data, .. } = *object;
        if at >= 0 {
            state.tape.close(at);
            (*object).at = leaf(slot);
        } else if slot != 0 && !state.tape.retire(slot, data) {
            state.objects[slot as usize] = null_mut();
            (*object).slot = 0;
        }
    }
}

/// Keeps a dead object for the next value or gives its memory back.
#[inline(always)]
unsafe fn put_by(state: &mut State, object: *mut Object) {
    unsafe {
        let exact = ffi::Py_TYPE(object.cast()) == value_type();
        if cfg!(not(Py_GIL_DISABLED)) && exact && state.spare.len() < SPARES {
            state.spare.push(object);
        } else {
            free(state, object);
        }
    }
}

#[cold]
#[inline(never)]
unsafe fn free(state: &mut State, object: *mut Object) {
    unsafe {
        let slot = (*object).slot;
        if slot != 0 {
            state.objects[slot as usize] = null_mut();
            state.tape.release(slot);
        }
        let kind = ffi::Py_TYPE(object.cast());
        let release: ffi::freefunc =
            std::mem::transmute(ffi::PyType_GetSlot(kind, ffi::Py_tp_free));
        release(object.cast::<c_void>());
        ffi::Py_DECREF(kind.cast());
    }
}

/// Deallocates the objects that died during a long sweep.
pub fn bury(objects: Vec<*mut Object>) {
    for object in objects {
        // SAFETY: put aside by `dealloc`, so without references, and still on the tape.
        unsafe { dealloc(object.cast()) };
    }
}

/// `Value.__new__`: subclasses may take other arguments than `Value` does, so `__init__` reads
/// them; a value starts as the leaf 0.
pub unsafe extern "C" fn new(
    kind: *mut PyTypeObject,
    _: *mut PyObject,
    _: *mut PyObject,
) -> *mut PyObject {
    unsafe {
        let mut state = enter_idle();
        let object = if kind == value_type() {
            alloc(&mut state)
        } else {
            drop(state);
            // May run the garbage collector, and so other values' deallocation.
            let object = ffi::PyType_GenericAlloc(kind, 0).cast();
            state = enter_idle();
            slotted(&mut state, object)
        };
        if !object.is_null() {
            let slot = (*object).slot;
            ((*object).at, (*object).data) = (leaf(slot), 0.0);
            state.tape.set_grad(slot, 0.0);
            crate::trace::born(slot, state.tape.len());
        }
        object.cast()
    }
}

/// Lets the cyclic collector see a subclass's attributes.
pub unsafe extern "C" fn traverse(
    o: *mut PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    unsafe {
        let dict = (*o.cast::<Object>()).dict;
        if dict.is_null() { 0 } else { visit(dict, arg) }
    }
}

/// Drops a subclass's attributes, to break a cycle.
pub unsafe extern "C" fn clear(o: *mut PyObject) -> c_int {
    unsafe {
        ffi::Py_XDECREF(std::mem::replace(&mut (*o.cast::<Object>()).dict, null_mut()));
        0
    }
}
