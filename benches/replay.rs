//! The core's replays: a network, option prices and a Monte Carlo path, on one thread.

use std::time::Instant;

use gradtape::Op;
use gradtape::program::{
    Action, Batch, Caller, Graph, Level, Memories, Plan, Recording, Replay, Results, Rows, Source,
};
use ndarray::Array2;

/// A recording that is written like arithmetic.
#[derive(Default)]
struct Writer {
    recording: Recording,
    parameters: u32,
}

impl Writer {
    fn input(&mut self) -> Source {
        self.recording.inputs += 1;
        Source::Input(self.recording.inputs - 1)
    }

    fn parameter(&mut self) -> Source {
        self.parameters += 1;
        Source::Parameter(self.parameters - 1)
    }

    fn op(&mut self, op: Op, x: &[Source]) -> Source {
        self.recording.push(Action::Apply(op, None), x.iter().copied())
    }

    fn add(&mut self, x: Source, y: Source) -> Source {
        self.op(Op::Add, &[x, y])
    }

    fn sub(&mut self, x: Source, y: Source) -> Source {
        self.op(Op::Sub, &[x, y])
    }

    fn mul(&mut self, x: Source, y: Source) -> Source {
        self.op(Op::Mul, &[x, y])
    }
}

/// A network 4-10-5-3 in plain operators, with cross-entropy against three targets.
fn network() -> Writer {
    let mut w = Writer::default();
    let mut x: Vec<Source> = (0..4).map(|_| w.input()).collect();
    let targets: Vec<Source> = (0..3).map(|_| w.input()).collect();
    for (width, activation) in [(10, Some(Op::Relu)), (5, Some(Op::Relu)), (3, None)] {
        let neurons = (0..width).map(|_| {
            let mut sum = Source::Constant(0.0);
            for &x in &x {
                let weight = w.parameter();
                let product = w.mul(weight, x);
                sum = w.add(sum, product);
            }
            let bias = w.parameter();
            sum = w.add(sum, bias);
            activation.map_or(sum, |op| w.op(op, &[sum]))
        });
        x = neurons.collect();
    }
    let entropy = w.op(Op::Logsumexp, &x.clone());
    let dot: Vec<Source> = targets.iter().chain(&x).copied().collect();
    let score = w.op(Op::Dot, &dot);
    let loss = w.sub(entropy, score);
    w.recording.outputs = vec![loss];
    w
}

/// Black and Scholes' price of a call.
fn price() -> Writer {
    let mut w = Writer::default();
    let [s, k, r, sigma, t] = std::array::from_fn(|_| w.input());
    let c = Source::Constant;
    let ratio = w.op(Op::Div, &[s, k]);
    let log = w.op(Op::Log, &[ratio]);
    let variance = w.op(Op::Pow, &[sigma, c(2.0)]);
    let half = w.op(Op::Div, &[variance, c(2.0)]);
    let drift = w.add(r, half);
    let drift = w.mul(drift, t);
    let above = w.add(log, drift);
    let root = w.op(Op::Sqrt, &[t]);
    let spread = w.mul(sigma, root);
    let d1 = w.op(Op::Div, &[above, spread]);
    let spread = w.mul(sigma, root);
    let d2 = w.sub(d1, spread);
    let n1 = w.op(Op::NormCdf, &[d1]);
    let n2 = w.op(Op::NormCdf, &[d2]);
    let first = w.mul(s, n1);
    let minus = w.op(Op::Neg, &[r]);
    let rate = w.mul(minus, t);
    let discount = w.op(Op::Exp, &[rate]);
    let strike = w.mul(k, discount);
    let second = w.mul(strike, n2);
    let price = w.sub(first, second);
    w.recording.outputs = vec![price];
    w
}

/// A call under Heston's model by Euler steps, full truncation: S0, v0, kappa, theta, xi, rho, then
/// two normal numbers a step.
fn heston(steps: usize) -> Writer {
    let mut w = Writer::default();
    let [s0, v0, kappa, theta, xi, rho] = std::array::from_fn(|_| w.input());
    let c = Source::Constant;
    let dt = 1.0 / steps as f64;
    let (mut log, mut v) = (w.op(Op::Log, &[s0]), v0);
    let square = w.mul(rho, rho);
    let rest = w.sub(c(1.0), square);
    let rest = w.op(Op::Sqrt, &[rest]);
    for _ in 0..steps {
        let (z1, z2) = (w.input(), w.input());
        let plus = w.op(Op::Maximum, &[v, c(0.0)]);
        let root = w.op(Op::Sqrt, &[plus]);
        let root = w.mul(root, c(dt.sqrt()));
        let first = w.mul(rho, z1);
        let second = w.mul(rest, z2);
        let z = w.add(first, second);
        let half = w.mul(c(0.5), plus);
        let drift = w.sub(c(0.02), half);
        let drift = w.mul(drift, c(dt));
        log = w.add(log, drift);
        let step = w.mul(root, z1);
        log = w.add(log, step);
        let gap = w.sub(theta, plus);
        let pull = w.mul(kappa, gap);
        let pull = w.mul(pull, c(dt));
        v = w.add(v, pull);
        let kick = w.mul(xi, root);
        let kick = w.mul(kick, z);
        v = w.add(v, kick);
    }
    let s = w.op(Op::Exp, &[log]);
    let over = w.sub(s, c(100.0));
    let payoff = w.op(Op::Maximum, &[over, c(0.0)]);
    w.recording.outputs = vec![payoff];
    w
}

