//! Replays of a call: one path, or rows routed to many.

use std::sync::Arc;
use std::time::Instant;

use gradtape::program::{
    Asking, Batch, Caller, End, Level, Replay, Results, Rows, UNKNOWN, lay_out,
};
use ndarray::{Array2, ArrayView2};
use pyo3::prelude::*;

use super::call::{Call, Filled};
use super::{Any, Known, Paths, error, lock};
use crate::slots::Handle;
use crate::threads;

impl Paths {
    pub(super) fn known(&self) -> Arc<Known> {
        lock(&self.known).clone()
    }

    /// The plan for a path, or for the router, and such batches.
    fn plan(&self, known: &Known, path: Option<usize>, batch: Batch) -> Arc<dyn Replay> {
        if let Some(plan) = lock(&known.plans).get(&(path, batch.clone())) {
            return plan.clone();
        }
        let start = Instant::now();
        let level = Level::available().last().copied().unwrap_or(Level::Baseline);
        let paths = &known.paths;
        let router;
        let trace = if let Some(path) = path {
            &paths.traces()[path]
        } else {
            router = paths.router();
            &router
        };
        let plan = lay_out(paths.graph(), trace, &batch, level);
        lock(&self.compiling)[1] += start.elapsed().as_secs_f64();
        lock(&known.plans).insert((path, batch), plan.clone());
        plan
    }

