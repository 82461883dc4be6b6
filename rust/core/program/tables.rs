//! What instructions of many operands look up: terms of sums and dense layers.

/// The first contribution to an adjoint: what stands in its slot is old.
pub const FRESH: u32 = 1 << 31;

/// No target: nobody wants the adjoint.
pub const NOWHERE: u32 = u32::MAX;

/// Where a factor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a slot, a number for every row: the slot's offset.
    Slot(u32),
    /// Among the numbers that all rows share.
    Scalar(u32),
}

impl Place {
    /// The offset, or the place among the shared numbers.
    #[inline(always)]
    pub fn at(self) -> usize {
        match self {
            Place::Slot(at) | Place::Scalar(at) => at as usize,
        }
    }
}

/// `± x` or `± x * y`; of two factors the first is never a shared number.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    pub minus: bool,
    pub x: Place,
    pub y: Option<Place>,
    /// Where the adjoint of `x` goes: a slot's offset with [`FRESH`], or for a shared number a sum.
    pub dx: u32,
    /// The same for `y`.
    pub dy: u32,
}

/// Sums that share the factors of their products: neurons on the same inputs. Each is
/// `start + Σ input * weight (+ bias)`, and its shared numbers stand together in that order.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Offsets of the inputs' slots.
    pub inputs: Vec<u32>,
    /// Offsets of each neuron's slot and of its adjoint's.
    pub outputs: Vec<(u32, u32)>,
    /// Where the shared numbers start.
    pub scalars: u32,
    /// Whether a bias is added at the end.
    pub bias: bool,
    /// Where the sums for the shared numbers' adjoints start.
    pub sums: u32,
    /// The inputs whose adjoints are wanted: number of the input and its adjoint's slot.
    pub targets: Vec<(u32, u32)>,
}

impl Layer {
    /// Shared numbers a neuron: start, weights, bias.
    #[inline(always)]
    pub fn width(&self) -> usize {
        self.inputs.len() + 2
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub terms: Vec<Term>,
    pub layers: Vec<Layer>,
}
