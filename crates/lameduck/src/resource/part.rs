//! A resource as a part of the service.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;

use crate::Error;
use crate::budget::Span;
use crate::lifecycle::Shared;
use crate::part::{Identity, Life, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};

type Closing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A resource as a part of the service.
pub(crate) struct ResourcePart {
    identity: Identity,
    shared: Arc<Shared>,
    close: Mutex<Option<Box<dyn FnOnce() -> Closing + Send>>>,
    /// Less than the whole close budget, if so chosen.
    limit: Mutex<Option<Duration>>,
    life: Arc<Life>,
}

impl ResourcePart {
    pub(crate) fn new<F>(
        name: &str,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
        close: impl FnOnce() -> F + Send + 'static,
    ) -> ResourcePart
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        ResourcePart {
            identity: Identity { name: name.to_owned(), tier: Tier::Resource, place },
            shared: Arc::clone(shared),
            close: Mutex::new(Some(Box::new(move || Box::pin(close())))),
            limit: Mutex::new(None),
            life: Arc::default(),
        }
    }

    pub(super) fn limit(&self, time: Duration) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
    }
}

impl Part for ResourcePart {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn stop(&self) {
        let Some(close) = self.close.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        self.life.begin();
        self.life.tell();
        let limit = *self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let (life, shared) = (Arc::clone(&self.life), Arc::clone(&self.shared));
        drop(self.shared.runtime().spawn(async move {
            // `close` itself runs here, not on the supervisor thread: it is the user's.
            let closing = AssertUnwindSafe(async move { close().await }).catch_unwind();
            let ended = match limit {
                Some(limit) => tokio::time::timeout(limit, closing).await.ok(),
                None => Some(closing.await),
            };
            let ended = match ended {
                Some(Ok(Ok(()))) => (PartState::Done, None),
                Some(Ok(Err(error))) => (PartState::Failed, Some(error.to_string())),
                Some(Err(panic)) => (PartState::Panicked, Some(crate::panic::message(&*panic))),
                None => {
                    let limit = Span(limit.unwrap_or_default());
                    (PartState::Abandoned, Some(format!("did not close within its {limit}")))
                }
            };
            life.end(ended.0, ended.1);
            shared.events().check();
        }));
    }

    fn is_done(&self) -> bool {
        self.life.has_ended()
    }

    fn abandon(&self) -> Vec<Stuck> {
        vec![self.life.abandon(&self.identity, StuckKind::Resource, "has not closed")]
    }

    fn overdue(&self) -> Option<Stuck> {
        self.life.overdue(&self.identity, StuckKind::Resource)
    }

    fn report(&self) -> Option<PartReport> {
        Some(self.life.report(&self.identity, None))
    }
}
