//! Optimisers: from a gradient to better parameters, all on slices.
//!
//! Each takes the steps that PyTorch's of the same name takes.

use std::fmt;

/// How an optimiser turns a gradient into a step.
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
pub struct Optimiser {
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
    /// The state before the step that is being taken.
    before: [Vec<f64>; 3],
    next: Vec<f64>,
    gradient: Vec<f64>,
}

impl Optimiser {
    /// One that has not stepped yet.
    #[must_use]
    pub fn new(method: Method, rate: f64) -> Optimiser {
        Optimiser {
            method,
            rate,
            weight_decay: 0.0,
            l1: 0.0,
            clip_norm: f64::INFINITY,
            clip_value: f64::INFINITY,
            steps: 0,
            state: Default::default(),
            before: Default::default(),
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

    /// Puts back what [`state`](Optimiser::state) and [`steps`](Optimiser::steps) told.
    pub fn restore(&mut self, steps: i32, state: [Vec<f64>; 3]) {
        (self.steps, self.state) = (steps, state);
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Bad`], and nothing has changed.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) -> Result<(), Bad> {
        if let Some(i) = gradient.iter().position(|g| !g.is_finite()) {
            return Err(Bad::Gradient(i, gradient[i]));
        }
        for (before, state) in self.before.iter_mut().zip(&mut self.state) {
            state.resize(parameters.len(), 0.0);
            before.clone_from(state);
        }
        self.penalise(parameters, gradient);
        self.steps += 1;
        self.next.clear();
        self.next.extend_from_slice(parameters);
        self.advance();
        if let Some(i) = self.next.iter().position(|p| !p.is_finite()) {
            let bad = Bad::Parameter(i, self.next[i]);
            self.steps -= 1;
            std::mem::swap(&mut self.state, &mut self.before);
            return Err(bad);
        }
        parameters.copy_from_slice(&self.next);
        Ok(())
    }

    /// The gradient with penalties, cut.
    fn penalise(&mut self, parameters: &[f64], gradient: &[f64]) {
        self.gradient.clear();
        self.gradient.extend_from_slice(gradient);
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if norm > self.clip_norm {
            // As PyTorch's clip_grad_norm_ has it.
            let factor = self.clip_norm / (norm + 1e-6);
            self.gradient.iter_mut().for_each(|g| *g *= factor);
        }
        if self.clip_value.is_finite() {
            let most = self.clip_value;
            self.gradient.iter_mut().for_each(|g| *g = g.clamp(-most, most));
        }
        let decoupled = matches!(self.method, Method::Adam { decoupled: true, .. });
        let decay = if decoupled { 0.0 } else { self.weight_decay };
        if decay != 0.0 {
            self.gradient.iter_mut().zip(parameters).for_each(|(g, p)| *g += decay * p);
        }
        if self.l1 != 0.0 {
            let sign = |p: f64| {
                if p > 0.0 {
                    1.0
                } else if p < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            };
            self.gradient.iter_mut().zip(parameters).for_each(|(g, p)| *g += self.l1 * sign(*p));
        }
    }

    /// Moves `next` along.
    fn advance(&mut self) {
        let (rate, steps, decay) = (self.rate, self.steps, self.weight_decay);
        let [first, second, third] = &mut self.state;
        let states = first.iter_mut().zip(second).zip(third);
        let each = self.next.iter_mut().zip(&self.gradient).zip(states);
        let each = each.map(|((p, &g), ((a, b), c))| (p, g, a, b, c));
        match self.method {
            Method::Sgd { momentum, nesterov } => {
                for (p, g, v, ..) in each {
                    *v = momentum * *v + g;
                    *p -= rate * if nesterov { g + momentum * *v } else { *v };
                }
            }
            Method::RmsProp { smoothing, epsilon, momentum, centred } => {
                for (p, g, square, mean, v) in each {
                    *square = smoothing * *square + (1.0 - smoothing) * g * g;
                    let mut spread = *square;
                    if centred {
                        *mean += (g - *mean) * (1.0 - smoothing);
                        spread -= *mean * *mean;
                    }
                    let scaled = g / (spread.sqrt() + epsilon);
                    *v = momentum * *v + scaled;
                    *p -= rate * if momentum > 0.0 { *v } else { scaled };
                }
            }
            Method::Adagrad { decay, epsilon } => {
                let rate = rate / (1.0 + f64::from(steps - 1) * decay);
                for (p, g, sum, ..) in each {
                    *sum += g * g;
                    *p -= rate * g / (sum.sqrt() + epsilon);
                }
            }
            Method::Adam { betas: [keep, keep_square], epsilon, decoupled } => {
                let rate_now = rate / (1.0 - keep.powi(steps));
                let root = (1.0 - keep_square.powi(steps)).sqrt();
                let shrink = if decoupled { 1.0 - rate * decay } else { 1.0 };
                for (p, g, mean, square, _) in each {
                    *p *= shrink;
                    *mean += (g - *mean) * (1.0 - keep);
                    *square = keep_square * *square + (1.0 - keep_square) * g * g;
                    *p -= rate_now * *mean / (square.sqrt() / root + epsilon);
                }
            }
        }
    }
}
