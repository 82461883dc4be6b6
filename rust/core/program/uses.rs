//! What the partial derivatives of a row read, found by computing them with numbers that only
//! remember what they came from. So a program keeps no value longer than its sweep needs.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::{Number, Op};

/// Which of the operands (bits 0 to 2) and the result (bit 3) a number was computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uses {
    bits: u8,
    /// It is the constant 0.
    zero: bool,
}

impl Uses {
    /// Of the operands number `i`.
    pub const fn operand(i: usize) -> Uses {
        Uses { bits: 1 << i, zero: false }
    }

    /// Of the result.
    pub const RESULT: Uses = Uses { bits: 8, zero: false };

    /// Whether operand number `i` is read.
    pub fn reads(self, i: usize) -> bool {
        self.bits >> i & 1 == 1
    }

    /// Whether the result is read.
    pub fn reads_result(self) -> bool {
        self.bits & 8 != 0
    }

    /// Whether the number is the constant 0: nothing ever flows along it.
    pub fn is_zero(self) -> bool {
        self.zero
    }

    fn with(self, other: Uses) -> Uses {
        Uses { bits: self.bits | other.bits, zero: false }
    }
}

/// What each partial derivative of a row reads.
pub fn of(op: Op) -> Vec<Uses> {
    let arity = op.row().operands.len();
    let operands: Vec<Uses> = (0..arity).map(Uses::operand).collect();
    op.partials(&operands, Uses::RESULT).unwrap_or_default()
}

macro_rules! number {
    ($r:ident, $c:ident; $($Op:ident($first:ident $(, $rest:ident)*) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        impl Number for Uses {
            fn constant(value: f64) -> Uses { Uses { bits: 0, zero: value == 0.0 } }
            $(fn $name(self $(, $rest: Uses)*) -> Uses { self$(.with($rest))*.with(Uses { bits: 0, zero: false }) })+
        }
    };
}
operations!(number);

macro_rules! operators {
    ($($Trait:ident $method:ident $($y:ident)?),+) => {
        $(impl $Trait for Uses {
            type Output = Uses;
            fn $method(self $(, $y: Uses)?) -> Uses { Number::$method(self $(, $y)?) }
        })+
    };
}
operators!(Add add y, Sub sub y, Mul mul y, Div div y, Neg neg);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_derivatives_read_what_they_name() {
        let product = of(Op::Mul);
        assert!(product[0].reads(1) && !product[0].reads(0) && !product[0].reads_result());
        assert!(of(Op::Exp)[0].reads_result() && !of(Op::Exp)[0].reads(0));
        assert!(of(Op::Add).iter().all(|uses| uses.bits == 0 && !uses.is_zero()));
        assert!(of(Op::Greater).iter().all(|uses| uses.is_zero()));
    }
}
