//! Hyperbolic functions.

use std::f64::consts::LOG2_E;

use super::coefficients::{COSH, LN_2_HIGH, LN_2_LOW, SINH, TANH};
use super::exponential::{Reduced, power_of_two, reduced};
use super::{ROUND, polynomial, signed};

/// Hyperbolic tangent. With `|x| = k ln 2 / 2 + y` and `t = tanh(y)` it is
/// `((2^k - 1) + (2^k + 1) t) / ((2^k + 1) + (2^k - 1) t)`: one division, and `t` to order 13.
#[inline(always)]
#[must_use]
pub fn tanh(x: f64) -> f64 {
    // From 19.1 on it is 1.
    let far = if x.abs() > 20.0 { 20.0 } else { x.abs() };
    let rounded = far * (2.0 * LOG2_E) + ROUND;
    let k = rounded - ROUND;
    let y = (far - k * (0.5 * LN_2_HIGH)) - k * (0.5 * LN_2_LOW);
    let z = y * y;
    let t = y + y * z * polynomial(z, TANH);
    let power = power_of_two(rounded, 0);
    let (sum, difference) = (power + 1.0, power - 1.0);
    signed((difference + sum * t) / (sum + difference * t), x)
}

/// `|x| = k ln 2 + r`: half of `cosh(k ln 2)`, `sinh(k ln 2)`, and `cosh(r) - 1`, `sinh(r)`.
#[inline(always)]
fn parts(x: f64) -> [f64; 4] {
    // The least number above the logarithm of the largest, twice.
    let x = if x.abs() > 710.5 { 710.5 } else { x.abs() };
    let Reduced { rounded, r, rest } = reduced(x, 0.0);
    let k = rounded - ROUND;
    // 2^(k - 2) and 2^(-k - 2), where the latter need not be less than 2^-66 to be forgotten.
    let up = power_of_two(rounded, -2);
    let down = power_of_two(ROUND - if k > 64.0 { 64.0 } else { k }, -2);
    let z = r * r;
    let c = z * polynomial(z, COSH) + r * rest;
    let s = r + (r * z * polynomial(z, SINH) + rest);
    [up + down, up - down, c, s]
}

/// Hyperbolic sine: `cosh(k ln 2) sinh(r) + sinh(k ln 2) cosh(r)`.
#[inline(always)]
#[must_use]
pub fn sinh(x: f64) -> f64 {
    let [cosh, sinh, c, s] = parts(x);
    let y = ((cosh * s + sinh * c) + sinh) * 2.0;
    // Halves of subnormal numbers lose a bit.
    signed(if x.abs() < 1e-300 { x.abs() } else { y }, x)
}

/// Hyperbolic cosine: `cosh(k ln 2) cosh(r) + sinh(k ln 2) sinh(r)`.
#[inline(always)]
#[must_use]
pub fn cosh(x: f64) -> f64 {
    let [cosh, sinh, c, s] = parts(x);
    ((cosh * c + sinh * s) + cosh) * 2.0
}
