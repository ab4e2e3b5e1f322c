//! What the cases ask of a load, whatever it is made of.

use std::time::{Duration, Instant};

use lameduck_testkit::{Running, Tally};

/// A load under way.
pub(crate) trait Load: Send {
    /// How many requests were answered so far.
    fn answered(&self) -> u64;
    /// Says when the server was told to stop: from here on a client that is refused is at its end.
    fn signalled(&self, at: Instant);
    /// Tells the clients to end after the request under way.
    fn stop(&self);
    /// Waits for the clients' ends and counts.
    fn tally(self: Box<Self>) -> Tally;
}

/// The longest that the clients of a load may need to find out that the server is gone: one whose SYN was dropped
/// asks again after a second, one whose second SYN was dropped as well two seconds later.
pub(crate) const ENDED: Duration = Duration::from_secs(10);

impl Load for Running {
    fn answered(&self) -> u64 {
        Running::answered(self)
    }

    fn signalled(&self, at: Instant) {
        Running::signalled(self, at);
    }

    fn stop(&self) {
        Running::stop(self);
    }

    fn tally(self: Box<Self>) -> Tally {
        self.wait(ENDED)
    }
}
