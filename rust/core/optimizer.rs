//! Optimizers: from a gradient to better parameters, all on slices.
//!
//! Each takes the steps that PyTorch's of the same name takes.

use std::fmt;

use pulp::{Simd, WithSimd};

/// How an optimizer turns a gradient into a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Stochastic gradient descent: `v = momentum v + g; p -= rate v`, with Nesterov's
    /// `p -= rate (g + momentum v)`.
    Sgd {
        /// How much of the velocity is kept.
        momentum: f64,
        /// Whether the step looks ahead.
        nesterov: bool,
    },
    /// Divides by a running root mean square (Hinton's lecture 6).
    RmsProp {
        /// How much of the mean square is kept.
        smoothing: f64,
        /// Added to the root.
        epsilon: f64,
        /// How much of the velocity is kept.
        momentum: f64,
        /// Whether the running mean is taken off first.
        centred: bool,
    },
    /// Divides by the root of the sum of squares (Duchi, Hazan and Singer 2011).
    Adagrad {
        /// How fast the rate shrinks.
        decay: f64,
        /// Added to the root.
        epsilon: f64,
    },
    /// Running means of gradient and square, freed of their bias (Kingma and Ba 2015).
    Adam {
        /// How much of each is kept.
        betas: [f64; 2],
        /// Added to the root.
        epsilon: f64,
        /// Whether weight decay goes past the means: `AdamW` (Loshchilov and Hutter 2019).
        decoupled: bool,
    },
}

/// What a step may not do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bad {
    /// The gradient of this parameter is not finite.
    Gradient(usize, f64),
    /// This parameter would not be finite.
    Parameter(usize, f64),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Gradient(i, x) => write!(f, "the gradient of parameter {i} is {x}"),
            Bad::Parameter(i, x) => write!(f, "parameter {i} would become {x}"),
        }
    }
}

/// A method with its settings and what it remembers.
#[derive(Clone, Debug)]
pub struct Optimizer {
    /// The method.
    pub method: Method,
    /// How far a step goes.
    pub rate: f64,
    /// How strongly parameters are pulled towards 0: half its square is in the loss.
    pub weight_decay: f64,
    /// The same by their absolute values.
    pub l1: f64,
    /// The gradient's norm is cut to this.
    pub clip_norm: f64,
    /// Each number of the gradient is cut to this.
    pub clip_value: f64,
    steps: i32,
    state: [Vec<f64>; 3],
    /// The state and the parameters after the step that is being taken.
    after: [Vec<f64>; 3],
    next: Vec<f64>,
    gradient: Vec<f64>,
}

impl Optimizer {
    /// One that has not stepped yet.
    #[must_use]
    pub fn new(method: Method, rate: f64) -> Optimizer {
        Optimizer {
            method,
            rate,
            weight_decay: 0.0,
            l1: 0.0,
            clip_norm: f64::INFINITY,
            clip_value: f64::INFINITY,
            steps: 0,
            state: Default::default(),
            after: Default::default(),
            next: Vec::new(),
            gradient: Vec::new(),
        }
    }

    /// Number of steps taken.
    #[must_use]
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// What is remembered between steps.
    #[must_use]
    pub fn state(&self) -> &[Vec<f64>; 3] {
        &self.state
    }

