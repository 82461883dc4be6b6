//! What can go wrong in the core.

use std::fmt;

use crate::kernel::Tag;

/// An error of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The tape holds as many nodes or operands as its 32-bit indices can name.
    TapeFull,
    /// As many values are alive as the tape's tags can name.
    TooManyValues,
    /// Two runs of operands that belong together differ in length.
    Lengths {
        /// Length of the first run.
        first: usize,
        /// Length of the second run.
        second: usize,
    },
    /// An n-ary operation that needs at least one operand got none.
    Empty,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TapeFull => write!(f, "the tape is full: it holds 2^31 nodes or operands"),
            Error::TooManyValues => {
                write!(f, "{} values are alive, more than the tape can name", Tag::MOST_OWNERS)
            }
            Error::Lengths { first, second } => {
                write!(
                    f,
                    "the two runs of operands must have the same length, not {first} and {second}"
                )
            }
            Error::Empty => write!(f, "at least one operand is needed"),
        }
    }
}

impl std::error::Error for Error {}
