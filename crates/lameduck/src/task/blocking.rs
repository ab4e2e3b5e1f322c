//! The blocking work of a tier as a part of the service: the stop waits for it until the tier's deadline, and leaves
//! behind what has not ended then.

use std::panic::Location;
use std::sync::Arc;

use crate::lifecycle::Shared;
#[cfg(feature = "admin")]
use crate::part::TaskView;
use crate::part::{Identity, Part, Tier};
use crate::report::{PartReport, Stuck};

/// The blocking work of a tier.
pub(crate) struct BlockingPart {
    identity: Identity,
    shared: Arc<Shared>,
}

impl BlockingPart {
    /// `tier` is the one with which its time is over. No other part may have its name, so it has one that nobody gives.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        tier: Tier,
        place: &'static Location<'static>,
    ) -> BlockingPart {
        let identity = Identity { name: format!("lameduck's blocking work ({tier})"), tier, place };
        BlockingPart { identity, shared: Arc::clone(shared) }
    }
}

impl Part for BlockingPart {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Nothing to tell it: whoever waits looks at `is_cancelled`.
    fn stop(&self) {}

    fn is_done(&self) -> bool {
        self.shared.blocking().is_empty(self.identity.tier)
    }

    fn abandon(&self) -> Vec<Stuck> {
        self.shared.blocking().stuck(self.identity.tier)
    }

    /// What did not end is named among what was stuck.
    fn report(&self) -> Option<PartReport> {
        None
    }

    #[cfg(feature = "admin")]
    fn tasks(&self) -> Vec<TaskView> {
        self.shared.blocking().views(self.identity.tier)
    }
}
