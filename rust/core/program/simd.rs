//! The levels of SIMD: a copy of every kernel for each, chosen when a program is laid out.
//!
//! This is the core's one file with `unsafe` of its own making: kernels see slots through
//! references that the layout keeps apart (the layout checks each instruction), and a copy
//! made for a level must only run on a processor that has it.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::dense::{self, Pack, Plain};
use super::kernels::{self, Frame, Names, Target};
use super::level::Level;
use super::products;
use super::real::Real;
use super::recording::Test;
use super::tables::FRESH;
use super::work::Work;
use crate::Op;
use crate::number::Lane;
use crate::op::{Rule, rule};

/// A copy of a kernel.
///
/// # Safety
/// The processor has the level that it was made for; the names are those of slots, sums and tables
/// of the frame, and no slot that is written to is also read.
pub type Kernel<T> = unsafe fn(&mut Frame<'_, T>, &Names);

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub struct Instruction<T: Real> {
    /// What it does.
    pub kernel: Kernel<T>,
    /// What it names.
    pub names: Names,
}

impl<T: Real> Instruction<T> {
    /// Runs it.
    #[inline(always)]
    pub fn run(&self, frame: &mut Frame<'_, T>) {
        // SAFETY: only sections make instructions: for a level that the processor has, and with
        // slots of their own for whatever is written.
        unsafe { (self.kernel)(frame, &self.names) }
    }
}

/// The copy of a kernel for `level`; one lane needs no wide registers. With care, a product with a
/// factor that is exactly zero is zero in reverse kernels.
///
/// The processor must have the level.
#[must_use]
pub fn kernel<T: Real, const L: usize>(level: Level, work: Work, care: bool) -> Kernel<T> {
    let reverse = matches!(
        work,
        Work::Reverse(..) | Work::LinearReverse | Work::LayerReverse | Work::ProductReverse
    );
    // One lane wants fused multiply-add in its adjoints, and nothing else.
    let level = match level {
        Level::Avx512 if L == 1 => Level::Avx2,
        level => level,
    };
    match (level, reverse, care) {
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, true, false) => avx512::reverse::<T, L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, true, true) => avx512_careful::reverse::<T, L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, false, _) => avx512::forward::<T, L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, true, false) => avx2::reverse::<T, L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, true, true) => avx2_careful::reverse::<T, L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, false, _) if L > 1 => avx2::forward::<T, L>(work),
        (_, true, false) => baseline::reverse::<T, L>(work),
        (_, true, true) => baseline_careful::reverse::<T, L>(work),
        (_, false, _) => baseline::forward::<T, L>(work),
    }
}

/// Where each group of lanes starts.
#[inline(always)]
fn groups<const L: usize>(width: usize) -> impl Iterator<Item = u32> {
    // Kernels for one lane or whole blocks have one group, which the compiler should know.
    let width = if L == kernels::GROUP { width } else { L };
    (0..width as u32).step_by(L)
}

/// The lanes at `offset`.
///
/// # Safety
/// No view that is written to overlaps them while they are in use, and the frame outlives it.
#[inline(always)]
unsafe fn read<'a, T: Real, const L: usize>(frame: &Frame<'_, T>, offset: u32) -> &'a [T; L] {
    let lanes = &frame.slots[offset as usize..offset as usize + L];
    // SAFETY: there are L of them; the caller's word.
    unsafe { &*lanes.as_ptr().cast() }
}

/// The lanes at `offset`, to write to.
///
/// # Safety
/// No other view overlaps them while they are in use, and the frame outlives it.
#[inline(always)]
unsafe fn write<'a, T: Real, const L: usize>(
    frame: &mut Frame<'_, T>,
    offset: u32,
) -> &'a mut [T; L] {
    let lanes = &mut frame.slots[offset as usize..offset as usize + L];
    // SAFETY: as in `read`.
    unsafe { &mut *lanes.as_mut_ptr().cast() }
}

/// The adjoint that `name` names.
///
/// # Safety
/// As [`write`] says.
#[inline(always)]
unsafe fn target<'a, T: Real, const L: usize>(
    frame: &mut Frame<'_, T>,
    name: u32,
) -> Target<'a, T, L> {
    // SAFETY: the caller's word.
    Target::new(unsafe { write(frame, name & !FRESH) }, name)
}

