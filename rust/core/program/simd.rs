//! The levels of SIMD: a copy of every kernel for each, chosen when a program is laid out.
//!
//! This is the core's one file with `unsafe` of its own making: kernels see slots through
//! references that the layout keeps apart (the layout checks each instruction), and a copy
//! made for a level must only run on a processor that has it.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;

use super::dense::{self, Pack, Plain};
use super::kernels::{self, Frame, Names, Target};
use super::recording::Test;
use super::tables::FRESH;
use crate::Op;
use crate::number::Lane;
use crate::op::{Rule, rule};

/// A copy of a kernel.
///
/// # Safety
/// The processor has the level that it was made for; the names are those of slots, sums and tables
/// of the frame, and no slot that is written to is also read.
pub type Kernel = unsafe fn(&mut Frame<'_>, &Names);

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    /// What it does.
    pub kernel: Kernel,
    /// What it names.
    pub names: Names,
}

/// What a kernel is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The value of a row of the table.
    Forward(Op),
    /// Its partial derivatives, times the adjoint: for which operands, one bit each.
    Reverse(Op, u8),
    /// A sum of terms.
    Linear,
    /// Its reverse.
    LinearReverse,
    /// A dense layer.
    Layer,
    /// Its reverse.
    LayerReverse,
    /// A guard.
    Check(Test),
    /// A question.
    Ask(Test),
    /// A sum over the lanes.
    Reduce,
}

/// What the processor offers; every level gives the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the kind has: SSE2, or NEON.
    Baseline,
    /// AVX2 and fused multiply-add.
    Avx2,
    /// AVX-512 with its double-word instructions.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the best one last.
    #[must_use]
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut, reason = "other processors have only one")]
        let mut levels = vec![Level::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
                if ["avx512f", "avx512dq", "avx512vl"].iter().all(|f| detected(f)) {
                    levels.push(Level::Avx512);
                }
            }
        }
        levels
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Baseline if cfg!(target_arch = "aarch64") => "NEON",
            Level::Baseline => "baseline",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detected(feature: &str) -> bool {
    match feature {
        "avx512f" => is_x86_feature_detected!("avx512f"),
        "avx512dq" => is_x86_feature_detected!("avx512dq"),
        _ => is_x86_feature_detected!("avx512vl"),
    }
}

impl Instruction {
    /// Runs it.
    #[inline(always)]
    pub fn run(&self, frame: &mut Frame<'_>) {
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
pub fn kernel<const L: usize>(level: Level, work: Work, care: bool) -> Kernel {
    let reverse = matches!(work, Work::Reverse(..) | Work::LinearReverse | Work::LayerReverse);
    // One lane wants fused multiply-add in its adjoints, and nothing else.
    let level = match level {
        Level::Avx512 if L == 1 => Level::Avx2,
        level => level,
    };
    match (level, reverse, care) {
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, true, false) => avx512::reverse::<L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, true, true) => avx512_careful::reverse::<L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, false, _) => avx512::forward::<L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, true, false) => avx2::reverse::<L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, true, true) => avx2_careful::reverse::<L>(work),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, false, _) if L > 1 => avx2::forward::<L>(work),
        (_, true, false) => baseline::reverse::<L>(work),
        (_, true, true) => baseline_careful::reverse::<L>(work),
        (_, false, _) => baseline::forward::<L>(work),
    }
}

/// The lanes at `offset`.
///
/// # Safety
/// No view that is written to overlaps them while they are in use, and the frame outlives it.
#[inline(always)]
unsafe fn read<'a, const L: usize>(frame: &Frame<'_>, offset: u32) -> &'a [f64; L] {
    let lanes = &frame.slots[offset as usize..offset as usize + L];
    // SAFETY: there are L of them; the caller's word.
    unsafe { &*lanes.as_ptr().cast() }
}

/// The lanes at `offset`, to write to.
///
/// # Safety
/// No other view overlaps them while they are in use, and the frame outlives it.
#[inline(always)]
unsafe fn write<'a, const L: usize>(frame: &mut Frame<'_>, offset: u32) -> &'a mut [f64; L] {
    let lanes = &mut frame.slots[offset as usize..offset as usize + L];
    // SAFETY: as in `read`.
    unsafe { &mut *lanes.as_mut_ptr().cast() }
}

