//! Optimizers against PyTorch's: the vectors that the Python tests read too.

use gradtape::optimizer::{Bad, Method, Optimizer};
use proptest::prelude::*;
use serde_json::Value as Json;

fn vectors() -> Json {
    let path = format!("{}/tests/vectors/optim.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("JSON")
}

fn list(json: &Json) -> &[Json] {
    json.as_array().expect("a list")
}

fn numbers(json: &Json) -> Vec<f64> {
    list(json).iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn optimizer(case: &Json) -> Optimizer {
    let settings = &case["settings"];
    let number = |name: &str, or: f64| settings[name].as_f64().unwrap_or(or);
    let is = |name: &str| settings[name].as_bool().unwrap_or(false);
    let name = case["method"].as_str().expect("a name");
    let momentum = number("momentum", 0.0);
    let method = match name {
        "sgd" => Method::Sgd { momentum, nesterov: is("nesterov") },
        "rmsprop" => Method::RmsProp {
            smoothing: number("smoothing", 0.99),
            epsilon: number("epsilon", 1e-8),
            momentum,
            centred: is("centred"),
        },
        "adagrad" => {
            Method::Adagrad { decay: number("decay", 0.0), epsilon: number("epsilon", 1e-10) }
        }
        "adam" | "adamw" => Method::Adam {
            betas: [number("beta1", 0.9), number("beta2", 0.999)],
            epsilon: number("epsilon", 1e-8),
            decoupled: name == "adamw",
        },
        _ => panic!("no method is called {name}"),
    };
    let mut made = Optimizer::new(method, 0.0);
    made.weight_decay = number("weight_decay", 0.0);
    made.l1 = number("l1", 0.0);
    made.clip_norm = number("clip_norm", f64::INFINITY);
    made.clip_value = number("clip_value", f64::INFINITY);
    made
}

/// What is wrong after the steps of a case; memory goes through `restore` before each step.
fn failures(case: &Json, start: &[f64], gradients: &[Vec<f64>]) -> Vec<String> {
    let (mut parameters, rates) = (start.to_vec(), numbers(&case["rates"]));
    let (mut steps, mut state) = (0, <[Vec<f64>; 3]>::default());
    let mut failures = Vec::new();
    for (count, (gradient, rate)) in (1..).zip(gradients.iter().zip(rates)) {
        let mut one = optimizer(case);
        one.rate = rate;
        one.restore(steps, state);
        one.step(&mut parameters, gradient).expect("finite");
        (steps, state) = (one.steps(), one.state().clone());
        let Some(want) = case["after"].get(count.to_string()) else { continue };
        for (i, (got, want)) in parameters.iter().zip(numbers(want)).enumerate() {
            if (got - want).abs() > 1e-12 * want.abs().max(1.0) {
                let told = format!("{} {}", case["method"], case["settings"]);
                failures.push(format!("{told}: step {count}, parameter {i}: {got}, not {want}"));
            }
        }
    }
    failures
}

#[test]
fn steps_are_pytorchs() {
    let vectors = vectors();
    let start = numbers(&vectors["start"]);
    let gradients: Vec<_> = list(&vectors["gradients"]).iter().map(numbers).collect();
    let cases = list(&vectors["cases"]);
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let wrong: Vec<_> = cases.iter().flat_map(|case| failures(case, &start, &gradients)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_clip_that_was_never_needed_changes_nothing_and_one_at_the_norm_does() {
    // PyTorch adds 1e-6 to the norm: the factor is less than 1 from there on.
    for (most, want) in [(1.0 + 2e-6, 1.0), (1.0, 1.0 / (1.0 + 1e-6)), (0.5, 0.5 / (1.0 + 1e-6))] {
        let mut sgd = Optimizer::new(Method::Sgd { momentum: 0.0, nesterov: false }, 1.0);
        sgd.clip_norm = most;
        let mut at = vec![0.0, 0.0];
        sgd.step(&mut at, &[-0.6, 0.8]).expect("finite");
        assert_eq!(at, [0.6 * want, -0.8 * want]);
    }
}

proptest! {
    /// The centred mean square of a steady gradient rounds below 0 for some: that has no root.
    #[test]
    fn a_steady_gradient_has_no_spread_and_a_finite_step(
        g in prop_oneof![-1e3..1e3_f64, -1e-3..1e-3_f64], smoothing in 0.0..0.99_f64
    ) {
        let method = Method::RmsProp { smoothing, epsilon: 1e-8, momentum: 0.0, centred: true };
        let (mut rms, mut at) = (Optimizer::new(method, 1e-6), vec![0.0]);
        for _ in 0..500 {
            prop_assert_eq!(rms.step(&mut at, &[g]), Ok(()));
        }
    }

    #[test]
    fn what_is_not_finite_changes_nothing(
        start in prop::collection::vec(-10.0..10.0_f64, 1..5),
        bad in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
        guilty in any::<prop::sample::Index>(),
    ) {
        let betas = [0.9, 0.999];
        let adam = Method::Adam { betas, epsilon: 1e-8, decoupled: false };
        let (mut one, mut at) = (Optimizer::new(adam, 0.1), start.clone());
        one.step(&mut at, &start).expect("finite");
        let (before, state) = (at.clone(), one.state().clone());
        let i = guilty.index(start.len());
        let mut gradient = start.clone();
        gradient[i] = bad;
        let told = one.step(&mut at, &gradient);
        prop_assert!(matches!(told, Err(Bad::Gradient(k, x)) if k == i && !x.is_finite()));
        one.rate = f64::INFINITY;
        prop_assert!(matches!(one.step(&mut at, &vec![1.0; start.len()]),
            Err(Bad::Parameter(0, _))));
        prop_assert_eq!((at, one.steps(), one.state()), (before, 1, &state));
    }
}
