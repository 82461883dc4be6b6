//! Powers.

use std::f64::consts::LN_2;

use super::coefficients::{EXP, POW, POW_LOG2_HIGH, POW_LOG2_LOW};
use super::exponential::scaled;
use super::logarithm::{Parts, parts, parts_of_any};
use super::{Beyond, Exact, FRACTION, ROUND, polynomial, upper};

/// `x^y` as C's `pow` has it: 1 where `y` is 0 or `x` is 1, whatever the other is; nan where `x` is
/// negative and finite and `y` is not whole; the sign of `x` where `y` is odd. The exponents 2, 1,
/// -1 and 1/2 give a product, `x`, a quotient and a square root, which round once.
#[inline(always)]
#[must_use]
pub fn pow<B: Beyond>(x: f64, y: f64) -> f64 {
    if !B::ALONE {
        return any::<B>(x, y);
    }
    // What people write most; in lanes, branches are worth nothing.
    if y == 2.0 {
        x * x
    } else if y == 1.0 {
        x
    } else if y == -1.0 {
        1.0 / x
    } else if (f64::MIN_POSITIVE..f64::INFINITY).contains(&x) && y.is_finite() {
        if y == 0.5 {
            return x.sqrt();
        }
        let Parts { k, f } = parts(x);
        times(y, log2(k, f, 1.0 / (2.0 + f)))
    } else {
        unusual(x, y)
    }
}

/// Apart from the usual powers, so that those stay short.
#[cold]
#[inline(never)]
fn unusual(x: f64, y: f64) -> f64 {
    any::<Exact>(x, y)
}

/// Any power, without branches but for the library's.
#[inline(always)]
fn any<B: Beyond>(x: f64, y: f64) -> f64 {
    let a = x.abs();
    let outside = x < 0.0 && a < f64::INFINITY;
    if x <= 0.0 && y.abs() >= WHOLE {
        return B::beyond(|| x.powf(y));
    }
    let edge = a == 0.0 || a == f64::INFINITY || y == -1.0;
    let Parts { k, f } = parts_of_any(a);
    // One division serves both.
    let inverse = 1.0 / if edge { a } else { 2.0 + f };
    let size = times(y, log2(k, f, inverse));
    let limit = if y > 0.0 { a } else { inverse };
    let size = if edge { limit } else { size };
    let size = if y == 0.5 { a.sqrt() } else { size };
    let size = if y == 2.0 { a * a } else { size };
    // The lowest bit of this sum tells whether y is odd, where y is whole.
    let sum = y.abs() + WHOLE;
    let whole = sum - WHOLE == y.abs();
    let sign = if whole { (sum.to_bits() << 63) & x.to_bits() } else { 0 };
    let power = f64::from_bits(size.to_bits() | sign);
    let power = if outside && !whole { f64::NAN } else { power };
    let power = if x.is_nan() || y.is_nan() { x + y } else { power };
    let power = if x == 1.0 || y == 0.0 { 1.0 } else { power };
    if y == 1.0 { x } else { power }
}

/// `2^52`, where whole numbers begin.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// `2^(y * log)`, where `log` comes in two parts, the first with 26 bits.
#[inline(always)]
fn times(y: f64, [high, low]: [f64; 2]) -> f64 {
    // Beyond 2^66 every power but those of 1 is 0 or infinite.
    let most = f64::from_bits((1023 + 66) << FRACTION);
    let y = if y > most { most } else { y };
    let y = if y < -most { -most } else { y };
    let first = upper(y);
    let product = first * high;
    let rest = (y - first) * high + y * low;
    let sum = product + rest;
    let near = if sum > 1025.0 { 1025.0 } else { sum };
    let near = if near < -1100.0 { -1100.0 } else { near };
    let rounded = near + ROUND;
    let r = (product - (rounded - ROUND)) * LN_2 + rest * LN_2;
    // More than ln 2 / 2 is left only where the result is 0 or infinite.
    let r = if r > 0.35 { 0.35 } else { r };
    let r = if r < -0.35 { -0.35 } else { r };
    let e = 1.0 + (r + r * r * polynomial(r, EXP));
    scaled(e, rounded, sum < -1000.0)
}

/// `k + log2(1 + f)` in two parts, the first with 26 bits; `inverse` is `1 / (2 + f)`. With
/// `s = f / (2 + f)` the logarithm is `2 / (3 ln 2) s (3 + s² + s⁴ p(s²))`, in the arrangement of
/// Sun's fdlibm: `3 + s²` is nearly exact, so only the products have to be taken in parts.
#[inline(always)]
fn log2(k: f64, f: f64, inverse: f64) -> [f64; 2] {
    let s = f * inverse;
    let s_high = upper(s);
    let divisor_high = upper(2.0 + f);
    let divisor_low = f - (divisor_high - 2.0);
    let s_low = inverse * ((f - s_high * divisor_high) - s_high * divisor_low);
    let z = s * s;
    let square = s_high * s_high;
    let tail = z * z * polynomial(z, POW) + s_low * (s_high + s);
    let t_high = upper(3.0 + square + tail);
    let t_low = tail - ((t_high - 3.0) - square);
    let product = s_high * t_high;
    let rest = s_low * t_high + t_low * s;
    let p_high = upper(product + rest);
    let p_low = rest - (p_high - product);
    let scaled_high = POW_LOG2_HIGH * p_high;
    let scaled_low = POW_LOG2_LOW * (p_high + p_low) + POW_LOG2_HIGH * p_low;
    let high = upper(k + (scaled_high + scaled_low));
    [high, scaled_low - ((high - k) - scaled_high)]
}
