//! The one tape of the process, and who may touch it.
//!
//! With a GIL, the GIL is the lock: whoever runs attached to the interpreter may enter. A long
//! sweep gives the GIL away while it uses the tape; until it ends `busy` keeps other threads out:
//! they wait detached, and values that die meanwhile are put aside. Free-threaded builds take a
//! mutex instead.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use gradtape::Tape;
use pyo3::prelude::*;

use crate::slots::Object;

impl State {
    /// Whether nothing is recorded in this thread.
    pub fn paused(&self) -> bool {
        self.pausing > 0 && PAUSED.get()
    }

    /// Whether something stands against recording at once.
    #[inline(always)]
    pub fn closed(&self) -> bool {
        self.busy || self.pausing > 0
    }
}

/// The tape with what the binding keeps beside it.
#[derive(Default)]
pub struct State {
    pub tape: Tape,
    /// The object in each slot, or null.
    pub objects: Vec<*mut Object>,
    /// Objects without references, ready for use; each keeps its slot unless a node may name it.
    pub spare: Vec<*mut Object>,
    /// Objects that died while a sweep had the tape.
    pub aside: Vec<*mut Object>,
    /// A sweep has the tape, and other threads may run.
    pub busy: bool,
    /// In how many threads `no_grad` is in force.
    pub pausing: usize,
}

thread_local! {
    /// Whether `no_grad` is in force in this thread.
    static PAUSED: Cell<bool> = const { Cell::new(false) };
}

/// Switches recording on or off in this thread; whether it was on.
pub fn set_recording(flag: bool) -> bool {
    let was = !PAUSED.replace(!flag);
    let mut state = enter_idle();
    match (was, flag) {
        (true, false) => state.pausing += 1,
        (false, true) => state.pausing -= 1,
        _ => {}
    }
    was
}

static STATE: AtomicPtr<State> = AtomicPtr::new(std::ptr::null_mut());
/// Whether somebody is inside; debug builds check that nobody enters twice.
static INSIDE: AtomicBool = AtomicBool::new(false);
#[cfg(Py_GIL_DISABLED)]
static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Makes the state, once a process.
pub fn create() {
    if STATE.load(Ordering::Relaxed).is_null() {
        STATE.store(Box::into_raw(Box::default()), Ordering::Release);
    }
}

/// The right to use the state. At most one exists at a time: nobody calls Python while holding it.
pub struct Entered {
    state: *mut State,
    #[cfg(Py_GIL_DISABLED)]
    _lock: std::sync::MutexGuard<'static, ()>,
}

/// Enters the state, whether or not a sweep has the tape: look at `busy` before using the tape.
#[inline(always)]
pub fn enter() -> Entered {
    let entered = Entered {
        state: STATE.load(Ordering::Relaxed),
        #[cfg(Py_GIL_DISABLED)]
        _lock: LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
    };
    if cfg!(debug_assertions) {
        assert!(!INSIDE.swap(true, Ordering::Relaxed), "the state is entered twice");
    }
    entered
}

impl Drop for Entered {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            INSIDE.store(false, Ordering::Relaxed);
        }
    }
}

/// Enters the state when no sweep has the tape; waits detached until then.
#[inline(always)]
pub fn enter_idle() -> Entered {
    let entered = enter();
    if entered.busy { wait(entered) } else { entered }
}

#[cold]
#[inline(never)]
fn wait(mut entered: Entered) -> Entered {
    while entered.busy {
        drop(entered);
        Python::attach(|py| {
            py.detach(|| std::thread::sleep(std::time::Duration::from_micros(50)));
        });
        entered = enter();
    }
    entered
}

impl Deref for Entered {
    type Target = State;
    #[inline(always)]
    fn deref(&self) -> &State {
        // SAFETY: made by `create`, never freed, and `Entered` is the only way in.
        unsafe { &*self.state }
    }
}

impl DerefMut for Entered {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut State {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.state }
    }
}

/// Sweeps of more nodes than this give the GIL away.
const LONG: i32 = 50_000;

/// The reverse sweep from `root`, giving the GIL away when it is long.
pub fn backward(py: Python<'_>, root: gradtape::kernel::Index, seed: f64) {
    let mut entered = enter_idle();
    if root < LONG || cfg!(Py_GIL_DISABLED) {
        entered.tape.backward(root, seed);
        return;
    }
    entered.busy = true;
    let mut tape = std::mem::take(&mut entered.tape);
    drop(entered);
    py.detach(|| tape.backward(root, seed));
    let mut entered = enter();
    entered.tape = tape;
    entered.busy = false;
    let aside = std::mem::take(&mut entered.aside);
    drop(entered);
    crate::slots::bury(aside);
}
