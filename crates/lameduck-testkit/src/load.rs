//! Loads: many clients at once, each judging each of its requests.

mod fresh;
mod keep_alive;
mod log;
mod random;
mod running;
mod tally;

pub use fresh::Fresh;
pub use keep_alive::KeepAlive;
pub use running::Running;
pub use tally::Tally;
