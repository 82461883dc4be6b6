//! gradtape's Python module `gradtape._core`: thin, with the hot slots in [`slots`].

mod convert;
mod functions;
mod graph;
mod network;
mod paths;
mod recording;
mod slots;
mod snapshot;
mod state;
mod threads;
mod trace;
mod training;
mod value;

use pyo3::prelude::*;

/// Values on a tape, and the table of operations.
#[pymodule]
mod _core {
    use super::{Bound, PyAnyMethods, PyModule, PyModuleMethods, PyResult, slots, state};

    #[pymodule_export]
    use super::functions::{
        activations, affine, assign, data, derivatives, dot, grads, log_softmax, logsumexp,
        operations, set_recording, softmax, sum, tape_size, zero_grad,
    };
    #[pymodule_export]
    use super::graph::_restore;
    #[pymodule_export]
    use super::network::{layer, network};
    #[pymodule_export]
    use super::paths::Paths;
    #[pymodule_export]
    use super::recording::{_record, _recording};
    #[pymodule_export]
    use super::snapshot::{formulas, inspect, snapshot, watch};
    #[pymodule_export]
    use super::training::Optimizer;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        state::create();
        module.add("Value", slots::make(module)?)?;
        slots::add_functions(module)?;
        module.delattr("__all__") // it would leave out the table's functions
    }
}
