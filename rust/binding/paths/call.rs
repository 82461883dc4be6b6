//! The arrays of one call, and what is to be filled.

use gradtape::program::{Asking, Batch, Numbers};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The arrays of one call.
pub struct Call<'a> {
    pub rows: usize,
    pub leaves: Vec<ArrayView2<'a, f64>>,
    pub seeds: Vec<f64>,
    pub wants: Vec<bool>,
    pub parameters: bool,
    pub threads: usize,
    /// What rows are computed in.
    pub precision: Numbers,
    /// What the caller calls each row; counted from 0 where there is nothing here.
    pub numbers: &'a [usize],
    /// Data of the captured values, where these are behind; else nothing.
    pub now: &'a [f64],
    /// Brings the captured values up to date before Python looks at them.
    pub sync: &'a dyn Fn(),
}

impl Call<'_> {
    /// What the caller calls a row.
    pub fn number(&self, row: usize) -> usize {
        self.numbers.get(row).copied().unwrap_or(row)
    }

    /// The kind of batch that it is.
    pub fn batch(&self, asking: Asking) -> Batch {
        let each = |flag: &dyn Fn(usize) -> bool| -> Vec<bool> {
            let leaves = self.leaves.iter().enumerate();
            leaves.flat_map(|(k, leaf)| std::iter::repeat_n(flag(k), leaf.ncols())).collect()
        };
        let shared = each(&|k| self.leaves[k].nrows() == 1);
        let numbers = self.precision;
        if asking == Asking::Answers {
            let wanted = vec![false; shared.len()];
            return Batch { wanted, shared, parameters: false, asking, numbers };
        }
        let wanted = each(&|k| self.wants[k]);
        Batch { wanted, shared, parameters: self.parameters, asking, numbers }
    }
}

/// Results of a replay in whole arrays.
#[derive(Default)]
pub struct Filled<'a> {
    pub values: Option<ArrayViewMut2<'a, f64>>,
    pub gradients: Vec<Option<ArrayViewMut2<'a, f64>>>,
    pub parameters: Vec<f64>,
    pub totals: Vec<f64>,
}
impl Call<'_> {
    pub fn gradient(&self) -> bool {
        self.parameters || self.wants.contains(&true)
    }

    /// The leaves of some rows; what all rows share stays one row.
    pub fn gather(&self, rows: &[usize]) -> Vec<Array2<f64>> {
        let each = |leaf: &ArrayView2<'_, f64>| {
            if leaf.nrows() == 1 && self.rows > 1 { leaf.to_owned() } else { gathered(leaf, rows) }
        };
        self.leaves.iter().map(each).collect()
    }
}

impl Filled<'_> {
    /// Makes room for so many captured values and results.
    pub fn fit(&mut self, parameters: usize, outputs: usize) {
        self.parameters.resize(parameters, 0.0);
        self.totals.resize(outputs, 0.0);
    }

    /// Zeroes gradients that are sums over the rows.
    pub fn clear_shared(&mut self, call: &Call<'_>) {
        for (gradient, leaf) in self.gradients.iter_mut().zip(&call.leaves) {
            if let (Some(gradient), 1) = (gradient, leaf.nrows()) {
                gradient.fill(0.0);
            }
        }
    }

    /// Puts the results of some rows into their places.
    pub fn scatter(
        &mut self,
        rows: &[usize],
        call: &Call<'_>,
        values: Option<&Array2<f64>>,
        gradients: &[Option<Array2<f64>>],
    ) {
        if let (Some(to), Some(from)) = (&mut self.values, values) {
            scatter(to, from, rows);
        }
        for ((to, from), leaf) in self.gradients.iter_mut().zip(gradients).zip(&call.leaves) {
            let (Some(to), Some(from)) = (to, from) else { continue };
            if leaf.nrows() == 1 {
                *to += from;
            } else {
                scatter(to, from, rows);
            }
        }
    }
}

/// Some rows of an array. Rows of few numbers are copied by hand: a view of each would take longer.
pub fn gathered(from: &ArrayView2<'_, f64>, rows: &[usize]) -> Array2<f64> {
    let width = from.ncols();
    let Some(numbers) = from.as_slice() else { return from.select(Axis(0), rows) };
    let mut gathered = Vec::with_capacity(rows.len() * width);
    for &row in rows {
        gathered.extend_from_slice(&numbers[row * width..][..width]);
    }
    let shape = (rows.len(), width);
    Array2::from_shape_vec(shape, gathered).unwrap_or_else(|_| from.select(Axis(0), rows))
}

/// Puts the rows of an array into these rows of another.
fn scatter(to: &mut ArrayViewMut2<'_, f64>, from: &Array2<f64>, rows: &[usize]) {
    let width = to.ncols();
    if let (Some(to), Some(from)) = (to.as_slice_mut(), from.as_slice()) {
        for (&row, numbers) in rows.iter().zip(from.chunks_exact(width.max(1))) {
            to[row * width..][..width].copy_from_slice(numbers);
        }
        return;
    }
    rows.iter().zip(from.rows()).for_each(|(&row, from)| to.row_mut(row).assign(&from));
}

impl Call<'_> {
    /// That the arrays fit each other.
    pub fn check(&self, filled: &Filled<'_>) -> PyResult<()> {
        let rows = |n: usize| n == 1 || n == self.rows;
        let leaves = self.leaves.iter().all(|leaf| rows(leaf.nrows()));
        let pairs = filled.gradients.iter().zip(&self.leaves);
        let mut gradients = pairs.filter_map(|(g, leaf)| g.as_ref().map(|g| g.dim() == leaf.dim()));
        let values = filled.values.as_ref().is_none_or(|values| values.nrows() == self.rows);
        if leaves && values && gradients.all(|fits| fits) {
            return Ok(());
        }
        Err(PyValueError::new_err("the arrays' shapes do not fit each other"))
    }
}
