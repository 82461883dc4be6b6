//! Elementary functions that give the same bits one by one and in lanes.
//!
//! Each function is plain arithmetic on `f64`: `+ − * /`, square roots, bits, comparisons and
//! choices; no table, no call, no fused multiplication. So the compiler turns a loop over lanes
//! into vector instructions of any width, and every width rounds alike: a replayed value is the
//! recorded one, bit for bit (the payload of a nan aside). The errors stay below three units in the
//! last place but where a function says otherwise; `tests/elementary.rs` holds them.
//!
//! A few functions have a range outside which only a library's call is right. What is done there
//! is a parameter, [`Beyond`].

mod circular;
mod coefficients;
mod error;
mod exponential;
mod hyperbolic;
mod logarithm;
mod power;

pub use circular::{cos, sin, tan};
pub use error::{erf, erfc, norm_cdf};
pub use exponential::{exp, expm1, sigmoid};
pub use hyperbolic::{cosh, sinh, tanh};
pub use logarithm::{log, log1p, log2, log10, softplus};
pub use power::pow;

/// What is done outside the range that the branch-free formula covers.
pub trait Beyond {
    /// Whether values are computed one by one, so that a branch may spare work.
    const ALONE: bool;
    /// The number that stands for the function's value there.
    fn beyond(exact: impl FnOnce() -> f64) -> f64;
}

/// Calls the library: for values computed one by one.
#[derive(Clone, Copy, Debug)]
pub struct Exact;

/// Leaves [`SENTINEL`], so that a loop over lanes stays free of calls: whoever runs it looks for
/// the sentinel and computes those lanes again.
#[derive(Clone, Copy, Debug)]
pub struct Lanes;

impl Beyond for Exact {
    const ALONE: bool = true;

    #[inline(always)]
    fn beyond(exact: impl FnOnce() -> f64) -> f64 {
        exact()
    }
}

impl Beyond for Lanes {
    const ALONE: bool = false;

    #[inline(always)]
    fn beyond(_: impl FnOnce() -> f64) -> f64 {
        SENTINEL
    }
}

/// A quiet nan that no arithmetic makes of other numbers.
pub const SENTINEL: f64 = f64::from_bits(0x7FF8_6772_6164_7470);

/// Whether `x` is the sentinel.
#[inline(always)]
#[must_use]
pub fn is_sentinel(x: f64) -> bool {
    x.to_bits() == SENTINEL.to_bits()
}

/// `1.5 * 2^52`: adding it rounds a number below `2^51` to a whole one, half to even, which then
/// stands in the lowest bits of the sum. (Instructions that round or convert are missing on some
/// of the widths.)
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The bits of a number's sign.
const SIGN: u64 = 1 << 63;

/// Places of the exponent above the fraction.
const FRACTION: u32 = 52;

/// The sum of `c[k] * x^k`: blocks of four terms, Horner's rule over the blocks. That waits for
/// half as many additions as Horner's rule alone.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let x2 = x * x;
    let x4 = x2 * x2;
    let block = |i: usize| match N - i {
        1 => c[i],
        2 => c[i] + c[i + 1] * x,
        3 => (c[i] + c[i + 1] * x) + c[i + 2] * x2,
        _ => (c[i] + c[i + 1] * x) + (c[i + 2] + c[i + 3] * x) * x2,
    };
    let mut i = (N - 1) / 4 * 4;
    let mut sum = block(i);
    while i > 0 {
        i -= 4;
        sum = block(i) + sum * x4;
    }
    sum
}

/// The upper 26 bits of the fraction: products of two such numbers are exact.
#[inline(always)]
fn upper(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xFFFF_FFFF_F800_0000)
}

/// `x` with the sign of `sign`, where `x` is not negative.
#[inline(always)]
fn signed(x: f64, sign: f64) -> f64 {
    f64::from_bits(x.to_bits() | (sign.to_bits() & SIGN))
}
