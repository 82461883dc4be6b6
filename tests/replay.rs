//! Replays of random programs against the tape, row by row: values to the last bit, gradients
//! within rounding.

mod program;

use gradtape::Op;
use gradtape::program::{
    Action, Batch, Caller, End, Graph, Level, Memories, Plan, Recording, Replay, Results, Rows,
    Source,
};
use ndarray::{Array2, ArrayView2};
use program::{Program, Term, program};
use proptest::prelude::*;

/// What a leaf of the random program becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Row,
    Shared,
    Parameter,
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![3 => Just(Role::Row), 1 => Just(Role::Shared), 1 => Just(Role::Parameter)]
}

/// The program as a recording whose results are the values `outputs`.
fn recording(program: &Program, roles: &[Role], outputs: &[usize]) -> Recording {
    let mut recording = Recording::default();
    let mut parameters = 0;
    let mut places: Vec<Source> = Vec::new();
    for role in &roles[..program.leaves.len()] {
        places.push(if *role == Role::Parameter {
            parameters += 1;
            Source::Parameter(parameters - 1)
        } else {
            recording.inputs += 1;
            Source::Input(recording.inputs - 1)
        });
    }
    for step in &program.steps {
        let source = |term: &Term| match *term {
            Term::Value(i) => places[i],
            Term::Constant(c) => Source::Constant(c),
        };
        let x: Vec<Source> = step.terms.iter().map(source).collect();
        if step.op == Op::Affine {
            let (inputs, parameters) = x.split_at(step.inputs());
            for neuron in parameters.chunks_exact(inputs.len() + 1) {
                let operands = inputs.iter().chain(neuron).copied();
                places.push(recording.push(Action::Apply(Op::Affine, step.activation), operands));
            }
        } else {
            places.push(recording.push(Action::Apply(step.op, None), x));
        }
    }
    recording.outputs = outputs.iter().map(|&i| places[i]).collect();
    recording
}

/// The leaves of row `i`.
fn leaves(program: &Program, roles: &[Role], i: usize) -> Vec<f64> {
    let moved = |(leaf, role): (&f64, &Role)| match role {
        Role::Row => leaf * (1.0 + 1e-4 * (i % 13) as f64),
        _ => *leaf,
    };
    program.leaves.iter().zip(roles).map(moved).collect()
}

struct Replayed {
    values: Array2<f64>,
    gradients: Vec<Array2<f64>>,
    parameters: Vec<f64>,
    totals: Vec<f64>,
}