    /// Replays `count` rows that are all on one path, without the GIL.
    fn replay(
        &self,
        py: Python<'_>,
        plan: &dyn Replay,
        call: &Call<'_>,
        (count, leaves): (usize, &[ArrayView2<'_, f64>]),
        results: &mut Results<'_>,
    ) -> PyResult<bool> {
        let own;
        let parameters = if call.now.is_empty() || call.now.len() != lock(&self.parameters).len() {
            own = self.data(py)?;
            &own
        } else {
            call.now
        };
        let rows = Rows { rows: count, leaves, parameters, seeds: &call.seeds };
        let work = count * (plan.nodes().1 + leaves.len()) * if call.gradient() { 3 } else { 1 };
        let pool = threads::pool(call.threads, work)?;
        let mut raised = None;
        let start = Instant::now();
        let end = py.detach(|| {
            let poll = threads::Poll::new();
            let caller = Caller { pool: pool.as_deref(), stop: &|| poll.interrupted() };
            let end = plan.replay(&rows, results, &self.memories, &caller);
            raised = poll.raised();
            end
        });
        *lock(&self.last) = (count, start.elapsed().as_secs_f64());
        raised.map_or(Ok(end == End::Done), Err)
    }

    /// The present data of the captured values.
    pub fn data(&self, py: Python<'_>) -> PyResult<Vec<f64>> {
        let values = lock(&self.parameters);
        let data = |value: &Py<PyAny>| {
            let handle = Handle::of(value.bind(py));
            handle.map(|handle| handle.data()).ok_or_else(crate::convert::bug)
        };
        values.iter().map(data).collect()
    }

    /// Asks for a recording at row `row`, after which there must be a path more.
    fn ask(
        &self,
        missing: &Any<'_>,
        call: &Call<'_>,
        row: usize,
        before: &Known,
    ) -> PyResult<Arc<Known>> {
        (call.sync)();
        let row = call.number(row);
        missing.call1((row,))?;
        let known = self.known();
        if known.paths.traces().len() > before.paths.traces().len() {
            return Ok(known);
        }
        Err(error(missing.py(), &format!("row {row} has no path, and none was recorded")))
    }

    /// The path of every row; new paths are recorded until all are known.
    fn routes(&self, missing: &Any<'_>, call: &Call<'_>) -> PyResult<(Vec<u32>, Arc<Known>)> {
        let py = missing.py();
        let mut known = self.known();
        let mut routes = vec![UNKNOWN; call.rows];
        let mut todo: Vec<usize> = (0..call.rows).collect();
        loop {
            let plan = self.plan(&known, None, call.batch(Asking::Answers));
            let gathered = (todo.len() < call.rows).then(|| call.gather(&todo));
            let leaves: Vec<ArrayView2<'_, f64>> = match &gathered {
                Some(own) => own.iter().map(|own| own.view()).collect(),
                None => call.leaves.clone(),
            };
            let mut own = vec![UNKNOWN; todo.len()];
            let mut results = Results {
                values: None,
                gradients: leaves.iter().map(|_| None).collect(),
                parameters: &mut [],
                totals: &mut [],
                routes: Some((&known.paths, &mut own)),
            };
            self.replay(py, &*plan, call, (todo.len(), &leaves), &mut results)?;
            for (&row, &route) in todo.iter().zip(&own) {
                routes[row] = route;
            }
            todo.retain(|&row| routes[row] == UNKNOWN);
            let Some(&row) = todo.first() else { return Ok((routes, known)) };
            known = self.ask(missing, call, row, &known)?;
        }
    }

    /// Replays each path on its rows.
    fn replay_paths(
        &self,
        missing: &Any<'_>,
        call: &Call<'_>,
        filled: &mut Filled<'_>,
    ) -> PyResult<()> {
        let py = missing.py();
        let (routes, known) = self.routes(missing, call)?;
        let outputs = known.outputs.unwrap_or_default();
        filled.fit(lock(&self.parameters).len(), outputs);
        filled.parameters.fill(0.0);
        filled.totals.fill(0.0);
        let (mut parameters, mut totals) = (vec![0.0; filled.parameters.len()], vec![0.0; outputs]);
        filled.clear_shared(call);
        for path in 0..known.paths.traces().len() {
            let rows: Vec<usize> =
                (0..call.rows).filter(|&row| routes[row] == path as u32).collect();
            if rows.is_empty() {
                continue;
            }
            let plan = self.plan(&known, Some(path), call.batch(Asking::Nothing));
            let leaves = call.gather(&rows);
            let views: Vec<ArrayView2<'_, f64>> = leaves.iter().map(|own| own.view()).collect();
            let mut values = filled.values.is_some().then(|| Array2::zeros((rows.len(), outputs)));
            let each = filled.gradients.iter().zip(&leaves);
            let mut gradients: Vec<Option<Array2<f64>>> =
                each.map(|(g, leaf)| g.is_some().then(|| Array2::zeros(leaf.dim()))).collect();
            let mut results = Results {
                values: values.as_mut().map(|to| to.view_mut()),
                gradients: gradients
                    .iter_mut()
                    .map(|g| g.as_mut().map(|to| to.view_mut()))
                    .collect(),
                parameters: &mut parameters,
                totals: &mut totals,
                routes: None,
            };
            self.replay(py, &*plan, call, (rows.len(), &views), &mut results)?;
            add(&mut filled.parameters, &parameters);
            add(&mut filled.totals, &totals);
            filled.scatter(&rows, call, values.as_ref(), &gradients);
            self.count(path, rows.len());
        }
        Ok(())
    }

    fn count(&self, path: usize, rows: usize) {
        let mut counts = lock(&self.rows);
        if counts.len() <= path {
            counts.resize(path + 1, 0);
        }
        counts[path] += rows as u64;
    }

    /// Fills the results of a call.
    pub fn fill(
        &self,
        missing: &Any<'_>,
        call: &Call<'_>,
        filled: &mut Filled<'_>,
    ) -> PyResult<()> {
        let mut known = self.known();
        if known.paths.traces().is_empty() {
            known = self.ask(missing, call, 0, &known)?;
        }
        if known.paths.traces().len() > 1 {
            return self.replay_paths(missing, call, filled);
        }
        let plan = self.plan(&known, Some(0), call.batch(Asking::Guards));
        filled.fit(lock(&self.parameters).len(), known.outputs.unwrap_or_default());
        let mut results = Results {
            values: filled.values.as_mut().map(|to| to.view_mut()),
            gradients: filled
                .gradients
                .iter_mut()
                .map(|g| g.as_mut().map(|to| to.view_mut()))
                .collect(),
            parameters: &mut filled.parameters,
            totals: &mut filled.totals,
            routes: None,
        };
        if self.replay(missing.py(), &*plan, call, (call.rows, &call.leaves), &mut results)? {
            self.count(0, call.rows);
            return Ok(());
        }
        self.replay_paths(missing, call, filled)
    }
}
fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
