//! Dense layers of any size against loops by hand, at every level of SIMD.

use gradtape::Op;
use gradtape::program::{
    Action, Batch, Caller, End, Graph, Level, Memories, Numbers, Recording, Results, Rows, Source,
    lay_out,
};
use ndarray::Array2;
use proptest::prelude::*;

fn number(i: usize) -> f64 {
    ((i * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5
}

/// `y_k = Σ x_j * w_kj + b_k` from 0, twice, the first time with a square after it; summed.
fn recording(sizes: [usize; 3], bias: bool) -> Recording {
    let mut recording = Recording { inputs: sizes[0] as u32, ..Recording::default() };
    let mut parameters = 0..;
    let mut x: Vec<Source> = (0..recording.inputs).map(Source::Input).collect();
    let mut op = |op, x: &[Source]| recording.push(Action::Apply(op, None), x.iter().copied());
    let mut parameter = || Source::Parameter(parameters.next().unwrap_or_default());
    for (layer, &width) in sizes[1..].iter().enumerate() {
        let mut next = Vec::new();
        for _ in 0..width {
            let mut sum = Source::Constant(0.0);
            for &x in &x {
                let product = op(Op::Mul, &[x, parameter()]);
                sum = op(Op::Add, &[sum, product]);
            }
            if bias {
                sum = op(Op::Add, &[sum, parameter()]);
            }
            next.push(if layer == 0 { op(Op::Mul, &[sum, sum]) } else { sum });
        }
        x = next;
    }
    let result = op(Op::Sum, &x);
    recording.outputs = vec![result];
    recording
}

/// The value of one row; adds its gradients for the inputs and for the weights and biases.
fn by_hand(
    [n, h, o]: [usize; 3],
    bias: bool,
    w: &[f64],
    x: &[f64],
    dx: &mut [f64],
    dw: &mut [f64],
) -> f64 {
    let extra = usize::from(bias);
    let sum = |at: usize, x: &[f64]| {
        let sum = x.iter().enumerate().fold(0.0, |sum, (j, x)| sum + x * w[at + j]);
        if bias { sum + w[at + x.len()] } else { sum }
    };
    let z: Vec<f64> = (0..h).map(|k| sum(k * (n + extra), x)).collect();
    let a: Vec<f64> = z.iter().map(|z| z * z).collect();
    let second = h * (n + extra);
    for k in 0..o {
        let at = second + k * (h + extra);
        a.iter().enumerate().for_each(|(j, a)| dw[at + j] += a);
        if bias {
            dw[at + h] += 1.0;
        }
    }
    for (k, z) in z.iter().enumerate() {
        let da: f64 = (0..o).map(|i| w[second + i * (h + extra) + k]).sum();
        let dz = 2.0 * z * da;
        let at = k * (n + extra);
        for j in 0..n {
            dw[at + j] += dz * x[j];
            dx[j] += dz * w[at + j];
        }
        if bias {
            dw[at + n] += dz;
        }
    }
    (0..o).fold(0.0, |total, k| total + sum(second + k * (h + extra), &a))
}

/// What is computed for rows of a network: values, gradient of the rows, of the weights.
type Found = (Vec<f64>, Array2<f64>, Vec<f64>);

/// Weights, rows, and what loops make of them.
fn given(sizes: [usize; 3], bias: bool, rows: usize) -> (Vec<f64>, Array2<f64>, Found) {
    let [n, h, o] = sizes;
    let extra = usize::from(bias);
    let w: Vec<f64> = (0..h * (n + extra) + o * (h + extra)).map(number).collect();
    let x = Array2::from_shape_fn((rows, n), |(i, j)| number(100 + i * n + j));
    let (mut dw, mut dx) = (vec![0.0; w.len()], Array2::zeros((rows, n)));
    let values = (0..rows)
        .map(|i| {
            let mut own = vec![0.0; n];
            let value = by_hand(sizes, bias, &w, &x.row(i).to_vec(), &mut own, &mut dw);
            dx.row_mut(i).iter_mut().zip(own).for_each(|(to, d)| *to = d);
            value
        })
        .collect();
    (w, x, (values, dx, dw))
}

fn replayed(
    sizes: [usize; 3],
    bias: bool,
    (w, x): (&[f64], &Array2<f64>),
    numbers: Numbers,
    level: Level,
) -> Found {
    let (rows, n) = x.dim();
    let mut graph = Graph::default();
    let trace = graph.take(&recording(sizes, bias));
    let batch = Batch {
        wanted: vec![true; n],
        shared: vec![false; n],
        parameters: true,
        numbers,
        ..Batch::default()
    };
    let plan = lay_out(&graph, &trace, &batch, level);
    let (mut values, mut dx) = (Array2::zeros((rows, 1)), Array2::zeros((rows, n)));
    let mut dw = vec![0.0; w.len()];
    let mut results = Results {
        values: Some(values.view_mut()),
        gradients: vec![Some(dx.view_mut())],
        parameters: &mut dw,
        totals: &mut [0.0],
        routes: None,
    };
    let given = Rows { rows, leaves: &[x.view()], parameters: w, seeds: &[1.0] };
    let caller = Caller { pool: None, stop: &|| false };
    assert_eq!(plan.replay(&given, &mut results, &Memories::default(), &caller), End::Done);
    (values.column(0).to_vec(), dx, dw)
}

fn check(got: &Found, want: &Found, tolerance: f64) -> Result<(), TestCaseError> {
    let pairs = got.0.iter().zip(&want.0).chain(got.1.iter().zip(&want.1));
    let scale = want.2.iter().chain(&want.1).fold(1.0, |most: f64, x| most.max(x.abs()));
    for (got, want) in pairs.chain(got.2.iter().zip(&want.2)) {
        prop_assert!((got - want).abs() <= tolerance * scale, "{got:e}, not {want:e}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn layers_are_loops(
        sizes in [1usize..10, 1usize..10, 1usize..6],
        bias in any::<bool>(),
        rows in prop_oneof![2usize..6, 60usize..70, 130usize..140],
    ) {
        let (w, x, want) = given(sizes, bias, rows);
        let mut first = None;
        for level in Level::available() {
            let got = replayed(sizes, bias, (&w, &x), Numbers::Exact, level);
            prop_assert_eq!(&got.0, &want.0);
            check(&got, &want, 1e-11)?;
            let first = first.get_or_insert_with(|| got.clone());
            prop_assert_eq!(&*first, &got, "the levels differ");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    /// Some of the layers are worth a product of matrices, some not.
    #[test]
    fn products_of_matrices_are_loops(
        sizes in [6usize..60, 6usize..60, 1usize..40],
        bias in any::<bool>(),
        rows in prop_oneof![2usize..6, 60usize..70, 130usize..140],
        (numbers, tolerance) in prop_oneof![
            Just((Numbers::Double, 1e-12)),
            Just((Numbers::Single, 1e-4)),
        ],
    ) {
        let (w, x, want) = given(sizes, bias, rows);
        for level in Level::available() {
            let got = replayed(sizes, bias, (&w, &x), numbers, level);
            check(&got, &want, tolerance)?;
        }
    }

    /// In 32 bits values are rounded to 32 bits, so they are hardly ever those of 64.
    #[test]
    fn single_numbers_are_rounded(sizes in [8usize..40, 8usize..40, 2usize..20]) {
        let (w, x, want) = given(sizes, true, 70);
        let level = Level::available()[0];
        let (values, ..) = replayed(sizes, true, (&w, &x), Numbers::Single, level);
        prop_assert!(values.iter().all(|&x| f64::from(x as f32) == x));
        prop_assert_ne!(values, want.0);
    }
}