/// Replays `rows` rows and differentiates the sum of the results times `seeds`.
fn replay(
    program: &Program,
    roles: &[Role],
    outputs: &[usize],
    rows: usize,
    level: Level,
    pool: Option<&rayon::ThreadPool>,
) -> Replayed {
    let roles = &roles[..program.leaves.len()];
    let mut graph = Graph::default();
    let trace = graph.take(&recording(program, roles, outputs));
    let inputs: Vec<usize> = (0..roles.len()).filter(|&i| roles[i] != Role::Parameter).collect();
    let shared: Vec<bool> = inputs.iter().map(|&i| roles[i] == Role::Shared).collect();
    let wanted = vec![true; shared.len()];
    let batch = Batch { wanted, shared: shared.clone(), parameters: true, ..Batch::default() };
    let plan = Plan::<f64>::new(&graph, &trace, &batch, level);
    let columns: Vec<Array2<f64>> = inputs
        .iter()
        .zip(&shared)
        .map(|(&leaf, &shared)| {
            let rows = if shared { 1 } else { rows };
            Array2::from_shape_fn((rows, 1), |(i, _)| leaves(program, roles, i)[leaf])
        })
        .collect();
    let views: Vec<ArrayView2<f64>> = columns.iter().map(|column| column.view()).collect();
    let parameters: Vec<f64> = (0..roles.len())
        .filter(|&i| roles[i] == Role::Parameter)
        .map(|i| program.leaves[i])
        .collect();
    let mut values = Array2::zeros((rows, outputs.len()));
    let mut gradients: Vec<Array2<f64>> = columns.iter().map(|c| Array2::zeros(c.dim())).collect();
    let seeds: Vec<f64> = (0..outputs.len()).map(|k| 1.0 + 0.5 * k as f64).collect();
    let (mut parameter_gradient, mut totals) =
        (vec![0.0; parameters.len()], vec![0.0; outputs.len()]);
    let mut results = Results {
        values: Some(values.view_mut()),
        gradients: gradients.iter_mut().map(|g| Some(g.view_mut())).collect(),
        parameters: &mut parameter_gradient,
        totals: &mut totals,
        routes: None,
    };
    let rows = Rows { rows, leaves: &views, parameters: &parameters, seeds: &seeds };
    let end =
        plan.replay(&rows, &mut results, &Memories::default(), &Caller { pool, stop: &|| false });
    assert_eq!(end, End::Done);
    Replayed { values, gradients, parameters: parameter_gradient, totals }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn close(got: f64, want: f64, scale: f64) -> bool {
    (got - want).abs() <= 1e-11 * (1.0 + want.abs() + scale)
        || got.is_nan() && want.is_nan()
        || got == want
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn replays_are_the_tape_row_by_row(
        program in program(),
        roles in prop::collection::vec(role(), 5),
        picks in prop::collection::vec(any::<u16>(), 1..3),
        rows in prop_oneof![1usize..10, 60usize..70, 120usize..200],
    ) {
        let roles = &roles[..program.leaves.len()];
        let all = program.leaves.len() + program.steps.iter().map(|s| s.outputs).sum::<usize>();
        let outputs: Vec<usize> = picks.iter().map(|&p| all - 1 - usize::from(p) % all).collect();
        let replays: Vec<Replayed> = Level::available()
            .into_iter()
            .map(|level| replay(&program, roles, &outputs, rows, level, None))
            .collect();
        let first = &replays[0];
        let (mut sums, mut scale) = (vec![0.0; roles.len()], vec![0.0; roles.len()]);
        let mut own = vec![Vec::new(); roles.len()];
        for i in 0..rows {
            let row = Program { leaves: leaves(&program, roles, i), steps: program.steps.clone() };
            let mut recorded = row.record();
            let mut gradient = vec![0.0; roles.len()];
            for (k, &output) in outputs.iter().enumerate() {
                let (got, want) = (first.values[[i, k]], recorded.values[output]);
                prop_assert!(same(got, want), "value {output} of row {i}: {got:e}, not {want:e}");
                for (sum, g) in gradient.iter_mut().zip(recorded.gradient(output, roles.len())) {
                    *sum += g * (1.0 + 0.5 * k as f64);
                }
            }
            for k in 0..roles.len() {
                sums[k] += gradient[k];
                scale[k] += gradient[k].abs();
                own[k].push(gradient[k]);
            }
        }
        let (mut input, mut parameter) = (0, 0);
        for (k, role) in roles.iter().enumerate() {
            match role {
                Role::Row => {
                    for (i, want) in own[k].iter().enumerate() {
                        let got = first.gradients[input][[i, 0]];
                        prop_assert!(close(got, *want, 0.0), "leaf {k} of row {i}: {got:e}, not {want:e}");
                    }
                    input += 1;
                }
                Role::Shared => {
                    let got = first.gradients[input][[0, 0]];
                    prop_assert!(close(got, sums[k], scale[k]), "leaf {k}: {got:e}, not {:e}", sums[k]);
                    input += 1;
                }
                Role::Parameter => {
                    let got = first.parameters[parameter];
                    prop_assert!(close(got, sums[k], scale[k]), "leaf {k}: {got:e}, not {:e}", sums[k]);
                    parameter += 1;
                }
            }
        }
        for (k, total) in first.totals.iter().enumerate() {
            let want: f64 = (0..rows).map(|i| first.values[[i, k]]).sum();
            prop_assert!(close(*total, want, 0.0));
        }
        for other in &replays[1..] {
            let pairs = first.values.iter().zip(&other.values);
            let gradients = first.gradients.iter().zip(&other.gradients).flat_map(|(a, b)| a.iter().zip(b));
            let parameters = first.parameters.iter().zip(&other.parameters);
            for (a, b) in pairs.chain(gradients).chain(parameters) {
                prop_assert!(same(*a, *b), "the levels differ: {a:e} and {b:e}");
            }
        }
    }
}
