//! The core alone: one operation a node, one node a neuron, a chain, and a short sweep at the end
//! of a long tape. Minima of many rounds, in nanoseconds an elementary operation.

use std::hint::black_box;
use std::time::Instant;

use gradtape::kernel::Index;
use gradtape::tape::{Layer, leaf};
use gradtape::{Op, Operand, Rule, Tape, rule};

/// A recorder that keeps every value until it is dropped, as an operator-driven engine does.
struct Recorder {
    tape: Tape,
    operations: usize,
}

impl Recorder {
    fn new() -> Recorder {
        Recorder { tape: Tape::new(), operations: 0 }
    }

    fn leaf(&mut self, value: f64) -> Operand {
        Operand::new(leaf(self.tape.open().expect("slots")), value)
    }

    /// Like the binding, looks whether there is room before each node.
    #[inline(always)]
    fn room(&mut self) {
        self.operations += 1;
        if !self.tape.has_room() {
            let moved = self.tape.make_room(1, 0).expect("room");
            assert!(!moved, "everything is reached");
        }
    }

    #[inline(always)]
    fn one<R: Rule<1>>(&mut self, x: Operand, slot: u32) -> Operand {
        self.room();
        let (at, value) = self.tape.record1::<R>(x, slot);
        Operand::new(at, value)
    }

    #[inline(always)]
    fn two<R: Rule<2>>(&mut self, x: Operand, y: Operand, slot: u32) -> Operand {
        self.room();
        let (at, value) = self.tape.record2::<R>(x, y, slot);
        Operand::new(at, value)
    }
}

const SIZES: [usize; 4] = [4, 10, 5, 3];
const ROWS: usize = 112;

struct Network {
    inputs: Vec<Vec<f64>>,
    parameters: Vec<Vec<Operand>>,
}

fn network(recorder: &mut Recorder) -> Network {
    let mut state = 1u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let inputs = (0..ROWS).map(|_| (0..SIZES[0]).map(|_| draw() * 4.0).collect()).collect();
    let parameters = SIZES
        .windows(2)
        .map(|w| (0..(w[0] + 1) * w[1]).map(|_| recorder.leaf(draw())).collect())
        .collect();
    Network { inputs, parameters }
}

/// Every node is owned by nobody but the last, as when temporaries have died.
const DEAD: u32 = 0;

fn cross_entropy(recorder: &mut Recorder, logits: &[Operand], target: usize) -> Operand {
    let exps: Vec<Operand> = logits.iter().map(|&z| recorder.one::<rule::Exp>(z, DEAD)).collect();
    let sum = exps[1..].iter().fold(exps[0], |sum, &e| recorder.two::<rule::Add>(sum, e, DEAD));
    let log = recorder.one::<rule::Log>(sum, DEAD);
    recorder.two::<rule::Sub>(log, logits[target], DEAD)
}

/// The iris network with one operation a node; the loss's place.
fn op_by_op(recorder: &mut Recorder, network: &Network) -> Index {
    let mut loss: Option<Operand> = None;
    for (row, inputs) in network.inputs.iter().enumerate() {
        let mut x: Vec<Operand> = inputs.iter().map(|&x| Operand::constant(x)).collect();
        for (l, parameters) in network.parameters.iter().enumerate() {
            let outputs = parameters.chunks_exact(x.len() + 1).map(|neuron| {
                let (w, b) = neuron.split_at(x.len());
                let mut sum = recorder.two::<rule::Mul>(x[0], w[0], DEAD);
                for (&x, &w) in x[1..].iter().zip(&w[1..]) {
                    let product = recorder.two::<rule::Mul>(x, w, DEAD);
                    sum = recorder.two::<rule::Add>(sum, product, DEAD);
                }
                sum = recorder.two::<rule::Add>(sum, b[0], DEAD);
                if l < 2 { recorder.one::<rule::Relu>(sum, DEAD) } else { sum }
            });
            x = outputs.collect();
        }
        let one = cross_entropy(recorder, &x, row % 3);
        loss = Some(loss.map_or(one, |sum| recorder.two::<rule::Add>(sum, one, DEAD)));
    }
    loss.expect("rows").at()
}

