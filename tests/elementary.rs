//! The elementary functions: errors in units of the last place, special values, symmetries.

use std::collections::HashMap;

use gradtape::Op;
use proptest::prelude::*;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The functions with the error that is allowed, in units of the last place: what a million points
/// gave, and a little.
const ERRORS: [(&str, f64); 18] = [
    ("exp", 1.1),
    ("expm1", 1.5),
    ("log", 1.0),
    ("log1p", 1.0),
    ("log2", 1.0),
    ("log10", 1.0),
    ("sigmoid", 2.0),
    ("softplus", 1.5),
    ("tanh", 2.7),
    ("sinh", 1.8),
    ("cosh", 1.3),
    ("sin", 0.9),
    ("cos", 0.9),
    ("tan", 2.0),
    ("erf", 1.4),
    ("erfc", 3.6),
    ("norm_cdf", 3.4),
    ("pow", 1.3),
];

fn call(name: &str, x: &[f64]) -> f64 {
    Op::named(name).and_then(|op| op.apply(x)).expect("a row with that many operands")
}

fn same(got: f64, want: f64) -> bool {
    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan()
}

/// How far `got` is from `want` and a rest in thousandths, in units of the last place.
fn ulps(got: f64, want: f64, thousandths: f64) -> f64 {
    let unit = want.abs().next_up() - want.abs();
    ((got - want) / unit - thousandths / 1000.0).abs()
}

#[test]
fn errors_stay_below_their_bounds() {
    let path = format!("{}/tests/vectors/elementary.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let mut worst: HashMap<&str, (f64, Vec<f64>, usize)> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let words: Vec<&str> = words.collect();
        let (lacks, numbers) = words.split_last().expect("numbers");
        let numbers: Vec<f64> = numbers
            .iter()
            .map(|bits| f64::from_bits(u64::from_str_radix(bits, 16).expect("bits")))
            .collect();
        let (&want, x) = numbers.split_last().expect("operands");
        let error = ulps(call(name, x), want, lacks.parse().expect("thousandths"));
        let entry = worst.entry(name).or_insert((0.0, Vec::new(), 0));
        entry.2 += 1;
        if error.is_nan() || error > entry.0 {
            (entry.0, entry.1) = (error, x.to_vec());
        }
    }
    assert_eq!(worst.len(), ERRORS.len());
    for (name, most) in ERRORS {
        let (error, at, count) = &worst[name];
        println!("{name:9} {error:.2} at {at:?}");
        assert!(*count >= 100, "{name} has only {count} points");
        assert!(*error <= most, "{name} at {at:?}: off by {error:.2} units");
    }
}

