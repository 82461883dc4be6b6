//! Memory that is kept between replays.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::program::real::Real;

/// The memory of one thread.
#[derive(Debug)]
pub struct Memory<T> {
    /// Lanes of values and adjoints.
    pub(super) slots: Vec<T>,
    /// Numbers that all rows share.
    pub(super) scalars: Vec<T>,
    /// For each chunk its sums over rows.
    pub(super) sums: Vec<T>,
    pub(super) answers: Vec<u64>,
}

impl<T: Real> Memory<T> {
    /// Room for a section; slots start at a multiple of 64 bytes.
    pub(super) fn fit(&mut self, size: usize) -> usize {
        let line = 64 / size_of::<T>();
        if self.slots.len() < size + line {
            self.slots = vec![T::ZERO; size + line];
        }
        self.slots.as_ptr().align_offset(64).min(line)
    }
}

/// Memory for replays, of any number of threads.
#[derive(Debug, Default)]
pub struct Memories {
    pub(in crate::program) wide: Mutex<Vec<Memory<f64>>>,
    pub(in crate::program) narrow: Mutex<Vec<Memory<f32>>>,
}

impl Memories {
    pub(super) fn take<T: Real>(&self) -> Memory<T> {
        lock(T::memories(self)).pop().unwrap_or_else(|| Memory {
            slots: Vec::new(),
            scalars: Vec::new(),
            sums: Vec::new(),
            answers: Vec::new(),
        })
    }

    pub(super) fn give_back<T: Real>(&self, memory: Memory<T>) {
        lock(T::memories(self)).push(memory);
    }
}

/// A lock that nobody poisons: what it holds is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
