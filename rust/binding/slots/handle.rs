//! A safe view of a `Value` object for everything that is not hot.

use std::ptr::null_mut;

use gradtape::Operand;
use gradtape::kernel::Index;
use gradtape::tape::leaf;
use pyo3::PyTypeInfo;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::{Arity, Call, Kind, Object, alloc, classify, value_type};
use crate::state::enter_idle;

/// A live `Value`.
#[derive(Clone)]
pub struct Handle<'py>(Bound<'py, PyAny>);

impl<'py> Handle<'py> {
    /// The object as a value, if it is one.
    pub fn of(object: &Bound<'py, PyAny>) -> Option<Handle<'py>> {
        // SAFETY: both are live; the type is set before any value can exist.
        let is = unsafe { ffi::PyObject_TypeCheck(object.as_ptr(), value_type()) } != 0;
        is.then(|| Handle(object.clone()))
    }

    /// A new leaf.
    pub fn leaf(py: Python<'py>, data: f64) -> PyResult<Handle<'py>> {
        Handle::make(py, |slot| (leaf(slot), data))
    }

    /// A new value whose place and data `fill` gives for its slot.
    pub fn make(py: Python<'py>, fill: impl FnOnce(u32) -> (Index, f64)) -> PyResult<Handle<'py>> {
        // SAFETY: attached; the object is new and nobody else's.
        unsafe {
            let mut state = enter_idle();
            let object = alloc(&mut state);
            if object.is_null() {
                drop(state);
                return Err(PyErr::fetch(py));
            }
            state.tape.set_grad((*object).slot, 0.0);
            drop(state);
            ((*object).at, (*object).data) = fill((*object).slot);
            Ok(Handle(Bound::from_owned_ptr(py, object.cast())))
        }
    }

    /// The value that holds slot `slot`.
    pub fn in_slot(py: Python<'py>, slot: u32) -> Option<Handle<'py>> {
        let object = *enter_idle().objects.get(slot as usize)?;
        // SAFETY: the table of slots holds live objects or null; spare ones have no references.
        unsafe {
            if object.is_null() || ffi::Py_REFCNT(object.cast()) == 0 {
                return None;
            }
            Some(Handle(Bound::from_borrowed_ptr(py, object.cast())))
        }
    }

    fn object(&self) -> *mut Object {
        self.0.as_ptr().cast()
    }

    pub fn data(&self) -> f64 {
        // SAFETY: a `Value` object begins with `Object`, and `self` keeps it alive; so below.
        unsafe { (*self.object()).data }
    }

    pub fn at(&self) -> Index {
        unsafe { (*self.object()).at }
    }

    pub fn slot(&self) -> u32 {
        unsafe { (*self.object()).slot }
    }

    pub fn set_data(&self, data: f64) {
        let (at, before) = (self.at(), self.data());
        if at < 0 {
            let mut state = enter_idle();
            state.tape.assign(self.slot(), before);
            crate::trace::assigned(self.slot(), data, state.tape.len());
        }
        unsafe { (*self.object()).data = data };
    }

    pub fn label(&self) -> Option<Bound<'py, PyString>> {
        unsafe {
            let label = Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.object()).label)?;
            Some(label.cast_into_unchecked())
        }
    }

    pub fn set_label(&self, label: Option<&Bound<'py, PyString>>) {
        let label = label.map_or(null_mut(), |label| label.clone().into_ptr());
        unsafe { ffi::Py_XDECREF(std::mem::replace(&mut (*self.object()).label, label)) };
    }

    /// The user's attributes, where there are any.
    pub fn attributes(&self) -> Option<Bound<'py, PyAny>> {
        unsafe { Bound::from_borrowed_ptr_or_opt(self.0.py(), (*self.object()).dict) }
    }

    pub fn any(&self) -> &Bound<'py, PyAny> {
        &self.0
    }

    pub fn into_any(self) -> Bound<'py, PyAny> {
        self.0
    }
}

/// An operand that has been looked at.
pub enum Given {
    Value,
    Number(f64),
}

/// What `object` is as an operand; `None` for a foreign type.
pub fn given(object: &Bound<'_, PyAny>) -> PyResult<Option<Given>> {
    // SAFETY: live and attached.
    match unsafe { classify(object.as_ptr()) } {
        Kind::Value(_) => Ok(Some(Given::Value)),
        Kind::Number(x) => Ok(Some(Given::Number(x))),
        Kind::Foreign => Ok(None),
        Kind::Raised => Err(PyErr::fetch(object.py())),
    }
}

