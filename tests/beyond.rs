//! Replayed lanes outside the range of a formula: they are computed again, alone.

use gradtape::Op;
use gradtape::program::{
    Action, Batch, Caller, Graph, Level, Memories, Plan, Recording, Replay, Results, Rows, Source,
};
use ndarray::{Array2, Axis, array, concatenate};

/// Values of `op` at every row of `x`, and its derivatives.
fn replay(op: Op, x: &Array2<f64>, level: Level) -> (Array2<f64>, Array2<f64>) {
    let mut recording = Recording { inputs: x.ncols() as u32, ..Recording::default() };
    let inputs: Vec<Source> = (0..recording.inputs).map(Source::Input).collect();
    recording.outputs = vec![recording.push(Action::Apply(op, None), inputs)];
    let mut graph = Graph::default();
    let trace = graph.take(&recording);
    let batch =
        Batch { wanted: vec![true; x.ncols()], shared: vec![false; x.ncols()], ..Batch::default() };
    let plan = Plan::<f64>::new(&graph, &trace, &batch, level);
    let mut values = Array2::zeros((x.nrows(), 1));
    let mut gradient = Array2::zeros(x.dim());
    let mut results = Results {
        values: Some(values.view_mut()),
        gradients: vec![Some(gradient.view_mut())],
        parameters: &mut [],
        totals: &mut [0.0],
        routes: None,
    };
    let rows = Rows { rows: x.nrows(), leaves: &[x.view()], parameters: &[], seeds: &[1.0] };
    plan.replay(&rows, &mut results, &Memories::default(), &Caller { pool: None, stop: &|| false });
    (values, gradient)
}

fn same(got: f64, want: f64) -> bool {
    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan()
}

fn check(op: Op, few: &Array2<f64>) {
    // More than a block of rows, most of them usual; the last ones fill no register.
    let usual = Array2::from_shape_fn((70, few.ncols()), |(i, _)| 0.1 + 0.02 * i as f64);
    let views = [few.view(), usual.view(), few.view()];
    let x = concatenate(Axis(0), &views).expect("columns");
    for level in Level::available() {
        let (values, gradient) = replay(op, &x, level);
        for (i, row) in x.rows().into_iter().enumerate() {
            let row = row.to_vec();
            let value: f64 = op.apply(&row).expect("operands");
            assert!(same(values[[i, 0]], value), "{op:?}{row:?}, {level:?}: {}", values[[i, 0]]);
            let partials = op.partials(&row, value).expect("operands");
            for (k, want) in partials.into_iter().enumerate() {
                let got = gradient[[i, k]];
                // Added to 0, so that -0 is 0.
                assert!(same(got, 0.0 + want), "d{k} {op:?}{row:?}, {level:?}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn far_angles() {
    let x = array![[1e7], [-3e15], [1_048_576.0], [1_048_577.0], [1e300], [2.0], [-0.0]];
    for op in [Op::Sin, Op::Cos, Op::Tan] {
        check(op, &x);
    }
}

#[test]
fn powers_of_negative_bases() {
    check(Op::Pow, &array![[-1.0, 1e16], [-1.5, -1e17], [-0.0, -5e15], [-2.0, 3.0], [2.0, 1e300]]);
}
