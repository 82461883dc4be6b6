//! Programs: recordings that are optimised, laid out and replayed over rows.

mod recording;

pub use recording::{Action, Guard, Recording, Source, Step, Test};
