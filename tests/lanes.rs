//! Every row of the table in loops over lanes, at every level of SIMD: the bits of single values.

use std::fmt::Debug;

use gradtape::elementary::{Lanes, is_sentinel};
use gradtape::{Lane, Rule, rule};

/// Lanes of a loop: what one vectorises, and a rest.
const L: usize = 40;

type Operands<const A: usize> = [[f64; L]; A];

/// Values and partial derivatives.
type Results<const A: usize> = ([f64; L], [[f64; L]; A]);

#[inline(always)]
fn lanes<R: Rule<A>, const A: usize>(x: &Operands<A>) -> Results<A> {
    let mut values = [0.0; L];
    let mut partials = [[0.0; L]; A];
    for i in 0..L {
        values[i] = R::compute::<Lanes>(x.each_ref().map(|x| x[i]));
    }
    for i in 0..L {
        let all = R::partials(x.each_ref().map(|x| Lane(x[i])), Lane(values[i]));
        for k in 0..A {
            partials[k][i] = all[k].0;
        }
    }
    (values, partials)
}

fn baseline<R: Rule<A>, const A: usize>(x: &Operands<A>) -> Results<A> {
    lanes::<R, A>(x)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R: Rule<A>, const A: usize>(x: &Operands<A>) -> Results<A> {
    lanes::<R, A>(x)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
fn avx512<R: Rule<A>, const A: usize>(x: &Operands<A>) -> Results<A> {
    lanes::<R, A>(x)
}

/// The results at every level that the processor has.
fn levels<R: Rule<A>, const A: usize>(x: &Operands<A>) -> Vec<(&'static str, Results<A>)> {
    #[allow(unused_mut, reason = "other processors have only one")]
    let mut results = vec![("baseline", baseline::<R, A>(x))];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features.
            results.push(("AVX2", unsafe { avx2::<R, A>(x) }));
        }
        if is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: as above; each brings the foundation.
            results.push(("AVX-512", unsafe { avx512::<R, A>(x) }));
        }
    }
    results
}

fn same(got: f64, want: f64) -> bool {
    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan()
}

/// Numbers of every size: all bits random, usual ones, and special ones.
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn next(&mut self) -> f64 {
        const SPECIAL: [f64; 12] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            2.0,
            0.5,
            3.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            5e-324,
            4.5e15,
        ];
        let bits = self.bits();
        let unit = (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        match self.bits() % 8 {
            0 => f64::from_bits(bits),
            1 => SPECIAL[bits as usize % SPECIAL.len()],
            2 => unit * 800.0,
            3 => unit * 2e6,
            4 => unit.abs() * 50.0,
            5 => unit * 2f64.powi((self.bits() % 60) as i32 - 50),
            _ => unit * 5.0,
        }
    }
}

/// Whether lanes left the sentinel, and whether the row says that they may.
fn check<R: Rule<A> + Debug, const A: usize>(turns: usize) -> bool {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut beyond = false;
    for _ in 0..turns {
        let x: Operands<A> = std::array::from_fn(|_| std::array::from_fn(|_| numbers.next()));
        for (level, (values, partials)) in levels::<R, A>(&x) {
            for i in 0..L {
                let x = x.each_ref().map(|x| x[i]);
                let value = R::value(x);
                if is_sentinel(values[i]) {
                    beyond = true;
                } else {
                    assert!(
                        same(values[i], value),
                        "{:?} at {x:?}, {level}: {} is not {value}",
                        R::OP,
                        values[i]
                    );
                }
                // A lane that is nan is computed again, so it may be too careful but never wrong.
                for (k, want) in R::partials(x, value).into_iter().enumerate() {
                    let got = partials[k][i];
                    assert!(
                        got.is_nan() || same(got, want),
                        "d{k} {:?} at {x:?}, {level}: {got} is not {want}",
                        R::OP
                    );
                }
            }
        }
    }
    assert_eq!(beyond, R::BEYOND, "{:?}", R::OP);
    beyond
}

macro_rules! rows {
    ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        #[test]
        fn lanes_give_the_bits_of_single_values() {
            let turns = if cfg!(debug_assertions) { 100 } else { 2000 };
            let beyond: Vec<&str> =
                [$((stringify!($name), check::<rule::$Op, $arity>(turns)),)+]
                    .into_iter().filter_map(|(name, beyond)| beyond.then_some(name)).collect();
            assert_eq!(beyond, ["pow", "sin", "cos", "tan"]);
        }
    };
}
gradtape::operations!(rows);
