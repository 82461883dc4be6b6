//! The exponential function and what is made of it at once.

use std::f64::consts::LOG2_E;

use super::coefficients::{EXP, EXPM1, LN_2_HIGH, LN_2_LOW};
use super::{FRACTION, ROUND, polynomial};

/// An argument less its nearest multiple of ln 2 (Cody and Waite, Software Manual for the
/// Elementary Functions, 1980): `x = k ln 2 + r + rest` with `|r| <= ln 2 / 2`.
pub(super) struct Reduced {
    /// `k` in the lowest bits, see [`ROUND`].
    pub rounded: f64,
    /// What is left.
    pub r: f64,
    /// What rounding took from `r`.
    pub rest: f64,
}

/// Takes the nearest multiple of ln 2 from `x + low`, where `|x| < 2^11` and `low` is below 0.001.
#[inline(always)]
pub(super) fn reduced(x: f64, low: f64) -> Reduced {
    let rounded = x * LOG2_E + ROUND;
    let k = rounded - ROUND;
    let high = x - k * LN_2_HIGH;
    let low = low - k * LN_2_LOW;
    let r = high + low;
    Reduced { rounded, r, rest: (high - r) + low }
}

/// `2^(k + shift)` where the lowest bits of `rounded` hold `k`; the sum is the exponent of a normal
/// number.
#[inline(always)]
pub(super) fn power_of_two(rounded: f64, shift: i64) -> f64 {
    f64::from_bits(rounded.to_bits().wrapping_add((1023 + shift) as u64) << FRACTION)
}

/// `e * 2^k` for `k` between -1100 and 1024, rounded where that is `subnormal`; `e` is near 1.
#[inline(always)]
pub(super) fn scaled(e: f64, rounded: f64, subnormal: bool) -> f64 {
    // Neither 2^1024 nor 2^-1074 is a normal number: part of the exponent waits.
    let (shift, rest) = if subnormal { (128, f64::from_bits(895 << FRACTION)) } else { (-1, 2.0) };
    e * power_of_two(rounded, shift) * rest
}

/// Exponential function.
#[inline(always)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    let x = limited(x);
    let Reduced { rounded, r, .. } = reduced(x, 0.0);
    scaled(1.0 + (r + r * r * polynomial(r, EXP)), rounded, x < -700.0)
}

/// `exp(x + low) * factor`, where `low` is below 0.001 and `factor` between 0.01 and 1: what
/// underflows does so once, at the end.
#[inline(always)]
pub(super) fn exp_times(x: f64, low: f64, factor: f64) -> f64 {
    let x = limited(x);
    let Reduced { rounded, r, rest } = reduced(x, low);
    let e = r + (r * r * polynomial(r, EXP) + rest);
    // Rounds less than the product with 1 + e.
    scaled(factor + e * factor, rounded, x < -700.0)
}

/// `x` where the exponential function is neither 0 nor infinite, else a number not far off.
#[inline(always)]
fn limited(x: f64) -> f64 {
    let x = if x > 710.0 { 710.0 } else { x };
    if x < -760.0 { -760.0 } else { x }
}

/// `exp(x) - 1`, accurate near 0.
#[inline(always)]
#[must_use]
pub fn expm1(x: f64) -> f64 {
    let limited = if x > 710.0 { 710.0 } else { x };
    let limited = if limited < -50.0 { -50.0 } else { limited };
    let Reduced { rounded, r, rest } = reduced(limited, 0.0);
    let e = r + (r * r * polynomial(r, EXPM1) + rest);
    // Half of it, since 2^1024 is no number.
    let half = power_of_two(rounded, -1);
    let y = (half * e + (half - 0.5)) * 2.0;
    // Halves of subnormal numbers lose a bit, and -0 its sign.
    if x.abs() < 1e-300 { x } else { y }
}

/// `1 / (1 + exp(-x))`, without overflow on either side.
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}
