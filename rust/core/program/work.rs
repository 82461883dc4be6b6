//! What an instruction does.

use super::recording::Test;
use crate::Op;

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
    /// A large dense layer, as a product of matrices.
    Product,
    /// Its reverse.
    ProductReverse,
    /// A guard.
    Check(Test),
    /// A question.
    Ask(Test),
    /// A sum over the lanes.
    Reduce,
}
