//! Threads for replays, and the caller's wish to stop.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Replays of fewer nodes than this are done before a second thread would have begun.
const WORTH_A_THREAD: usize = 100_000;

type Pools = HashMap<(u32, usize), Arc<rayon::ThreadPool>>;

/// Pools by process and number of threads: threads do not survive a fork.
static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// How many threads are used when nobody says: `GRADTAPE_THREADS`, or one a processor.
pub fn default_count() -> PyResult<usize> {
    match std::env::var("GRADTAPE_THREADS") {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(PyValueError::new_err(format!(
                "GRADTAPE_THREADS must be a whole number from 1, not {text:?}"
            ))),
        },
        _ => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// A pool of so many threads (0 for the default), where so much work is worth it.
pub fn pool(threads: usize, work: usize) -> PyResult<Option<Arc<rayon::ThreadPool>>> {
    if threads == 1 || work < WORTH_A_THREAD {
        return Ok(None);
    }
    let count = if threads == 0 { default_count()? } else { threads };
    if count == 1 {
        return Ok(None);
    }
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_with(HashMap::new);
    let key = (std::process::id(), count);
    if let Some(pool) = pools.get(&key) {
        return Ok(Some(pool.clone()));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|i| format!("gradtape-{i}"))
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("no threads: {error}")))?;
    let pool = Arc::new(pool);
    // What an earlier process left has no threads any more: waiting for them would never end.
    let old: Vec<_> = pools.keys().copied().filter(|&(process, _)| process != key.0).collect();
    old.into_iter().filter_map(|key| pools.remove(&key)).for_each(std::mem::forget);
    pools.insert(key, pool.clone());
    Ok(Some(pool))
}

/// Asks Python now and then whether a signal has come, like Ctrl-C.
pub struct Poll {
    last: Cell<Instant>,
    raised: RefCell<Option<PyErr>>,
}

impl Poll {
    pub fn new() -> Poll {
        Poll { last: Cell::new(Instant::now()), raised: RefCell::new(None) }
    }

    /// Whether to stop.
    pub fn interrupted(&self) -> bool {
        if self.last.get().elapsed() < Duration::from_millis(50) {
            return false;
        }
        self.last.set(Instant::now());
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is of one lifetime"
        )]
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => false,
            Err(error) => {
                self.raised.replace(Some(error));
                true
            }
        }
    }

    /// What the signal raised.
    pub fn raised(self) -> Option<PyErr> {
        self.raised.into_inner()
    }
}