/// Times a work; `WORK` names the works wanted, by their beginning, and `LEVEL` the SIMD level.
fn time(name: &str, w: &Writer, rows: usize, leaves: &[Array2<f64>], own: bool, rounds: usize) {
    if std::env::var("WORK").is_ok_and(|work| !name.starts_with(&work)) {
        return;
    }
    let level = std::env::var("LEVEL").ok().and_then(|n| n.parse().ok()).unwrap_or(9);
    let levels = Level::available();
    let level = levels[level.min(levels.len() - 1)];
    let start = Instant::now();
    let mut graph = Graph::default();
    let trace = graph.take(&w.recording);
    let shared: Vec<bool> = leaves
        .iter()
        .flat_map(|leaf| std::iter::repeat_n(leaf.nrows() == 1, leaf.ncols()))
        .collect();
    let wants: Vec<bool> =
        leaves.iter().map(|leaf| own && (leaf.nrows() == 1 || leaf.ncols() == 1)).collect();
    let wanted = leaves.iter().zip(&wants).flat_map(|(l, &w)| std::iter::repeat_n(w, l.ncols()));
    let batch = Batch { wanted: wanted.collect(), shared, parameters: !own, ..Batch::default() };
    let plan = Plan::<f64>::new(&graph, &trace, &batch, level);
    let compile = start.elapsed().as_secs_f64() * 1e3;
    let parameters: Vec<f64> = (0..w.parameters).map(|i| f64::from(i % 7) * 0.1 - 0.3).collect();
    let views: Vec<_> = leaves.iter().map(|leaf| leaf.view()).collect();
    let mut values = Array2::zeros((rows, 1));
    let mut gradients: Vec<Array2<f64>> =
        leaves.iter().map(|leaf| Array2::zeros(leaf.dim())).collect();
    let memories = Memories::default();
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let mut results = Results {
            values: own.then(|| values.view_mut()),
            gradients: gradients
                .iter_mut()
                .zip(&wants)
                .map(|(g, &w)| w.then(|| g.view_mut()))
                .collect(),
            parameters: &mut vec![0.0; parameters.len()],
            totals: &mut [0.0],
            routes: None,
        };
        let start = Instant::now();
        let rows = Rows { rows, leaves: &views, parameters: &parameters, seeds: &[1.0] };
        plan.replay(&rows, &mut results, &memories, &Caller { pool: None, stop: &|| false });
        best = best.min(start.elapsed().as_secs_f64());
    }
    let (instructions, bytes) = plan.size();
    let care = if plan.poisoned.into_inner() { ", with care" } else { "" };
    println!(
        "{name:24} {rows:8} rows  {:10.2} µs  {:8.2} ns a row  compile {compile:.2} ms  {instructions} instructions, {} KB a block{care}",
        best * 1e6,
        best * 1e9 / rows as f64,
        bytes / 1024
    );
}

fn main() {
    let numbers = |rows: usize, columns: usize, low: f64, high: f64| {
        let mut seed = 42u64;
        Array2::from_shape_fn((rows, columns), |_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            low + (high - low) * (seed >> 11) as f64 / (1u64 << 53) as f64
        })
    };
    for (rows, rounds) in [(112, 2000), (100_000, 12)] {
        let leaves = [numbers(rows, 4, -1.0, 1.0), numbers(rows, 3, 0.0, 1.0)];
        time("network 4-10-5-3", &network(), rows, &leaves, false, rounds);
    }
    for (rows, rounds) in [(1_000, 500), (1_000_000, 5)] {
        let leaves = [(80.0, 120.0), (80.0, 120.0), (0.0, 0.1), (0.1, 0.5), (0.1, 2.0)]
            .map(|(low, high)| numbers(rows, 1, low, high));
        time("Black-Scholes", &price(), rows, &leaves, true, rounds);
    }
    let rows = 10_000;
    let one = |x: f64| Array2::from_elem((1, 1), x);
    let mut leaves: Vec<Array2<f64>> = [100.0, 0.04, 1.5, 0.04, 0.3, -0.7].map(one).into();
    leaves.push(numbers(rows, 504, -1.7, 1.7));
    time("Heston, 252 steps", &heston(252), rows, &leaves, true, 5);
}
