//! What a partial derivative may be computed with: plain numbers, alone or in lanes, and tangents.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::elementary::Lanes;
use crate::kernel::contribution;
use crate::op::{Rule, rule};

macro_rules! trait_and_impls {
    ($r:ident, $c:ident; $($Op:ident($first:ident $(, $rest:ident)*) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        /// A number that the rows of the table can be computed with: the arithmetic operators,
        /// constants, and one method for every row.
        pub trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
            + Div<Output = Self> + Neg<Output = Self>
        {
            /// The number with this value and no derivative.
            fn constant(value: f64) -> Self;
            $(#[doc = $summary] #[must_use] fn $name(self $(, $rest: Self)*) -> Self;)+
        }

        impl Number for f64 {
            #[inline(always)]
            fn constant(value: f64) -> f64 { value }
            $(#[inline(always)]
            fn $name(self $(, $rest: f64)*) -> f64 { rule::$Op::value([self $(, $rest)*]) })+
        }

        impl Number for Lane {
            #[inline(always)]
            fn constant(value: f64) -> Lane { Lane(value) }
            $(#[inline(always)]
            fn $name(self $(, $rest: Lane)*) -> Lane {
                Lane(rule::$Op::compute::<Lanes>([self.0 $(, $rest.0)*]))
            })+
        }

        impl Number for Dual {
            fn constant(value: f64) -> Dual { Dual { value, tangent: 0.0 } }
            $(fn $name(self $(, $rest: Dual)*) -> Dual { chain::<$arity, rule::$Op>([self $(, $rest)*]) })+
        }
    };
}
operations!(trait_and_impls);

/// A plain number in a loop over lanes, which is to stay free of calls: outside the range of a
/// formula it is a nan, be it the sentinel itself or what arithmetic made of it, and whoever runs
/// the loop computes that lane again with `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct Lane(pub f64);

/// A value with its tangent: one pass forwards gives the derivative in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// Derivative of the value in the direction that the leaves' tangents give.
    pub tangent: f64,
}

/// The chain rule forwards: the tangent is the sum of partial derivative times operand's tangent.
fn chain<const A: usize, R: Rule<A>>(x: [Dual; A]) -> Dual {
    let at = x.map(|dual| dual.value);
    let value = R::value(at);
    let partials = R::partials(at, value);
    let tangent = x.iter().zip(partials).map(|(x, p)| contribution(x.tangent, p)).sum();
    Dual { value, tangent }
}

macro_rules! operators {
    ($Type:ident $($Trait:ident $method:ident $($y:ident)?),+) => {
        $(impl $Trait for $Type {
            type Output = $Type;
            #[inline(always)]
            fn $method(self $(, $y: $Type)?) -> $Type { Number::$method(self $(, $y)?) }
        })+
    };
}
operators!(Lane Add add y, Sub sub y, Mul mul y, Div div y, Neg neg);
operators!(Dual Add add y, Sub sub y, Mul mul y, Div div y, Neg neg);
