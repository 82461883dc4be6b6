//! The table against values and derivatives of 50 digits: the same vectors that the Python tests
//! read. A row without vectors fails.

use gradtape::tape::{Layer, leaf};
use gradtape::{Op, Operand, Tape};
use serde_json::Value as Json;

fn read(file: &str) -> Json {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the vectors are in the repository");
    serde_json::from_str(&text).expect("JSON")
}

fn number(json: &Json) -> f64 {
    match json.as_str() {
        Some(text) => text.parse().expect("inf, -inf or nan"),
        None => json.as_f64().expect("a number"),
    }
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(number).collect()
}

/// `|got - want| <= ulp * 2^-52 * max(1, |want|)`, and nan and the infinities are what they are.
fn close(got: f64, want: f64, ulp: f64) -> bool {
    if !want.is_finite() || !got.is_finite() {
        return got == want || got.is_nan() && want.is_nan();
    }
    (got - want).abs() <= ulp * f64::EPSILON * want.abs().max(1.0)
}

struct Checker {
    failures: Vec<String>,
}

impl Checker {
    fn check(&mut self, what: &str, case: &Json, default: f64, got: f64, want: &Json) {
        let ulp = case.get("ulp").map_or(default, number);
        let want = number(want);
        if !close(got, want, ulp) {
            let error = (got - want).abs() / f64::EPSILON / want.abs().max(1.0);
            self.failures
                .push(format!("{what} at {}: {got:e}, not {want:e} ({error:.1} ulp)", case["at"]));
        }
    }

    fn finish(self) {
        assert!(
            self.failures.is_empty(),
            "{} failures:\n{}",
            self.failures.len(),
            self.failures.join("\n")
        );
    }
}

#[test]
fn every_row_has_vectors() {
    let vectors = read("operations.json");
    for op in Op::ALL {
        let cases = vectors.get(op.row().name).and_then(Json::as_array);
        assert!(cases.is_some_and(|cases| cases.len() >= 10), "no vectors for {}", op.row().name);
    }
}

#[test]
fn rows_agree_with_fifty_digits() {
    let vectors = read("operations.json");
    let mut checker = Checker { failures: Vec::new() };
    for op in Op::ALL.iter().filter(|op| !op.row().operands.is_empty()) {
        let name = op.row().name;
        for case in vectors[name].as_array().expect("cases") {
            let (value, first, second) = op.derivatives(&numbers(&case["at"])).expect("operands");
            checker.check(name, case, 4.0, value, &case["value"]);
            for (i, want) in case["first"].as_array().into_iter().flatten().enumerate() {
                checker.check(&format!("d{i} {name}"), case, 16.0, first[i], want);
            }
            for (i, row) in
                case.get("second").and_then(Json::as_array).into_iter().flatten().enumerate()
            {
                for (k, want) in row.as_array().expect("a row").iter().enumerate() {
                    checker.check(&format!("d{i}{k} {name}"), case, 64.0, second[i][k], want);
                }
            }
        }
    }
    checker.finish();
}

/// A tape with leaves of these numbers.
fn leaves(tape: &mut Tape, x: &[f64]) -> (Vec<u32>, Vec<Operand>) {
    let slots: Vec<u32> = x.iter().map(|_| tape.open().expect("slots")).collect();
    let operands = slots.iter().zip(x).map(|(&slot, &x)| Operand::new(leaf(slot), x)).collect();
    tape.make_room(8, x.len()).expect("room");
    (slots, operands)
}

#[test]
fn n_ary_nodes_agree_with_fifty_digits() {
    let vectors = read("operations.json");
    let mut checker = Checker { failures: Vec::new() };
    for name in ["sum", "dot", "affine", "logsumexp"] {
        for case in vectors[name].as_array().expect("cases") {
            let mut tape = Tape::new();
            let (slots, x) = leaves(&mut tape, &numbers(&case["at"]));
            let n = case.get("n").map_or(0.0, number) as usize;
            let owner = tape.open().expect("slot");
            let (at, value) = match name {
                "sum" => tape.sum(&x, owner),
                "logsumexp" => tape.logsumexp(&x, owner).expect("operands"),
                "dot" => tape.dot(&x[..n], &x[n..], owner).expect("lengths"),
                _ => {
                    let activation = Op::named(case["activation"].as_str().expect("a name"));
                    let layer = Layer { inputs: &x[..n], parameters: &x[n..], activation };
                    let mut outputs = Vec::new();
                    tape.layer(layer, &[owner], &mut outputs).expect("lengths");
                    outputs[0]
                }
            };
            tape.backward(at, 1.0);
            checker.check(name, case, 4.0, value, &case["value"]);
            for (slot, want) in slots.iter().zip(case["first"].as_array().expect("a list")) {
                checker.check(&format!("d {name}"), case, 16.0, tape.grad(*slot), want);
            }
        }
    }
    checker.finish();
}
