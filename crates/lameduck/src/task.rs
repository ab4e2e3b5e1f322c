//! Background work: workers, and the shields as the stop sees them. Knows nothing of HTTP or resources.

mod outcome;
mod queue;
mod shields;
mod worker;

pub use self::outcome::Outcome;
pub(crate) use self::queue::channel;
pub use self::queue::{Closed, Queue, Worker};
pub(crate) use self::shields::ShieldsPart;
pub(crate) use self::worker::WorkerPart;
