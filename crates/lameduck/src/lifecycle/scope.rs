//! Whom a [`Lifecycle`] speaks for.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::budget::Deadlines;
use crate::part::Tier;

/// Whom a handle speaks for: a connection's request, a task, the whole service.
pub(crate) trait Scope: Send + Sync {
    fn shared(&self) -> &Arc<Shared>;

    /// Cancelled when its time is over.
    fn over(&self) -> &CancellationToken;

    /// When its time is over.
    fn deadline(&self, deadlines: &Deadlines) -> Instant;

    /// The tier with which its time is over.
    fn tier(&self) -> Tier {
        Tier::Source
    }

    /// Who it is, for the report on what it left behind.
    fn name(&self, _key: u32) -> Option<String> {
        None
    }

    /// Keeps what it says about itself.
    fn note(&self, _key: u32, _text: String) {}

    /// It is alive.
    fn beat(&self) {}

    /// How far it is; 0 for a total that is not known.
    fn progress(&self, _key: u32, _done: u64, _of: u64) {}

    /// Keeps the route that matched.
    #[cfg(feature = "axum")]
    fn route(&self, _key: u32, _route: Arc<str>) {}
}

/// The service as a whole, its workers and shields: their time is over at the finish deadline.
pub(crate) struct ServiceScope(pub(crate) Arc<Shared>);

impl Scope for ServiceScope {
    fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    fn over(&self) -> &CancellationToken {
        &self.0.finish_over
    }

    fn deadline(&self, deadlines: &Deadlines) -> Instant {
        deadlines.finish
    }

    fn tier(&self) -> Tier {
        Tier::Worker
    }
}
