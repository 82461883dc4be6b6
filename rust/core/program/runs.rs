//! Numbers that go from one list to another: stretches that stand side by side in both are moved
//! at once, as a layer's weights do.

use super::real::Real;

#[derive(Clone, Copy, Debug)]
struct Run {
    from: u32,
    to: u32,
    count: u32,
}

/// Where numbers of one list go in another.
#[derive(Clone, Debug, Default)]
pub struct Runs(Vec<Run>);

impl FromIterator<(u32, u32)> for Runs {
    /// Pairs of places: from where, and to where.
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(pairs: I) -> Runs {
        let mut runs: Vec<Run> = Vec::new();
        for (from, to) in pairs {
            match runs.last_mut() {
                Some(run) if from == run.from + run.count && to == run.to + run.count => {
                    run.count += 1;
                }
                _ => runs.push(Run { from, to, count: 1 }),
            }
        }
        Runs(runs)
    }
}

impl Runs {
    fn each<'a, A, B>(
        &'a self,
        from: &'a [A],
        to: &'a mut [B],
        mut move_run: impl FnMut(&[A], &mut [B]),
    ) {
        for run in &self.0 {
            let count = run.count as usize;
            let (from, to) = (&from[run.from as usize..], &mut to[run.to as usize..]);
            move_run(&from[..count], &mut to[..count]);
        }
    }

    /// Puts the numbers into their places.
    pub fn copy<A: Real, B: Real>(&self, from: &[A], to: &mut [B]) {
        self.each(from, to, |from, to| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = B::narrow(from.wide()));
        });
    }

    /// Adds the numbers to what stands in their places.
    pub fn add<A: Real>(&self, from: &[A], to: &mut [f64]) {
        self.each(from, to, |from, to| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from.wide());
        });
    }
}
