//! The error function and the normal distribution.

use super::coefficients::{
    ERF, ERF_ABOVE, ERF_BELOW, ERFC_ABOVE, ERFC_BELOW, NORM_ABOVE, NORM_BELOW,
};
use super::exponential::exp_times;
use super::{polynomial, signed, upper};

/// `exp(-square x²) / (one + 2 x) * (1 + x p / q)` for `x >= 0`. In that form the roundings of the
/// polynomials weigh little, since `x p / q` is small. The square is taken in two parts (Cody,
/// "Rational Chebyshev approximations for the error function", 1969): its rounding would be a
/// relative error.
#[inline(always)]
fn tail(x: f64, square: f64, one: f64, [p, q]: [f64; 2]) -> f64 {
    let high = upper(x);
    let low = (x - high) * (x + high);
    let below = one * q + (x + x) * q; // rounds less than the product of sums
    let quotient = (q + x * p) / below;
    exp_times(-square * (high * high), -square * low, quotient)
}

/// Error function.
#[inline(always)]
#[must_use]
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let near = a + a * polynomial(a * a, ERF);
    let far = if a > 6.0 { 6.0 } else { a }; // from where on it is 1
    let quotient = polynomial(far, ERF_ABOVE) / polynomial(far, ERF_BELOW);
    signed(if a < 1.0 { near } else { 1.0 - exp_times(-(far * far), 0.0, quotient) }, x)
}

/// Complementary error function, `1 - erf(x)`; off by up to four units in the last place.
#[inline(always)]
#[must_use]
pub fn erfc(x: f64) -> f64 {
    let far = if x.abs() > 28.0 { 28.0 } else { x.abs() }; // from where on it is 0
    let y = tail(far, 1.0, 1.0, [polynomial(far, ERFC_ABOVE), polynomial(far, ERFC_BELOW)]);
    if x < 0.0 { 2.0 - y } else { y }
}

/// Distribution function of the standard normal distribution; off by up to four units in the last
/// place.
#[inline(always)]
#[must_use]
pub fn norm_cdf(x: f64) -> f64 {
    let far = if x.abs() > 40.0 { 40.0 } else { x.abs() }; // from where on it is 0
    let y = tail(far, 0.5, 2.0, [polynomial(far, NORM_ABOVE), polynomial(far, NORM_BELOW)]);
    if x > 0.0 { 1.0 - y } else { y }
}
