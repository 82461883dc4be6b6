//! Gradients of random programs: the reverse sweep against tangents, against differences, and
//! against other ways of recording the same program.

mod program;

use std::collections::HashMap;

use gradtape::kernel::Index;
use gradtape::{Dual, Op};
use program::{Program, Recording, Step, Term, program};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// For each leaf the sum of the absolute contributions along all paths from `root`, and 1: what
/// the rounding errors of a gradient are measured by.
fn scales(recording: &Recording, root: usize, count: usize) -> Vec<f64> {
    let mut adjoints = HashMap::from([(recording.places[root], 1.0)]);
    for at in (0..recording.tape.len() as Index).rev() {
        let Some(&adjoint) = adjoints.get(&at) else { continue };
        for (operand, partial) in recording.tape.recorded(at).operands {
            *adjoints.entry(operand).or_default() += adjoint * f64::abs(partial);
        }
    }
    let scale = |at| 1.0 + adjoints.get(at).copied().unwrap_or(0.0);
    recording.places[..count].iter().map(scale).collect()
}

/// The derivative of value `root` in the direction of one leaf, forwards.
fn tangent(program: &Program, root: usize, direction: usize) -> f64 {
    let seed = |(i, &value)| Dual { value, tangent: f64::from(u8::from(i == direction)) };
    let leaves: Vec<Dual> = program.leaves.iter().enumerate().map(seed).collect();
    program.run(&leaves)[root].tangent
}

/// The central difference with step `h`, and by how much it differs from those of one side.
fn difference(program: &Program, root: usize, direction: usize, h: f64) -> [f64; 2] {
    let at = |by: f64| {
        let mut leaves = program.leaves.clone();
        leaves[direction] += by;
        program.run(&leaves)[root]
    };
    let [left, middle, right] = [-h, 0.0, h].map(at);
    [(right - left) / (2.0 * h), (right - 2.0 * middle + left) / (2.0 * h)]
}

/// The program in rows alone, and where each value of the old one is.
fn unfolded(program: &Program) -> (Program, Vec<Term>) {
    let mut new = Program { leaves: program.leaves.clone(), steps: Vec::new() };
    let mut places: Vec<Term> = (0..new.leaves.len()).map(Term::Value).collect();
    for step in &program.steps {
        let x: Vec<Term> = step.terms.iter().map(|&term| moved(term, &places)).collect();
        let outputs = unfold(&mut new, step, &x);
        places.extend(outputs);
    }
    (new, places)
}

fn moved(term: Term, places: &[Term]) -> Term {
    match term {
        Term::Value(i) => places[i],
        Term::Constant(_) => term,
    }
}

/// Adds one row; constants fold.
fn emit(program: &mut Program, op: Op, x: &[Term]) -> Term {
    let constant = |term: &Term| match *term {
        Term::Constant(c) => Some(c),
        Term::Value(_) => None,
    };
    if let Some(x) = x.iter().map(constant).collect::<Option<Vec<f64>>>() {
        return Term::Constant(op.apply(&x).expect("as many operands as the row has"));
    }
    program.steps.push(Step { op, activation: None, outputs: 1, terms: x.to_vec() });
    Term::Value(program.leaves.len() + program.steps.len() - 1)
}

fn unfold(program: &mut Program, step: &Step, x: &[Term]) -> Vec<Term> {
    let zero = Term::Constant(0.0);
    match step.op {
        Op::Sum => vec![x.iter().fold(zero, |sum, &x| emit(program, Op::Add, &[sum, x]))],
        Op::Logsumexp => {
            let exps: Vec<Term> = x.iter().map(|&x| emit(program, Op::Exp, &[x])).collect();
            let sum = exps.iter().fold(zero, |sum, &e| emit(program, Op::Add, &[sum, e]));
            vec![emit(program, Op::Log, &[sum])]
        }
        Op::Dot => vec![products(program, &x[..x.len() / 2], &x[x.len() / 2..])],
        Op::Affine => {
            let (inputs, parameters) = x.split_at(step.inputs());
            let neurons = parameters.chunks_exact(inputs.len() + 1).map(|p| {
                let sum = products(program, inputs, &p[..inputs.len()]);
                let sum = emit(program, Op::Add, &[sum, p[inputs.len()]]);
                step.activation.map_or(sum, |op| emit(program, op, &[sum]))
            });
            neurons.collect()
        }
        op => vec![emit(program, op, x)],
    }
}