    /// Puts back what [`state`](Optimizer::state) and [`steps`](Optimizer::steps) told.
    pub fn restore(&mut self, steps: i32, state: [Vec<f64>; 3]) {
        (self.steps, self.state) = (steps, state);
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Bad`], and nothing has changed.
    pub fn step(&mut self, parameters: &mut Vec<f64>, gradient: &[f64]) -> Result<(), Bad> {
        let count = self.states();
        for state in self.state.iter_mut().take(count).chain(self.after.iter_mut().take(count)) {
            state.resize(parameters.len(), 0.0);
        }
        self.next.resize(parameters.len(), 0.0);
        let mut own = std::mem::take(&mut self.gradient);
        let penalised = self.penalises();
        if penalised {
            self.penalise(&mut own, parameters, gradient);
        }
        let fine = self.advance(parameters, if penalised { &own } else { gradient });
        self.gradient = own;
        // No parameter gets over a bad gradient, unless that was cut.
        if !fine || penalised {
            let place = |numbers: &[f64]| numbers.iter().position(|x| !x.is_finite());
            if let Some(i) = place(gradient) {
                return Err(Bad::Gradient(i, gradient[i]));
            }
            if let Some(i) = place(&self.next) {
                return Err(Bad::Parameter(i, self.next[i]));
            }
        }
        self.steps += 1;
        std::mem::swap(&mut self.state, &mut self.after);
        std::mem::swap(parameters, &mut self.next);
        Ok(())
    }

    /// How many numbers are remembered for each parameter.
    fn states(&self) -> usize {
        match self.method {
            Method::Sgd { .. } | Method::Adagrad { .. } => 1,
            Method::Adam { .. } => 2,
            Method::RmsProp { .. } => 3,
        }
    }

    /// Whether weight decay goes past the means.
    fn decoupled(&self) -> bool {
        matches!(self.method, Method::Adam { decoupled: true, .. })
    }

    /// Whether the gradient that steps is another than the one given.
    fn penalises(&self) -> bool {
        let decay = if self.decoupled() { 0.0 } else { self.weight_decay };
        decay != 0.0 || self.l1 != 0.0 || self.clip_norm.min(self.clip_value) < f64::INFINITY
    }

    /// The gradient, cut, with penalties.
    fn penalise(&self, own: &mut Vec<f64>, parameters: &[f64], gradient: &[f64]) {
        own.clear();
        own.extend_from_slice(gradient);
        // Nobody pays for a norm that is not asked for: its sum is one long chain of additions.
        if self.clip_norm.is_finite() {
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            // As PyTorch's clip_grad_norm_ has it: a norm just below the threshold is cut, too.
            let factor = self.clip_norm / (norm + 1e-6);
            if factor < 1.0 {
                for g in own.iter_mut() {
                    *g *= factor;
                }
            }
        }
        if self.clip_value.is_finite() {
            let most = self.clip_value;
            for g in own.iter_mut() {
                *g = g.clamp(-most, most);
            }
        }
        if self.weight_decay != 0.0 && !self.decoupled() {
            let decay = self.weight_decay;
            own.iter_mut().zip(parameters).for_each(|(g, p)| *g += decay * p);
        }
        if self.l1 != 0.0 {
            let sign = |p: f64| f64::from(i8::from(p > 0.0) - i8::from(p < 0.0));
            own.iter_mut().zip(parameters).for_each(|(g, p)| *g += self.l1 * sign(*p));
        }
    }

    /// The parameters and the state after a step; whether all parameters are finite.
    fn advance(&mut self, parameters: &[f64], gradient: &[f64]) -> bool {
        let shrink = if self.decoupled() { 1.0 - self.rate * self.weight_decay } else { 1.0 };
        let advance = Advance {
            method: self.method,
            rate: self.rate,
            steps: self.steps + 1,
            shrink,
            parameters,
            gradient,
            before: &self.state,
            after: &mut self.after,
            next: &mut self.next,
        };
        advance.run()
    }
}

/// The loops over parameters, with a copy for processors that have AVX2: it does the same
/// operations, so the numbers are the same. (Wider registers divide and take roots no faster.)
struct Advance<'a> {
    method: Method,
    rate: f64,
    steps: i32,
    shrink: f64,
    parameters: &'a [f64],
    gradient: &'a [f64],
    before: &'a [Vec<f64>; 3],
    after: &'a mut [Vec<f64>; 3],
    next: &'a mut [f64],
}

impl Advance<'_> {
    fn run(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Simd::vectorize(simd, self);
        }
        self.with_simd(pulp::Scalar)
    }
}

impl WithSimd for Advance<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        let Advance { rate, steps, shrink, parameters, .. } = self;
        let count = parameters.len();
        let (next, gradient) = (&mut self.next[..count], &self.gradient[..count]);
        let [first, second, third] = self.before;
        let [first_after, second_after, third_after] = self.after;
        match self.method {
            Method::Sgd { momentum, nesterov } => {
                let (v, after) = (&first[..count], &mut first_after[..count]);
                for i in 0..count {
                    after[i] = momentum * v[i] + gradient[i];
                    let along = if nesterov { gradient[i] + momentum * after[i] } else { after[i] };
                    next[i] = parameters[i] - rate * along;
                }
            }
            Method::RmsProp { smoothing, epsilon, momentum, centred } => {
                for i in 0..count {
                    let g = gradient[i];
                    let square = smoothing * first[i] + (1.0 - smoothing) * g * g;
                    let mean =
                        if centred { second[i] + (g - second[i]) * (1.0 - smoothing) } else { 0.0 };
                    // Rounding: a steady gradient has no spread. An undefined one stays so.
                    let spread = square - mean * mean;
                    let spread = if spread < 0.0 { 0.0 } else { spread };
                    let scaled = g / (spread.sqrt() + epsilon);
                    let v = momentum * third[i] + scaled;
                    (first_after[i], second_after[i], third_after[i]) = (square, mean, v);
                    next[i] = parameters[i] - rate * v;
                }
            }
            Method::Adagrad { decay, epsilon } => {
                let rate = rate / (1.0 + f64::from(steps - 1) * decay);
                let (sum, after) = (&first[..count], &mut first_after[..count]);
                for i in 0..count {
                    after[i] = sum[i] + gradient[i] * gradient[i];
                    next[i] = parameters[i] - rate * gradient[i] / (after[i].sqrt() + epsilon);
                }
            }
            Method::Adam { betas: [keep, keep_square], epsilon, .. } => {
                let rate_now = rate / (1.0 - keep.powi(steps));
                let root = 1.0 / (1.0 - keep_square.powi(steps)).sqrt();
                let (mean, square) = (&first[..count], &second[..count]);
                let mean_after = &mut first_after[..count];
                let square_after = &mut second_after[..count];
                for i in 0..count {
                    let g = gradient[i];
                    mean_after[i] = mean[i] + (g - mean[i]) * (1.0 - keep);
                    square_after[i] = keep_square * square[i] + (1.0 - keep_square) * g * g;
                    next[i] = parameters[i] * shrink
                        - rate_now * mean_after[i] / (square_after[i].sqrt() * root + epsilon);
                }
            }
        }
        next.iter().fold(true, |fine, x| fine & x.is_finite())
    }
}
