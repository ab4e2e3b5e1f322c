//! Loads: many clients at once, each judging each of its requests.

mod ask;
mod crowd;
mod fresh;
mod held;
mod idle;
mod keep_alive;
mod latency;
mod log;
mod random;
mod rude;
mod running;
mod tally;

pub use crowd::{Crowd, CrowdTally, Gathered};
pub use fresh::Fresh;
pub use held::{Held, HeldTally};
pub use idle::Idle;
pub use keep_alive::KeepAlive;
pub use latency::{Latencies, Latency};
pub use rude::Rude;
pub use running::Running;
pub use tally::Tally;
