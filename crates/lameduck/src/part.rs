//! What the supervisor needs of each part of a service: of a source, a worker, a resource.
//!
//! The supervisor thread calls these methods. None of them may wait or need a runtime thread to make
//! progress: that thread owns the deadlines, and every runtime thread may be blocked.

mod declared;
mod life;
mod registry;
mod view;

use std::fmt;
use std::panic::Location;
use std::time::{Duration, Instant};

use serde::Serialize;

pub use self::declared::Declared;
pub(crate) use self::declared::sealed;
pub(crate) use self::life::Life;
pub(crate) use self::registry::{Entry, PartId, Registry};
pub(crate) use self::view::Progress;
#[cfg(feature = "admin")]
pub(crate) use self::view::TaskView;
#[cfg(feature = "restart")]
use crate::parcel::{Outbox, Parcel};
use crate::report::{PartReport, PartState, Stuck, Totals};

/// How often parts are asked to see to their own deadlines when none of them knows better.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Which of the three tiers a part belongs to. They stop in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// Lets new work in: drains.
    Source,
    /// Finishes work that others hand to it: finishes.
    Worker,
    /// Is used by the others: closes last.
    Resource,
}

impl Tier {
    /// The word used in logs and in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tier::Source => "source",
            Tier::Worker => "worker",
            Tier::Resource => "resource",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who a part is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) tier: Tier,
    /// The source line that declared it.
    pub(crate) place: &'static Location<'static>,
}

/// One part of a service.
pub(crate) trait Part: Send + Sync {
    fn identity(&self) -> &Identity;

    /// Begins its work. Called at most once, when the service becomes ready.
    fn start(&self) {}

    /// Begins to end: a source takes nothing new, a worker gets the end of its queue, a resource closes.
    /// Called at most once.
    fn stop(&self);

    /// Whether it has ended. It may turn true at any time, and a part that ended tells the supervisor so
    /// with [`crate::lifecycle::Events::check`].
    fn is_done(&self) -> bool;

    /// Its deadline has passed: names what still runs, and abandons or cuts it.
    fn abandon(&self) -> Vec<Stuck>;

    /// What it left behind at a deadline of its own, before the tier's.
    fn overdue(&self) -> Option<Stuck> {
        None
    }

    /// The last second of the lame duck has begun.
    fn say_goodbye(&self) {}

    /// Shortly after its deadline: answers for tasks that did not react.
    fn answer_late(&self) {}

    /// The last moment for answers has passed: shuts what is left.
    fn sever(&self) {}

    /// Sees to its own deadlines; says when it wants to be asked next.
    fn tick(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Whether it is a server. In a restart servers take new work from the commit on; the other sources run in one
    /// process only, and so wait until those of the predecessor are at rest.
    #[cfg(feature = "restart")]
    fn is_server(&self) -> bool {
        false
    }

    /// Restart, in the predecessor: gives its idle plaintext HTTP/1 connections to `outbox` from now on, in waves, and
    /// the busy ones as they fall idle; their responses carry no `Connection: close`. It goes on taking new work.
    #[cfg(feature = "restart")]
    fn pass_on(&self, _outbox: &Outbox) {}

    /// Restart, in the predecessor: whether no connection is left that is idle and could be given now.
    #[cfg(feature = "restart")]
    fn is_swept(&self) -> bool {
        true
    }

    /// Restart, in the predecessor, at the commit: takes nothing new from now on, but keeps its listener, its stream,
    /// its rhythm; what cannot be passed on begins to drain. Unlike [`Part::stop`] this can be taken back.
    #[cfg(feature = "restart")]
    fn pause(&self) {}

    /// Restart, in the predecessor: whether nothing is left that it holds, once paused: no run, no message, no
    /// connection.
    #[cfg(feature = "restart")]
    fn is_at_rest(&self) -> bool {
        true
    }

    /// Restart, in the predecessor: there will be no successor. Takes back [`Part::pass_on`] and [`Part::pause`].
    #[cfg(feature = "restart")]
    fn resume(&self) {}

    /// Restart, in the successor: serves adopted connections from now on, though it takes no new ones before
    /// [`Part::start`].
    #[cfg(feature = "restart")]
    fn prepare(&self) {}

    /// Restart, in the successor: whether [`Part::adopt`] can succeed, but for what is wrong with a parcel.
    #[cfg(feature = "restart")]
    fn adopts(&self) -> bool {
        false
    }

    /// Serves a connection that another process, or this one before, has passed on. Gives it back where it cannot:
    /// it is no server of plaintext HTTP/1, or is not prepared, or has begun to stop.
    ///
    /// # Errors
    /// The parcel as it was.
    #[cfg(feature = "restart")]
    fn adopt(&self, parcel: Parcel) -> Result<(), Parcel> {
        Err(parcel)
    }

    /// Restart: whether this process alone holds its listener from now on; before, it is as it was when it came. One
    /// that others hold too is never made deaf, nor is its file removed.
    #[cfg(feature = "restart")]
    fn set_alone(&self, _alone: bool) {}

    /// Its line in the report, if it has one.
    fn report(&self) -> Option<PartReport>;

    /// Whether its end makes the service a failed one.
    fn failed(&self) -> bool {
        let state = self.report().map(|report| report.state);
        matches!(state, Some(PartState::Failed | PartState::Panicked))
    }

    /// The tasks that it is, now.
    #[cfg(feature = "admin")]
    fn tasks(&self) -> Vec<TaskView> {
        Vec::new()
    }

    /// Adds its figures since the start.
    fn count(&self, _totals: &mut Totals) {}
}
