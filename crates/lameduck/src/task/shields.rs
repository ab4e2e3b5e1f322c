//! The shields as a part of the service: the stop waits for them before workers get the end of their queues,
//! since a shield may still hand work to a worker.

use std::panic::Location;
use std::sync::Arc;

use crate::lifecycle::Shared;
#[cfg(feature = "admin")]
use crate::part::TaskView;
use crate::part::{Identity, Part, Tier};
use crate::report::{PartReport, Stuck};

/// The shields of a service.
pub(crate) struct ShieldsPart {
    identity: Identity,
    shared: Arc<Shared>,
}

impl ShieldsPart {
    /// No other part may have its name, so it has one that nobody gives.
    pub(crate) fn new(shared: &Arc<Shared>, place: &'static Location<'static>) -> ShieldsPart {
        let identity =
            Identity { name: "lameduck's shields".to_owned(), tier: Tier::Worker, place };
        ShieldsPart { identity, shared: Arc::clone(shared) }
    }
}

impl Part for ShieldsPart {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Nothing to tell them: they run to their end.
    fn stop(&self) {}

    fn is_done(&self) -> bool {
        self.shared.shields().len() == 0
    }

    fn abandon(&self) -> Vec<Stuck> {
        let stuck = self.shared.shields().stuck();
        self.shared.finish_over.cancel();
        stuck
    }

    #[cfg(feature = "admin")]
    fn tasks(&self) -> Vec<TaskView> {
        self.shared.shields().views()
    }

    /// Shields that did not end are named among what was stuck.
    fn report(&self) -> Option<PartReport> {
        None
    }
}