/// The adjoint that `name` names.
///
/// # Safety
/// As [`write`] says.
#[inline(always)]
unsafe fn target<'a, const L: usize>(frame: &mut Frame<'_>, name: u32) -> Target<'a, L> {
    // SAFETY: the caller's word.
    Target::new(unsafe { write(frame, name & !FRESH) }, name)
}

/// A register of the processor's, by its instructions. Only the copies of kernels that are made for
/// the level use it, so that the processor has them; and they become part of those copies, which
/// have the features.
#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($Name:ident, $Register:ident, $width:literal, $splat:ident, $load:ident, $store:ident,
        $add:ident, $sub:ident, $mul:ident, $fused:ident, |$packs:ident| $folded:expr, |$sum:ident, $a:ident, $b:ident| $careful:expr) => {
        #[derive(Clone, Copy)]
        struct $Name(arch::$Register);

        impl Pack for $Name {
            const WIDTH: usize = $width;
            #[inline(always)]
            fn splat(x: f64) -> $Name {
                // SAFETY: the processor has the level.
                $Name(unsafe { arch::$splat(x) })
            }
            #[inline(always)]
            fn load(from: &[f64]) -> $Name {
                let from = &from[..$width];
                // SAFETY: the processor has the level; so many numbers stand there.
                $Name(unsafe { arch::$load(from.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [f64]) {
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
            fn folded($packs: [$Name; kernels::PARTS]) -> f64 {
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

/// For each row of the table, a kernel by its number of operands.
macro_rules! by_row {
    ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        fn row_forward<const L: usize>(op: Op) -> Kernel {
            match op {
                $(Op::$Op => by_row!(@forward $arity $Op),)+
                _ => unreachable!("operations of any arity are taken apart"),
            }
        }

        fn row_reverse<const L: usize>(op: Op, of: u8) -> Kernel {
            match op {
                $(Op::$Op => by_row!(@reverse $arity $Op of),)+
                _ => unreachable!("operations of any arity are taken apart"),
            }
        }
    };
    (@forward 1 $Op:ident) => { forward1::<rule::$Op, L> };
    (@forward 2 $Op:ident) => { forward2::<rule::$Op, L> };
    (@forward 3 $Op:ident) => { forward3::<rule::$Op, L> };
    (@reverse 1 $Op:ident $of:ident) => {{ let _ = $of; reverse1::<rule::$Op, L> }};
    (@reverse 2 $Op:ident $of:ident) => {
        match $of {
            1 => reverse2::<rule::$Op, L, 1>,
            2 => reverse2::<rule::$Op, L, 2>,
            _ => reverse2_both::<rule::$Op, L>,
        }
    };
    (@reverse 3 $Op:ident $of:ident) => {
        match $of {
            1 => reverse3::<rule::$Op, L, 1>,
            2 => reverse3::<rule::$Op, L, 2>,
            _ => reverse3::<rule::$Op, L, 4>,
        }
    };
}

/// A copy of all kernels: registers, with care or not, the number for partials, features.
macro_rules! level {
    ($level:ident, $Pack:ty, $care:literal, $Number:ty $(, $features:literal)?) => {
        mod $level {
            use super::*;

            $(#[target_feature(enable = $features)])?
            unsafe fn forward1<R: Rule<1>, const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: the result's slot is no operand's.
                unsafe { kernels::forward::<R, 1, L>(write(frame, n[0]), [read(frame, n[1])]) }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn forward2<R: Rule<2>, const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: as above.
                unsafe {
                    let operands = [read(frame, n[1]), read(frame, n[2])];
                    kernels::forward::<R, 2, L>(write(frame, n[0]), operands);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn forward3<R: Rule<3>, const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: as above.
                unsafe {
                    let operands = [read(frame, n[1]), read(frame, n[2]), read(frame, n[3])];
                    kernels::forward::<R, 3, L>(write(frame, n[0]), operands);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse1<R: Rule<1>, const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: a target's slot is nobody else's.
                unsafe {
                    let [a, x, r] = [read(frame, n[1]), read(frame, n[2]), read(frame, n[3])];
                    let targets = [target(frame, n[0])];
                    kernels::reverse::<R, $Number, 1, L, $care, 1, 1>(targets, a, [x], r);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse2<R: Rule<2>, const L: usize, const OF: u8>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: as above.
                unsafe {
                    let [a, r] = [read(frame, n[2]), read(frame, n[5])];
                    let operands = [read(frame, n[3]), read(frame, n[4])];
                    let targets = [target(frame, n[0])];
                    kernels::reverse::<R, $Number, 2, L, $care, OF, 1>(targets, a, operands, r);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse2_both<R: Rule<2>, const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: as above; the two targets differ.
                unsafe {
                    let [a, r] = [read(frame, n[2]), read(frame, n[5])];
                    let operands = [read(frame, n[3]), read(frame, n[4])];
                    let targets = [target(frame, n[0]), target(frame, n[1])];
                    kernels::reverse::<R, $Number, 2, L, $care, 3, 2>(targets, a, operands, r);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reverse3<R: Rule<3>, const L: usize, const OF: u8>(frame: &mut Frame<'_>, n: &Names) {
                // SAFETY: as above.
                unsafe {
                    let [a, r] = [read(frame, n[1]), read(frame, n[5])];
                    let operands = [read(frame, n[2]), read(frame, n[3]), read(frame, n[4])];
                    let targets = [target(frame, n[0])];
                    kernels::reverse::<R, $Number, 3, L, $care, OF, 1>(targets, a, operands, r);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn linear<const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                if L == 1 {
                    dense::linear::<Plain<1>, 1, 1>(frame, n);
                } else {
                    dense::linear::<$Pack, 8, L>(frame, n);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn linear_reverse<const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                if L == 1 {
                    dense::linear_reverse::<Plain<1>, 1, $care>(frame, n);
                } else {
                    dense::linear_reverse::<$Pack, L, $care>(frame, n);
                }
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn layer(frame: &mut Frame<'_>, n: &Names) {
                dense::layer::<$Pack>(frame, n);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn layer_reverse(frame: &mut Frame<'_>, n: &Names) {
                dense::layer_reverse::<$Pack, $care>(frame, n);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn check<const L: usize, const TEST: u8>(frame: &mut Frame<'_>, n: &Names) {
                kernels::check::<L>(frame, n, Test::ALL[TEST as usize]);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn ask<const L: usize, const TEST: u8>(frame: &mut Frame<'_>, n: &Names) {
                kernels::ask::<L>(frame, n, Test::ALL[TEST as usize]);
            }

            $(#[target_feature(enable = $features)])?
            unsafe fn reduce<const L: usize>(frame: &mut Frame<'_>, n: &Names) {
                kernels::reduce::<L>(frame, n);
            }

            operations!(by_row);

            #[allow(dead_code, reason = "values need no care, and NEON is all that its processors have")]
            pub fn forward<const L: usize>(work: Work) -> Kernel {
                match work {
                    Work::Forward(op) => row_forward::<L>(op),
                    Work::Layer => layer,
                    Work::Check(Test::Less) => check::<L, 0>,
                    Work::Check(Test::LessEqual) => check::<L, 1>,
                    Work::Check(Test::Equal) => check::<L, 2>,
                    Work::Check(Test::Same) => check::<L, 3>,
                    Work::Ask(Test::Less) => ask::<L, 0>,
                    Work::Ask(Test::LessEqual) => ask::<L, 1>,
                    Work::Ask(Test::Equal) => ask::<L, 2>,
                    Work::Ask(Test::Same) => ask::<L, 3>,
                    Work::Reduce => reduce::<L>,
                    _ => linear::<L>,
                }
            }

            pub fn reverse<const L: usize>(work: Work) -> Kernel {
                match work {
                    Work::Reverse(op, of) => row_reverse::<L>(op, of),
                    Work::LayerReverse => layer_reverse,
                    _ => linear_reverse::<L>,
                }
            }
        }
    };
}

level!(baseline, Plain<2>, false, Lane);
level!(baseline_careful, Plain<2>, true, f64);
#[cfg(target_arch = "x86_64")]
level!(avx2, Quad, false, Lane, "avx2,fma");
#[cfg(target_arch = "x86_64")]
level!(avx2_careful, Quad, true, f64, "avx2,fma");
#[cfg(target_arch = "x86_64")]
level!(avx512, Octet, false, Lane, "avx2,fma,avx512f,avx512dq,avx512vl");
#[cfg(target_arch = "x86_64")]
level!(avx512_careful, Octet, true, f64, "avx2,fma,avx512f,avx512dq,avx512vl");
