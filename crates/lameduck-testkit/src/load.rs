//! Loads: many clients at once, each judging each of its requests.

mod fresh;
mod idle;
mod keep_alive;
mod log;
mod random;
mod rude;
mod running;
mod tally;

pub use fresh::Fresh;
pub use idle::Idle;
pub use keep_alive::KeepAlive;
pub use rude::Rude;
pub use running::Running;
pub use tally::Tally;
