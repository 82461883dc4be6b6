//! gradtape's core: a tape (Wengert list) of scalar operations and its reverse sweep.
//!
//! The crate knows nothing of Python. Its modules, from the ground up:
//!
//! - [`op`]: the one table of operations; [`number`]: what its formulas are computed with;
//!   [`elementary`]: functions that round alike one by one and in lanes,
//! - [`kernel`]: the reverse sweep over nodes,
//! - [`tape`]: recording and garbage collection,
//! - [`program`]: recordings replayed over rows.
#![deny(unsafe_code)]

#[macro_use]
pub mod op; // first: the others expand its table
pub mod elementary;
pub mod error;
pub mod formula;
pub mod kernel;
pub mod number;
pub mod optimizer;
pub mod program;
mod special;
pub mod tape;

pub use error::Error;
pub use number::{Dual, Lane, Number};
pub use op::{Op, Rule, rule};
pub use tape::{Operand, Tape};
