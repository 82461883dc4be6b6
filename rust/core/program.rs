//! Programs: recordings that are optimized, laid out and replayed over rows.

mod dense;
mod fuse;
mod graph;
mod kernels;
mod paths;
mod plan;
mod recording;
mod replay;
mod section;
#[allow(unsafe_code)]
mod simd;
mod slots;
mod tables;
mod text;
mod uses;

pub use graph::{Graph, Trace};
pub use kernels::LANES;
pub use paths::{Paths, Strange, UNKNOWN};
pub use plan::{Asking, Batch, Plan};
pub use recording::{Action, Guard, Recording, Source, Step, Test};
pub use replay::{Caller, End, Memories, Results, Rows};
pub use simd::Level;