/// Adds the product of two matrices to what stands in `to`, or puts it there.
///
/// Their sizes must fit each other.
pub fn multiply<T: Real>(
    mut to: ArrayViewMut2<'_, T>,
    keep: bool,
    a: &ArrayView2<'_, T>,
    b: &ArrayView2<'_, T>,
) {
    let ((m, k), (l, n)) = (a.dim(), b.dim());
    assert!(to.dim() == (m, n) && k == l, "matrices that fit each other");
    let [(r, rc), (x, xc), (y, yc)] =
        [to.strides(), a.strides(), b.strides()].map(|s| (s[0], s[1]));
    let (one, alone) = (T::one(), gemm::Parallelism::None);
    // SAFETY: pointers, sizes and strides are those of the views, and nobody else writes to `to`.
    unsafe {
        let (to, a, b) = (to.as_mut_ptr(), a.as_ptr(), b.as_ptr());
        gemm::gemm(
            m, n, k, to, rc, r, keep, a, xc, x, b, yc, y, one, one, false, false, false, alone,
        );
    }
}

/// A register of the processor's, by its instructions. Only the copies of kernels that are made for
/// the level use it, so that the processor has them; and they become part of those copies, which
/// have the features.
#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($Name:ident, $Number:ty, $Register:ident, $width:literal, $splat:ident, $load:ident, $store:ident,
        $add:ident, $sub:ident, $mul:ident, $fused:ident, |$packs:ident| $folded:expr, |$sum:ident, $a:ident, $b:ident| $careful:expr) => {
        #[derive(Clone, Copy)]
        pub struct $Name(arch::$Register);

        impl Pack for $Name {
            type Number = $Number;
            const WIDTH: usize = $width;
            #[inline(always)]
            fn splat(x: $Number) -> $Name {
                // SAFETY: the processor has the level.
                $Name(unsafe { arch::$splat(x) })
            }
            #[inline(always)]
            fn load(from: &[$Number]) -> $Name {
                let from = &from[..$width];
                // SAFETY: the processor has the level; so many numbers stand there.
                $Name(unsafe { arch::$load(from.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [$Number]) {
                let to = &mut to[..$width];
                // SAFETY: as above.
                unsafe { arch::$store(to.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn add(self, other: $Name) -> $Name {
                // SAFETY: the processor has the level.
                $Name(unsafe { arch::$add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: $Name) -> $Name {
                // SAFETY: the processor has the level.
                $Name(unsafe { arch::$sub(self.0, other.0) })
            }
            #[inline(always)]
            fn mul(self, other: $Name) -> $Name {
                // SAFETY: the processor has the level.
                $Name(unsafe { arch::$mul(self.0, other.0) })
            }
            #[inline(always)]
            fn folded($packs: [$Name; kernels::PARTS]) -> $Number {
                // SAFETY: the processor has the level.
                unsafe { $folded }
            }
            #[inline(always)]
            fn accumulated<const CARE: bool>(self, a: $Name, b: $Name) -> $Name {
                let ($sum, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: the processor has the level.
                $Name(unsafe { if CARE { $careful } else { arch::$fused($a, $b, $sum) } })
            }
        }
    };
}

/// The sum of four lanes, halves first.
///
/// # Safety
/// The processor has AVX.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn fold_quad(x: arch::__m256d) -> f64 {
    // SAFETY: the caller's word.
    unsafe {
        let pair =
            arch::_mm_add_pd(arch::_mm256_castpd256_pd128(x), arch::_mm256_extractf128_pd::<1>(x));
        arch::_mm_cvtsd_f64(pair) + arch::_mm_cvtsd_f64(arch::_mm_unpackhi_pd(pair, pair))
    }
}

#[cfg(target_arch = "x86_64")]
register!(
    Quad,
    f64,
    __m256d,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    |packs| fold_quad(arch::_mm256_add_pd(packs[0].0, packs[1].0)),
    |sum, a, b| {
        let zero = arch::_mm256_setzero_pd();
        let both = arch::_mm256_and_pd(
            arch::_mm256_cmp_pd::<{ arch::_CMP_NEQ_UQ }>(a, zero),
            arch::_mm256_cmp_pd::<{ arch::_CMP_NEQ_UQ }>(b, zero),
        );
        arch::_mm256_blendv_pd(sum, arch::_mm256_fmadd_pd(a, b, sum), both)
    }
);

#[cfg(target_arch = "x86_64")]
register!(
    Octet,
    f64,
    __m512d,
    8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_fmadd_pd,
    |packs| {
        let x = packs[0].0;
        let (low, high) = (arch::_mm512_castpd512_pd256(x), arch::_mm512_extractf64x4_pd::<1>(x));
        fold_quad(arch::_mm256_add_pd(low, high))
    },
    |sum, a, b| {
        let zero = arch::_mm512_setzero_pd();
        let both = arch::_mm512_cmp_pd_mask::<{ arch::_CMP_NEQ_UQ }>(a, zero)
            & arch::_mm512_cmp_pd_mask::<{ arch::_CMP_NEQ_UQ }>(b, zero);
        arch::_mm512_mask3_fmadd_pd(a, b, sum, both)
    }
);

#[cfg(target_arch = "x86_64")]
register!(
    Short,
    f32,
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    |packs| {
        let mut parts = [0.0; kernels::PARTS];
        arch::_mm256_storeu_ps(parts.as_mut_ptr(), packs[0].0);
        kernels::folded(parts)
    },
    |sum, a, b| {
        let zero = arch::_mm256_setzero_ps();
        let both = arch::_mm256_and_ps(
            arch::_mm256_cmp_ps::<{ arch::_CMP_NEQ_UQ }>(a, zero),
            arch::_mm256_cmp_ps::<{ arch::_CMP_NEQ_UQ }>(b, zero),
        );
        arch::_mm256_blendv_ps(sum, arch::_mm256_fmadd_ps(a, b, sum), both)
    }
);

/// For each row of the table, a kernel by its number of operands.
macro_rules! by_row {
    ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        fn row_forward<T: Real, const L: usize>(op: Op) -> Kernel<T> {
            match op {
                $(Op::$Op => by_row!(@forward $arity $Op),)+
                _ => unreachable!("operations of any arity are taken apart"),
            }
        }

        fn row_reverse<T: Real, const L: usize>(op: Op, of: u8) -> Kernel<T> {
            match op {
                $(Op::$Op => by_row!(@reverse $arity $Op of),)+
                _ => unreachable!("operations of any arity are taken apart"),
            }
        }
    };
    (@forward 1 $Op:ident) => { forward1::<rule::$Op, T, L> };
    (@forward 2 $Op:ident) => { forward2::<rule::$Op, T, L> };
    (@forward 3 $Op:ident) => { forward3::<rule::$Op, T, L> };
    (@reverse 1 $Op:ident $of:ident) => {{ let _ = $of; reverse1::<rule::$Op, T, L> }};
    (@reverse 2 $Op:ident $of:ident) => {
        match $of {
            1 => reverse2::<rule::$Op, T, L, 1, 1>,
            2 => reverse2::<rule::$Op, T, L, 2, 1>,
            _ => reverse2::<rule::$Op, T, L, 3, 2>,
        }
    };
    (@reverse 3 $Op:ident $of:ident) => {
        match $of {
            1 => reverse3::<rule::$Op, T, L, 1>,
            2 => reverse3::<rule::$Op, T, L, 2>,
            _ => reverse3::<rule::$Op, T, L, 4>,
        }
    };
}

/// A copy of all kernels: registers, with care or not, the number for partials, features.
macro_rules! level {
    ($level:ident, $Pack:ident, $care:literal, $Number:ty $(, $features:literal)?) => {
        mod $level {
            use super::*;

            $(#[target_feature(enable = $features)])?
            unsafe fn forward1<R: Rule<1>, T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: the result's slot is no operand's.
                    unsafe { kernels::forward::<R, T, 1, L>(write(frame, n[0] + i), [read(frame, n[1] + i)]) }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn forward2<R: Rule<2>, T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: as above.
                    unsafe {
                        let operands = [read(frame, n[1] + i), read(frame, n[2] + i)];
                        kernels::forward::<R, T, 2, L>(write(frame, n[0] + i), operands);
                    }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn forward3<R: Rule<3>, T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: as above.
                    unsafe {
                        let operands = [1, 2, 3].map(|k: usize| read(frame, n[k] + i));
                        kernels::forward::<R, T, 3, L>(write(frame, n[0] + i), operands);
                    }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse1<R: Rule<1>, T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: a target's slot is nobody else's.
                    unsafe {
                        let [a, x, r] = [1, 2, 3].map(|k: usize| read(frame, n[k] + i));
                        let targets = [target(frame, n[0] + i)];
                        kernels::reverse::<R, T, $Number, 1, L, $care, 1, 1>(targets, a, [x], r);
                    }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse2<R: Rule<2>, T: Real, const L: usize, const OF: u8, const W: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: as above; targets differ.
                    unsafe {
                        let [a, x, y, r] = [2, 3, 4, 5].map(|k: usize| read(frame, n[k] + i));
                        let targets = std::array::from_fn(|k| target(frame, n[k] + i));
                        kernels::reverse::<R, T, $Number, 2, L, $care, OF, W>(targets, a, [x, y], r);
                    }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse3<R: Rule<3>, T: Real, const L: usize, const OF: u8>(frame: &mut Frame<'_, T>, n: &Names) {
                for i in groups::<L>(frame.width) {
                    // SAFETY: as above.
                    unsafe {
                        let [a, x, y, z, r] = [1, 2, 3, 4, 5].map(|k: usize| read(frame, n[k] + i));
                        let targets = [target(frame, n[0] + i)];
                        kernels::reverse::<R, T, $Number, 3, L, $care, OF, 1>(targets, a, [x, y, z], r);
                    }
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn linear<T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                match L {
                    1 => dense::linear::<Plain<T, 1>>(frame, n),
                    _ => dense::linear::<T::$Pack>(frame, n),
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn linear_reverse<T: Real, const L: usize>(frame: &mut Frame<'_, T>, n: &Names) {
                match L {
                    1 => dense::linear_reverse::<Plain<T, 1>, $care>(frame, n),
                    _ => dense::linear_reverse::<T::$Pack, $care>(frame, n),
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn layer<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
                dense::layer::<T::$Pack>(frame, n);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn layer_reverse<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
                dense::layer_reverse::<T::$Pack, $care>(frame, n);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reduce<T: Real>(frame: &mut Frame<'_, T>, n: &Names) {
                kernels::reduce(frame, n);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn check<T: Real, const TEST: u8>(frame: &mut Frame<'_, T>, n: &Names) {
                kernels::check(frame, n, Test::ALL[TEST as usize]);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn ask<T: Real, const TEST: u8>(frame: &mut Frame<'_, T>, n: &Names) {
                kernels::ask(frame, n, Test::ALL[TEST as usize]);
            }

            operations!(by_row);

            #[allow(dead_code, reason = "values need no care, and NEON is all that its processors have")]
            pub fn forward<T: Real, const L: usize>(work: Work) -> Kernel<T> {
                match work {
                    Work::Forward(op) => row_forward::<T, L>(op),
                    Work::Layer => layer::<T>,
                    Work::Product => products::product::<T>,
                    Work::Check(Test::Less) => check::<T, 0>,
                    Work::Check(Test::LessEqual) => check::<T, 1>,
                    Work::Check(Test::Equal) => check::<T, 2>,
                    Work::Check(Test::Same) => check::<T, 3>,
                    Work::Ask(Test::Less) => ask::<T, 0>,
                    Work::Ask(Test::LessEqual) => ask::<T, 1>,
                    Work::Ask(Test::Equal) => ask::<T, 2>,
                    Work::Ask(Test::Same) => ask::<T, 3>,
                    Work::Reduce => reduce::<T>,
                    _ => linear::<T, L>,
                }
            }

            pub fn reverse<T: Real, const L: usize>(work: Work) -> Kernel<T> {
                match work {
                    Work::Reverse(op, of) => row_reverse::<T, L>(op, of),
                    Work::ProductReverse if !$care => products::product_reverse::<T>,
                    Work::LayerReverse | Work::ProductReverse => layer_reverse::<T>,
                    _ => linear_reverse::<T, L>,
                }
            }
        }
    };
}

level!(baseline, Baseline, false, Lane);
level!(baseline_careful, Baseline, true, f64);
#[cfg(target_arch = "x86_64")]
level!(avx2, Avx2, false, Lane, "avx2,fma");
#[cfg(target_arch = "x86_64")]
level!(avx2_careful, Avx2, true, f64, "avx2,fma");
#[cfg(target_arch = "x86_64")]
level!(avx512, Avx512, false, Lane, "avx2,fma,avx512f,avx512dq,avx512vl");
#[cfg(target_arch = "x86_64")]
level!(avx512_careful, Avx512, true, f64, "avx2,fma,avx512f,avx512dq,avx512vl");