/// The same with one node a neuron; operations are counted as in the other form.
fn neuron_by_neuron(recorder: &mut Recorder, network: &Network) -> Index {
    let mut loss: Option<Operand> = None;
    let mut outputs: Vec<(Index, f64)> = Vec::new();
    for (row, inputs) in network.inputs.iter().enumerate() {
        let mut x: Vec<Operand> = inputs.iter().map(|&x| Operand::constant(x)).collect();
        for (l, parameters) in network.parameters.iter().enumerate() {
            let neurons = SIZES[l + 1];
            recorder.operations += neurons * (2 * x.len() + usize::from(l < 2));
            recorder.tape.make_room(neurons, 0).expect("room");
            outputs.clear();
            let activation = (l < 2).then_some(Op::Relu);
            let layer = Layer { inputs: &x, parameters, activation };
            recorder.tape.layer(layer, &vec![DEAD; neurons], &mut outputs).expect("layer");
            x = outputs.iter().map(|&(at, value)| Operand::new(at, value)).collect();
        }
        let one = cross_entropy(recorder, &x, row % 3);
        loss = Some(loss.map_or(one, |sum| recorder.two::<rule::Add>(sum, one, DEAD)));
    }
    loss.expect("rows").at()
}

/// x·a + x²·b, as peers' benches have it.
fn chain(recorder: &mut Recorder, _: &Network) -> Index {
    let (a, b) = (recorder.leaf(0.999), recorder.leaf(1e-5));
    let mut x = recorder.leaf(0.7);
    for _ in 0..250 * 26 {
        let left = recorder.two::<rule::Mul>(x, a, DEAD);
        let square = recorder.two::<rule::Mul>(x, x, DEAD);
        let right = recorder.two::<rule::Mul>(square, b, DEAD);
        x = recorder.two::<rule::Add>(left, right, DEAD);
    }
    x.at()
}

/// x·w + k a million times over: memory, not latency, bounds it.
fn long_chain(recorder: &mut Recorder, _: &Network) -> Index {
    let (w, k) = (recorder.leaf(0.9999), recorder.leaf(1e-5));
    let (mut x, slots) =
        (recorder.leaf(1.0), [(); 2].map(|()| recorder.tape.open().expect("slot")));
    for _ in 0..500_000 {
        let product = recorder.two::<rule::Mul>(x, w, slots[0]);
        if x.at() >= 0 {
            recorder.tape.close(x.at());
        }
        x = recorder.two::<rule::Add>(product, k, slots[1]);
        recorder.tape.close(product.at());
    }
    x.at()
}

/// Records something and returns its last place.
type Work = fn(&mut Recorder, &Network) -> Index;

/// Times recording and sweeping, the least of many rounds.
fn measure(name: &str, record: Work) {
    let mut recorder = Recorder::new();
    let network = network(&mut recorder);
    let owner = recorder.tape.open().expect("slot");
    let (mut recording, mut sweeping) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..if name.starts_with("long") { 20 } else { 400 } {
        recorder.operations = 0;
        recorder.tape.freeze(); // a compaction would take the nodes that nobody owns
        let start = Instant::now();
        let root = black_box(record(&mut recorder, &network));
        let middle = Instant::now();
        recorder.tape.backward(root, 1.0);
        let end = Instant::now();
        // The last value goes, and with it the tape.
        if recorder.tape.owner(root) == DEAD {
            recorder.tape.own(root, owner);
        }
        recorder.tape.thaw();
        recorder.tape.close(root);
        let operations = recorder.operations as f64;
        recording = recording.min((middle - start).as_secs_f64() * 1e9 / operations);
        sweeping = sweeping.min((end - middle).as_secs_f64() * 1e9 / operations);
    }
    println!(
        "{name:<28} record {recording:6.2}  sweep {sweeping:6.2}  total {:6.2} ns an operation ({} operations)",
        recording + sweeping,
        recorder.operations
    );
}

fn main() {
    let only = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let works: [(&str, Work); 4] = [
        ("iris, one operation a node", op_by_op),
        ("iris, one node a neuron", neuron_by_neuron),
        ("chain x·a + x²·b", chain),
        ("long chain x·w + k", long_chain),
    ];
    for (name, record) in works {
        if only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            measure(name, record);
        }
    }
}