/// A run of operands that has been looked at once; a tuple keeps them alive meanwhile.
pub struct Operands<'py> {
    owner: Bound<'py, PyTuple>,
    items: Vec<(*mut Object, f64)>,
}

impl<'py> Operands<'py> {
    /// The operands in a sequence or iterable; `what` names it in errors.
    pub fn of(sequence: &Bound<'py, PyAny>, what: &str) -> PyResult<Operands<'py>> {
        let owner = match sequence.cast::<PyTuple>() {
            Ok(tuple) => tuple.clone(),
            Err(_) => match sequence.try_iter() {
                Ok(_) => PyTuple::type_object(sequence.py()).call1((sequence,))?.cast_into()?,
                Err(_) => return Err(crate::convert::not_a_run(what, sequence)),
            },
        };
        let count = owner.len();
        let mut items = Vec::with_capacity(count);
        for i in 0..count {
            // SAFETY: `i` is in range, and the tuple, which cannot change, keeps the item alive.
            let (item, kind) = unsafe {
                let item = ffi::PyTuple_GetItem(owner.as_ptr(), i as ffi::Py_ssize_t);
                (item, classify(item))
            };
            items.push(match kind {
                Kind::Value(x) => (x, 0.0),
                Kind::Number(x) => (null_mut(), x),
                Kind::Raised => return Err(PyErr::fetch(sequence.py())),
                Kind::Foreign => {
                    // SAFETY: as above.
                    let item = unsafe { Bound::from_borrowed_ptr(sequence.py(), item) };
                    return Err(crate::convert::not_a_number(&format!("{what}[{i}]"), &item));
                }
            });
        }
        Ok(Operands { owner, items })
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The operands as Python has them.
    pub fn objects(&self) -> &Bound<'py, PyTuple> {
        &self.owner
    }

    /// Whether none of them is a value.
    pub fn constant(&self) -> bool {
        self.items.iter().all(|item| item.0.is_null())
    }

    /// The operands as they stand on the tape now.
    pub fn filled(&self) -> Vec<Operand> {
        let operand = |&(object, number): &(*mut Object, f64)| {
            // SAFETY: kept alive by the tuple.
            if object.is_null() {
                Operand::constant(number)
            } else {
                unsafe { (*object).operand() }
            }
        };
        self.items.iter().map(operand).collect()
    }

    /// The operands' numbers, as constants.
    pub fn constants(&self) -> Vec<Operand> {
        // SAFETY: as above.
        let data = |&(object, number): &(*mut Object, f64)| {
            if object.is_null() { number } else { unsafe { (*object).data } }
        };
        self.items.iter().map(|item| Operand::constant(data(item))).collect()
    }
}

impl Handle<'_> {
    /// Puts a leaf on the node at `at`, which it owns already.
    pub fn place(&self, at: Index, data: f64) {
        // SAFETY: as above.
        unsafe { ((*self.object()).at, (*self.object()).data) = (at, data) };
    }

    /// Gives a new leaf the slot of a leaf whose value is gone, and its data.
    pub fn adopt_leaf(&self, slot: u32) {
        let mut state = enter_idle();
        let Some(data) = state.tape.revive(slot) else {
            return;
        };
        let own = self.slot();
        state.objects[own as usize] = null_mut();
        state.tape.release(own);
        state.objects[slot as usize] = self.object();
        drop(state);
        // SAFETY: as above.
        unsafe { (*self.object()).slot = slot };
        self.place(leaf(slot), data);
    }
}

/// The data of the value in slot `slot`; nan where there is none.
pub fn data_in(objects: &[*mut Object], slot: u32) -> f64 {
    match objects.get(slot as usize) {
        // SAFETY: the table of slots holds objects or null.
        Some(&object) if !object.is_null() => unsafe { (*object).data },
        _ => f64::NAN,
    }
}

/// A row of the table, applied to any Python objects.
pub fn apply<'py, R, const A: usize>(x: [&Bound<'py, PyAny>; A]) -> PyResult<Bound<'py, PyAny>>
where
    Arity<R, A>: Call,
{
    let operands = x.map(Bound::as_ptr);
    // SAFETY: live and attached; null comes with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(x[0].py(), Arity::<R, A>::call(&operands)) }
}
