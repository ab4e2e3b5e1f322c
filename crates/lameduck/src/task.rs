//! Background work: timers, consumers, workers, and the shields and blocking work as the stop sees them. Knows nothing
//! of HTTP or resources.

mod blocking;
mod consumer;
mod failure;
mod gate;
mod handle;
mod judge;
mod outcome;
mod part;
mod policy;
mod pulse;
mod queue;
mod shields;
#[expect(clippy::module_inception, reason = "the folder is named for what it is about")]
mod task;
mod timer;
mod worker;

pub(crate) use self::blocking::BlockingPart;
pub(crate) use self::consumer::consumer;
pub use self::handle::{Consumer, Timer};
pub use self::outcome::Outcome;
pub(crate) use self::part::TaskPart;
pub use self::policy::{Backoff, OnFailure};
pub(crate) use self::queue::channel;
pub use self::queue::{Closed, Queue, TrySendError, Worker};
pub(crate) use self::shields::ShieldsPart;
pub(crate) use self::task::{Kind, Task};
pub(crate) use self::timer::timer;
pub(crate) use self::worker::worker;

#[cfg(test)]
mod tests;
