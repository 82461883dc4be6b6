//! Logarithms.

use std::f64::consts::SQRT_2;

use super::coefficients::{
    LN_2_HIGH, LN_2_LOW, LOG, LOG2_E_HIGH, LOG2_E_LOW, LOG10_2_HIGH, LOG10_2_LOW, LOG10_E_HIGH,
    LOG10_E_LOW,
};
use super::exponential::exp;
use super::{FRACTION, polynomial};

/// A positive number as `2^k * (1 + f)` with `1 + f` between sqrt(1/2) and sqrt(2).
pub(super) struct Parts {
    /// The exponent.
    pub k: f64,
    /// What the fraction is above 1, exactly.
    pub f: f64,
}

/// The bits of sqrt(1/2), less those below the upper half.
const ROOT: u64 = 0x3FE6_A09E << 32;

/// `2^52`: its lowest bits hold whole numbers.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Takes a normal positive number apart.
#[inline(always)]
pub(super) fn parts(x: f64) -> Parts {
    // Above the bits of sqrt(1/2) the exponent counts up; 1024 keeps it positive, since not every
    // width shifts signed numbers.
    let above = x.to_bits().wrapping_sub(ROOT).wrapping_add(1024 << FRACTION) >> FRACTION;
    let k = f64::from_bits(WHOLE.to_bits() | above) - (WHOLE + 1024.0);
    let f = f64::from_bits(x.to_bits().wrapping_sub(above.wrapping_sub(1024) << FRACTION)) - 1.0;
    Parts { k, f }
}

/// As [`parts`], for subnormal numbers as well.
#[inline(always)]
pub(super) fn parts_of_any(x: f64) -> Parts {
    let subnormal = x < f64::MIN_POSITIVE;
    let up = f64::from_bits((1023 + 54) << FRACTION);
    let Parts { k, f } = parts(if subnormal { x * up } else { x });
    Parts { k: if subnormal { k - 54.0 } else { k }, f }
}

/// `y` where `x` is positive and finite; else what every logarithm gives.
#[inline(always)]
fn limits(x: f64, y: f64) -> f64 {
    let edge = if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    let edge = if x > 0.0 { x } else { edge };
    if x > 0.0 && x < f64::INFINITY { y } else { edge }
}

/// What `log(1 + f) + low` is below `f`. With `s = f / (2 + f)` the logarithm is `2 s + s z p(z)`,
/// `z = s²`; and `2 s = f - f² / 2 + s f² / 2`, where the largest terms are the most exact (the
/// arrangement of Sun's fdlibm).
#[inline(always)]
fn below(f: f64, low: f64) -> f64 {
    let s = f / (2.0 + f);
    let half = 0.5 * f * f;
    let z = s * s;
    half - (s * (half + z * polynomial(z, LOG)) + low)
}

/// Natural logarithm.
#[inline(always)]
#[must_use]
pub fn log(x: f64) -> f64 {
    let Parts { k, f } = parts_of_any(x);
    limits(x, k * LN_2_HIGH + (f - below(f, k * LN_2_LOW)))
}

/// `log(1 + x)`, accurate near 0.
#[inline(always)]
#[must_use]
pub fn log1p(x: f64) -> f64 {
    let u = 1.0 + x;
    // What rounding took from the sum (Knuth, The Art of Computer Programming 2, 4.2.2).
    let b = u - 1.0;
    let low = (1.0 - (u - b)) + (x - b);
    let Parts { k, f } = parts(u);
    // low / u, for which a few bits are enough: 1 / (1 + f) is about (1 - s)².
    let s = 1.0 - f / (2.0 + f);
    let down = f64::from_bits(((WHOLE + 1024.0) - k).to_bits() << FRACTION);
    let low = low * down * (0.5 * s * s);
    let y = limits(u, k * LN_2_HIGH + (f - below(f, k * LN_2_LOW + low)));
    if x == 0.0 { x } else { y } // -0 keeps its sign
}

/// `log(1 + f)` times the constant `high + low`, plus `k * (k_high + k_low)`, where `k * k_high`
/// and 26 bits times `high` are exact.
#[inline(always)]
fn to_base(x: f64, [high, low, k_high, k_low]: [f64; 4]) -> f64 {
    let Parts { k, f } = parts_of_any(x);
    let below = below(f, 0.0);
    let first = super::upper(f - below);
    let second = (f - first) - below;
    let whole = k * k_high;
    let product = first * high;
    let sum = whole + product;
    let rest = k * k_low + (first + second) * low + second * high;
    limits(x, sum + (rest + ((whole - sum) + product)))
}

/// Logarithm to base 2, exact for powers of 2.
#[inline(always)]
#[must_use]
pub fn log2(x: f64) -> f64 {
    to_base(x, [LOG2_E_HIGH, LOG2_E_LOW, 1.0, 0.0])
}

/// Logarithm to base 10, exact for powers of 10.
#[inline(always)]
#[must_use]
pub fn log10(x: f64) -> f64 {
    to_base(x, [LOG10_E_HIGH, LOG10_E_LOW, LOG10_2_HIGH, LOG10_2_LOW])
}

/// `log(1 + exp(x))`, without overflow.
#[inline(always)]
#[must_use]
pub fn softplus(x: f64) -> f64 {
    let over = if x > 0.0 { x } else { 0.0 };
    let e = exp(-x.abs());
    // As in log1p, with an exponent of 0 or 1.
    let u = 1.0 + e;
    let low = e - (u - 1.0);
    let large = u > SQRT_2;
    let (k, scale) = if large { (1.0, 0.5) } else { (0.0, 1.0) };
    let f = u * scale - 1.0;
    let s = 1.0 - f / (2.0 + f);
    over + (k * LN_2_HIGH + (f - below(f, k * LN_2_LOW + low * scale * (s * s))))
}
