//! Programs: recordings that are optimized, laid out and replayed over rows.

mod dense;
mod fuse;
mod graph;
mod kernels;
mod level;
mod paths;
mod plan;
mod products;
mod real;
mod recording;
mod replay;
mod runs;
mod section;
#[allow(unsafe_code)]
mod simd;
mod slots;
mod tables;
mod text;
mod uses;
mod work;

pub use graph::{Graph, Trace};
pub use kernels::LANES;
pub use level::Level;
pub use paths::{Paths, Strange, UNKNOWN};
pub use plan::{Asking, Batch, Numbers, Plan};
pub use real::Real;
pub use recording::{Action, Guard, Recording, Source, Step, Test};
pub use replay::{Caller, End, Memories, Replay, Results, Rows, lay_out};
pub use runs::Runs;
