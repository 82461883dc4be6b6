//! Sine, cosine and tangent.

use std::f64::consts::FRAC_2_PI;

use super::coefficients::{COS, QUARTER_HIGH, QUARTER_LOW, QUARTER_MIDDLE, SIN};
use super::{Beyond, ROUND, SIGN, polynomial};

/// Up to here an angle has at most 2^20 quarters of a turn, whose products with 33 bits are exact.
const FAR: f64 = 1_048_576.0;

/// An angle of at least 0 less its nearest multiple of a quarter of a turn (Cody and Waite).
struct Reduced {
    /// The number of quarters in its lowest bits.
    quarters: u64,
    /// What is left, between -π/4 and π/4.
    r: f64,
    /// What rounding took from `r`.
    rest: f64,
}

#[inline(always)]
fn reduced(x: f64) -> Reduced {
    let rounded = x * FRAC_2_PI + ROUND;
    let k = rounded - ROUND;
    // Both subtractions may cancel nearly all; the first is exact, the second tells its error.
    let high = x - k * QUARTER_HIGH;
    let middle = k * QUARTER_MIDDLE;
    let near = high - middle;
    let low = ((high - near) - middle) - k * QUARTER_LOW;
    let r = near + low;
    Reduced { quarters: rounded.to_bits(), r, rest: (near - r) + low }
}

/// Sine or cosine of what is left, as the number of quarters is even or odd; the sign turns after
/// two of them. Both are `start + factor * polynomial`, so the choice is made once a coefficient.
#[inline(always)]
fn wave(Reduced { quarters, r, rest }: Reduced) -> f64 {
    let odd = quarters & 1 == 1;
    let z = r * r;
    let half = 0.5 * z;
    let top = 1.0 - half;
    let pick = |k: usize| if odd { COS[k] } else { SIN[k] };
    let p = polynomial(z, [pick(0), pick(1), pick(2), pick(3), pick(4), pick(5)]);
    let start = if odd { top } else { r };
    let factor = z * if odd { z } else { r };
    let missing = if odd { ((1.0 - top) - half) - r * rest } else { rest * top };
    let y = start + (factor * p + missing);
    f64::from_bits(y.to_bits() ^ ((quarters << 62) & SIGN))
}

/// Sine.
#[inline(always)]
#[must_use]
pub fn sin<B: Beyond>(x: f64) -> f64 {
    if x.abs() > FAR {
        return B::beyond(|| x.sin());
    }
    let y = wave(reduced(x.abs()));
    f64::from_bits(y.to_bits() ^ (x.to_bits() & SIGN))
}

/// Cosine: the sine a quarter of a turn on.
#[inline(always)]
#[must_use]
pub fn cos<B: Beyond>(x: f64) -> f64 {
    if x.abs() > FAR {
        return B::beyond(|| x.cos());
    }
    let angle = reduced(x.abs());
    wave(Reduced { quarters: angle.quarters.wrapping_add(1), ..angle })
}

/// Tangent: the quotient of sine and cosine of what is left, or the negative reciprocal.
#[inline(always)]
#[must_use]
pub fn tan<B: Beyond>(x: f64) -> f64 {
    if x.abs() > FAR {
        return B::beyond(|| x.tan());
    }
    let Reduced { quarters, r, rest } = reduced(x.abs());
    let z = r * r;
    let half = 0.5 * z;
    let top = 1.0 - half;
    let sin = r + (r * z * polynomial(z, SIN) + rest * top);
    let cos = top + (z * z * polynomial(z, COS) + (((1.0 - top) - half) - r * rest));
    // Exchanged by bits: one by one, a branch on the quarter would be guessed wrong half the time.
    let exchange = (sin.to_bits() ^ cos.to_bits()) & (quarters & 1).wrapping_neg();
    let [above, below] = [sin, cos].map(|y| f64::from_bits(y.to_bits() ^ exchange));
    let y = above / below;
    let sign = (quarters << 63) ^ (x.to_bits() & SIGN);
    f64::from_bits(y.to_bits() ^ sign)
}
