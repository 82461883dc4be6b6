//! Where in the user's code something happens.

use std::path::MAIN_SEPARATOR;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// The folder of the package, with a separator at its end.
static PACKAGE: PyOnceLock<String> = PyOnceLock::new();
static INNERMOST: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// File and line of the innermost Python frame outside the package; of the outermost frame where
/// there is no such.
pub fn here(py: Python<'_>) -> (String, u32) {
    find(py).unwrap_or_else(|_| ("?".into(), 0))
}

fn find(py: Python<'_>) -> PyResult<(String, u32)> {
    let package = PACKAGE.get_or_try_init(py, || {
        let folder = py.import("gradtape")?.getattr("__path__")?.get_item(0)?;
        Ok::<_, PyErr>(format!("{}{MAIN_SEPARATOR}", folder.extract::<String>()?))
    })?;
    let innermost = INNERMOST
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import("sys")?.getattr("_getframe")?.unbind()))?;
    let mut frame = innermost.bind(py).call0()?;
    loop {
        let code = frame.getattr(intern!(py, "f_code"))?;
        let file: String = code.getattr(intern!(py, "co_filename"))?.extract()?;
        let outer = frame.getattr(intern!(py, "f_back"))?;
        if outer.is_none() || !file.starts_with(package) {
            let line: Option<u32> = frame.getattr(intern!(py, "f_lineno"))?.extract()?;
            return Ok((file, line.unwrap_or(0)));
        }
        frame = outer;
    }
}