/// Values that have to be exact, to the sign of zero.
#[test]
#[rustfmt::skip]
fn special_values() {
    let least = f64::from_bits(1);
    for (name, cases) in [
        ("exp", &[(0.0, 1.0), (-INF, 0.0), (INF, INF), (709.8, INF), (-745.2, 0.0), (-745.1, least)][..]),
        ("expm1", &[(-0.0, -0.0), (-INF, -1.0), (INF, INF), (709.8, INF), (least, least), (-50.0, -1.0)]),
        ("log", &[(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF)]),
        ("log1p", &[(-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (INF, INF), (least, least), (-least, -least)]),
        ("log2", &[(1.0, 0.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (8.0, 3.0), (least, -1074.0)]),
        ("log10", &[(1.0, 0.0), (0.0, -INF), (-1.0, NAN), (INF, INF), (1000.0, 3.0), (1e22, 22.0)]),
        ("sigmoid", &[(0.0, 0.5), (1000.0, 1.0), (-1000.0, 0.0), (INF, 1.0), (-INF, 0.0)]),
        ("softplus", &[(1000.0, 1000.0), (-1000.0, 0.0), (INF, INF), (-INF, 0.0)]),
        ("tanh", &[(0.0, 0.0), (-0.0, -0.0), (1000.0, 1.0), (-INF, -1.0), (least, least)]),
        ("sinh", &[(0.0, 0.0), (-0.0, -0.0), (711.0, INF), (-711.0, -INF), (INF, INF), (-least, -least)]),
        ("cosh", &[(0.0, 1.0), (711.0, INF), (-711.0, INF), (-INF, INF), (least, 1.0)]),
        ("sin", &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (least, least), (-least, -least)]),
        ("cos", &[(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (least, 1.0)]),
        ("tan", &[(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (-least, -least)]),
        ("erf", &[(0.0, 0.0), (-0.0, -0.0), (7.0, 1.0), (INF, 1.0), (-INF, -1.0), (least, least)]),
        ("erfc", &[(0.0, 1.0), (30.0, 0.0), (-7.0, 2.0), (INF, 0.0), (-INF, 2.0), (f64::MAX, 0.0)]),
        ("norm_cdf", &[(0.0, 0.5), (-0.0, 0.5), (9.0, 1.0), (-40.0, 0.0), (INF, 1.0), (-INF, 0.0)]),
    ] {
        for &(x, want) in cases {
            let got = call(name, &[x]);
            assert!(same(got, want), "{name}({x:e}) is {got:e}, not {want:e}");
        }
        assert!(call(name, &[NAN]).is_nan(), "{name}(nan)");
    }
}

/// What C's standard says of `pow`, and exponents that round once.
#[test]
#[rustfmt::skip]
fn special_powers() {
    let odd = 9_007_199_254_740_991.0;
    for (x, y, want) in [
        (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0), (0.0, -3.0, INF), (-0.0, -3.0, -INF),
        (-0.0, -2.0, INF), (-0.0, 0.5, 0.0), (-INF, 0.5, INF), (-1.0, INF, 1.0), (-1.0, -INF, 1.0),
        (1.0, NAN, 1.0), (NAN, 0.0, 1.0), (NAN, -0.0, 1.0), (NAN, 1.0, NAN), (2.0, NAN, NAN),
        (-8.0, 1.0 / 3.0, NAN), (-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25), (0.5, INF, 0.0), (0.5, -INF, INF),
        (2.0, INF, INF), (2.0, -INF, 0.0), (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, -3.0, -0.0),
        (INF, -1.0, 0.0), (2.0, 1024.0, INF), (2.0, -1074.0, f64::from_bits(1)), (2.0, -1076.0, 0.0),
        (-2.0, 1025.0, -INF), (-1.0, odd, -1.0), (-1.0, odd + 1.0, 1.0), (10.0, 22.0, 1e22),
        (-0.0, -1.0, -INF), (0.0, -0.5, INF), (0.9, 1e300, 0.0), (1.1, 1e300, INF), (1.1, 2.0, 1.1 * 1.1),
        (0.3, -1.0, 1.0 / 0.3), (0.3, 1.0, 0.3), (-0.3, 1.0, -0.3), (-0.3, 0.5, NAN),
    ] {
        let got = call("pow", &[x, y]);
        assert!(same(got, want), "pow({x:e}, {y:e}) is {got:e}, not {want:e}");
    }
    assert!(same(call("pow", &[0.7, 0.5]), 0.7f64.sqrt()));
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -40.0..40.0f64, -1.0..1.0f64, -1e6..1e6f64]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn odd_and_even_functions(x in any_number()) {
        for name in ["sin", "tan", "sinh", "tanh", "erf"] {
            prop_assert!(same(call(name, &[-x]), -call(name, &[x])), "{}", name);
        }
        for name in ["cos", "cosh"] {
            prop_assert!(same(call(name, &[-x]), call(name, &[x])), "{}", name);
        }
    }

    #[test]
    fn values_stay_in_range(x in any_number()) {
        let ranges = [
            ("exp", 0.0, INF), ("expm1", -1.0, INF), ("sigmoid", 0.0, 1.0), ("softplus", 0.0, INF),
            ("tanh", -1.0, 1.0), ("cosh", 1.0, INF), ("sin", -1.0, 1.0), ("cos", -1.0, 1.0),
            ("erf", -1.0, 1.0), ("erfc", 0.0, 2.0), ("norm_cdf", 0.0, 1.0),
        ];
        for (name, low, high) in ranges {
            let y = call(name, &[x]);
            let outside = ["sin", "cos"].contains(&name) && x.is_infinite();
            let inside = if x.is_nan() || outside { y.is_nan() } else { low <= y && y <= high };
            prop_assert!(inside, "{} {}", name, y);
        }
    }

    /// Over steps that are large against the errors, growing functions grow.
    #[test]
    fn growing_functions_grow(x in any_number(), step in 1e-14..1.0f64) {
        prop_assume!(x.is_finite());
        let next = x + x.abs() * step;
        for name in [
            "exp", "expm1", "log", "log1p", "log2", "log10", "sigmoid", "tanh", "sinh", "erf",
            "norm_cdf", "softplus",
        ] {
            let (low, high) = (call(name, &[x]), call(name, &[next]));
            let slack = 8.0 * f64::EPSILON * high.abs();
            let grows = low.is_nan() || low <= high || low - high <= slack;
            prop_assert!(grows, "{} {} {}", name, low, high);
        }
    }

    /// Where the branch-free formula ends, the library goes on as it left off.
    #[test]
    fn far_angles_join(x in 1_048_575.0..1_048_577.0f64) {
        prop_assert!((call("sin", &[x]) - x.sin()).abs() <= f64::EPSILON);
        prop_assert!((call("cos", &[x]) - x.cos()).abs() <= f64::EPSILON);
        prop_assert!(ulps(call("tan", &[x]), x.tan(), 0.0) <= 3.0);
    }
}
