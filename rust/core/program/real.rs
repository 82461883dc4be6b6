//! What rows are computed in: 64 bits, or 32.
//!
//! In 32 bits, values, adjoints and the numbers that rows share are rounded to 32 bits and dense
//! layers are computed with them; the functions of the table are evaluated in 64 bits and then
//! rounded.

use std::fmt::Debug;
use std::ops::{AddAssign, Neg};
use std::sync::Mutex;

use ndarray::LinalgScalar;

use super::dense::{Pack, Plain};
use super::replay::{Memories, Memory};
#[cfg(target_arch = "x86_64")]
use super::simd::{Octet, Quad, Short};
use crate::elementary::SENTINEL;

/// A number in a lane.
pub trait Real:
    LinalgScalar + AddAssign + Debug + Default + Neg<Output = Self> + PartialOrd + Send + Sync
{
    /// Zero.
    const ZERO: Self;
    /// Whether there are kernels for whole blocks too: up to a sixth faster, and as large again.
    const WHOLE: bool;
    /// As many lanes as a register holds that every processor of the kind has.
    type Baseline: Pack<Number = Self>;
    /// The same where there is AVX2.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Pack<Number = Self>;
    /// The same where there is AVX-512.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Pack<Number = Self>;

    /// It in 64 bits.
    fn wide(self) -> f64;
    /// `x`, rounded.
    fn narrow(x: f64) -> Self;
    /// `self + a * b`, rounded once.
    #[must_use]
    fn fused(self, a: Self, b: Self) -> Self;
    /// It, or zero where it is old.
    #[must_use]
    fn unless(self, old: bool) -> Self;
    /// Whether it is the sentinel of [`crate::elementary`].
    fn is_sentinel(self) -> bool;
    /// Memory for such numbers.
    fn memories(all: &Memories) -> &Mutex<Vec<Memory<Self>>>;
}

/// What reads alike for both kinds.
macro_rules! real {
    ($Number:ident, $whole:literal, $pool:ident, $sentinel:expr, $Baseline:ty, $Avx2:ty, $Avx512:ty) => {
        impl Real for $Number {
            const ZERO: $Number = 0.0;
            const WHOLE: bool = $whole;
            type Baseline = $Baseline;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = $Avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = $Avx512;

            #[inline(always)]
            fn wide(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn narrow(x: f64) -> $Number {
                x as $Number
            }
            #[inline(always)]
            fn fused(self, a: $Number, b: $Number) -> $Number {
                a.mul_add(b, self)
            }
            #[inline(always)]
            fn unless(self, old: bool) -> $Number {
                // A mask: no branch, and a nan that stands there is no matter.
                $Number::from_bits(self.to_bits() & if old { 0 } else { !0 })
            }
            #[inline(always)]
            fn is_sentinel(self) -> bool {
                self.to_bits() == $sentinel
            }
            fn memories(all: &Memories) -> &Mutex<Vec<Memory<$Number>>> {
                &all.$pool
            }
        }
    };
}

real!(f64, true, wide, SENTINEL.to_bits(), Plain<f64, 2>, Quad, Octet);
// Eight lanes are as many as the parts of a sum, and processors do two such registers at a time.
real!(f32, false, narrow, SHORT_SENTINEL, Plain<f32, 4>, Short, Short);

/// The sentinel as it is in 32 bits: rounding keeps the first bits of a nan.
const SHORT_SENTINEL: u32 = 0x7FC0_0000 | (SENTINEL.to_bits() >> 29) as u32 & 0x003F_FFFF;
