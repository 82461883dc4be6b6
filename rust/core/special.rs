//! Values that need more than one call into the libraries of special functions.

/// `1 / sqrt(2 π)`: density of the standard normal distribution at 0.
pub const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

/// `ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! ζ(n+1, x)` (DLMF 5.15.1); nan outside `n = 1, 2, …` and `x > 0`, except
/// the trigamma function, which is defined on the negative axis as well.
pub fn polygamma(n: f64, x: f64) -> f64 {
    if n == 1.0 {
        return pxfm::f_trigamma(x);
    }
    if n.is_nan() || x.is_nan() || n < 1.0 || n.fract() != 0.0 || x <= 0.0 {
        return f64::NAN;
    }
    let sign = if n % 2.0 == 0.0 { -1.0 } else { 1.0 };
    sign * pxfm::f_tgamma(n + 1.0) * spec_math::cephes64::zeta(n + 1.0, x)
}
