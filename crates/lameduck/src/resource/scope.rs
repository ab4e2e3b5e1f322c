//! A resource that closes, as its handle sees it.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::budget::Deadlines;
use crate::lifecycle::{Scope, Shared};
use crate::part::Tier;

/// A resource that closes: its time is over at the close deadline.
pub(super) struct ResourceScope {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
}

impl Scope for ResourceScope {
    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn over(&self) -> &CancellationToken {
        &self.shared.close_over
    }

    fn deadline(&self, deadlines: &Deadlines) -> Instant {
        deadlines.close
    }

    fn tier(&self) -> Tier {
        Tier::Resource
    }

    fn name(&self, _: u32) -> Option<String> {
        Some(format!("resource `{}`", self.name))
    }
}
