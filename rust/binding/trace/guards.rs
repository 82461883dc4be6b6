//! Guards: the questions that a function asks of numbers while it is recorded.

use std::collections::HashMap;

use gradtape::program::{Source, Test};
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::places::here;
use super::{Origin, recording, with};
use crate::slots::{Given, Handle, given};

/// A guard before its operands have numbers.
pub(super) struct Asked {
    pub test: Test,
    pub operands: [Origin; 2],
    pub holds: bool,
    pub place: u32,
}

/// The guards of a recording, and the places that they name.
#[derive(Default)]
pub(super) struct Guards {
    pub asked: Vec<Asked>,
    pub places: Vec<(String, u32)>,
    numbers: HashMap<(String, u32), u32>,
}

impl Guards {
    fn push(&mut self, test: Test, operands: [Origin; 2], holds: bool, place: (String, u32)) {
        let next = self.places.len() as u32;
        let place = *self.numbers.entry(place).or_insert_with_key(|place| {
            self.places.push(place.clone());
            next
        });
        self.asked.push(Asked { test, operands, holds, place });
    }
}

/// What a value is compared with.
enum Other<'py> {
    Value(Handle<'py>),
    Number(f64),
}

fn ask(py: Python<'_>, test: Test, x: &Handle<'_>, y: &Other<'_>, swapped: bool, holds: bool) {
    let origins = with(|tracer| {
        let y = match y {
            Other::Value(y) => tracer.origin(y),
            Other::Number(y) => Origin::of(Source::Constant(*y)),
        };
        [tracer.origin(x), y]
    });
    let Some([a, b]) = origins else { return };
    if a.constant() && b.constant() {
        return; // the answer is the same however the function is called
    }
    let place = here(py);
    let operands = if swapped { [b, a] } else { [a, b] };
    with(|tracer| tracer.guards.push(test, operands, holds, place));
}

/// Python compared `x` with `y`, a value or a number.
pub fn compared(x: &Handle<'_>, y: &Bound<'_, PyAny>, op: CompareOp, answer: bool) {
    if !recording() {
        return;
    }
    let Some(other) = other(y) else {
        // An int between two floats, or beyond them all: no float can stand for it.
        return read(x);
    };
    let (test, swapped, negated) = match op {
        CompareOp::Lt => (Test::Less, false, false),
        CompareOp::Le => (Test::LessEqual, false, false),
        CompareOp::Eq => (Test::Equal, false, false),
        CompareOp::Ne => (Test::Equal, false, true),
        CompareOp::Gt => (Test::Less, true, false),
        CompareOp::Ge => (Test::LessEqual, true, false),
    };
    ask(y.py(), test, x, &other, swapped, answer != negated);
}

fn other<'py>(y: &Bound<'py, PyAny>) -> Option<Other<'py>> {
    if let Some(value) = Handle::of(y) {
        return Some(Other::Value(value));
    }
    if y.is_instance_of::<PyInt>() {
        let number = y.extract::<f64>().ok()?;
        return y.eq(number).ok()?.then_some(Other::Number(number));
    }
    match given(y) {
        Ok(Some(Given::Number(number))) => Some(Other::Number(number)),
        _ => None,
    }
}

/// Python asked whether `x` is true; `answer` is what it was told.
pub fn tested(x: &Handle<'_>, answer: bool) {
    if recording() {
        ask(x.any().py(), Test::Equal, x, &Other::Number(0.0), false, !answer);
    }
}

/// The number of `x` was taken out.
pub fn read(x: &Handle<'_>) {
    if recording() {
        ask(x.any().py(), Test::Same, x, &Other::Number(x.data()), false, true);
    }
}