fn products(program: &mut Program, x: &[Term], w: &[Term]) -> Term {
    x.iter().zip(w).fold(Term::Constant(0.0), |sum, (&x, &w)| {
        let product = emit(program, Op::Mul, &[x, w]);
        emit(program, Op::Add, &[sum, product])
    })
}

#[test]
fn programs_use_every_operation() {
    let mut runner = TestRunner::deterministic();
    let mut seen: HashMap<Op, usize> = HashMap::new();
    for _ in 0..3000 {
        let program = program().new_tree(&mut runner).expect("no filter").current();
        for step in program.steps {
            *seen.entry(step.op).or_default() += 1;
            step.activation.into_iter().for_each(|op| *seen.entry(op).or_default() += 1);
        }
    }
    let missing: Vec<&Op> =
        Op::ALL.iter().filter(|op| seen.get(op).is_none_or(|&n| n < 10)).collect();
    assert!(missing.is_empty(), "hardly ever used: {missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn reverse_sweep_agrees_with_tangents(program in program(), pick: prop::sample::Index) {
        let mut recording = program.record();
        let (root, count) = (pick.index(recording.values.len()), program.leaves.len());
        let scales = scales(&recording, root, count);
        let gradient = recording.gradient(root, count);
        for (i, scale) in scales.into_iter().enumerate() {
            let (got, want) = (gradient[i], tangent(&program, root, i));
            prop_assert!((got - want).abs() <= 1e-10 * scale, "d/d{i}: {got:e}, not {want:e}");
        }
        prop_assert_eq!(&gradient, &recording.gradient(root, count), "swept again");
    }

    #[test]
    fn reverse_sweep_agrees_with_differences(program in program(), pick: prop::sample::Index) {
        let mut recording = program.record();
        let (root, count) = (pick.index(recording.values.len()), program.leaves.len());
        let scales = scales(&recording, root, count);
        let gradient = recording.gradient(root, count);
        for (i, scale) in scales.into_iter().enumerate() {
            let [[coarse, bend], [fine, less]] = [2e-4, 1e-4].map(|h| difference(&program, root, i, h));
            // Steep places within the step show in the former, kinks in the latter.
            prop_assume!((coarse - fine).abs() <= 1e-4 * scale && (bend - 2.0 * less).abs() <= 1e-7 * scale);
            let (got, want) = (gradient[i], fine + (fine - coarse) / 3.0);
            let tolerance = 1e-6 * scale + 2.0 * (coarse - fine).abs();
            prop_assert!((got - want).abs() <= tolerance, "d/d{i}: {got:e}, not {want:e}");
        }
    }

    #[test]
    fn constants_act_as_leaves(program in program(), pick: prop::sample::Index) {
        let other = program.with_constants_as_leaves();
        let (mut recording, mut more) = (program.record(), other.record());
        let (root, count) = (pick.index(recording.values.len()), program.leaves.len());
        let shift = other.leaves.len() - count;
        let there = if root < count { root } else { root + shift };
        prop_assert_eq!(recording.values[root], more.values[there]);
        let scales = scales(&recording, root, count);
        let (got, want) = (recording.gradient(root, count), more.gradient(there, count));
        for (i, scale) in scales.into_iter().enumerate() {
            prop_assert!((got[i] - want[i]).abs() <= 1e-13 * scale, "d/d{i}: {got:?}, {want:?}");
        }
    }

    #[test]
    fn n_ary_nodes_act_as_their_unfolded_form(program in program(), pick: prop::sample::Index) {
        let (rows, places) = unfolded(&program);
        let (mut recording, mut more) = (program.record(), rows.record());
        let (root, count) = (pick.index(recording.values.len()), program.leaves.len());
        let scales = scales(&recording, root, count);
        let got = recording.gradient(root, count);
        let (value, want) = match places[root] {
            Term::Value(there) => (more.values[there], more.gradient(there, count)),
            Term::Constant(value) => (value, vec![0.0; count]),
        };
        prop_assert!((recording.values[root] - value).abs() <= 1e-10 * value.abs().max(1.0));
        for (i, scale) in scales.into_iter().enumerate() {
            prop_assert!((got[i] - want[i]).abs() <= 1e-10 * scale, "d/d{i}: {got:?}, {want:?}");
        }
    }
}
