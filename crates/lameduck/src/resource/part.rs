//! A resource as a part of the service.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::task::AbortHandle;

use crate::Error;
use crate::budget::Span;
use crate::lifecycle::{Lifecycle, Shared, Within};
use crate::part::{Identity, Life, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};
use crate::threads::Runs;

use super::scope::ResourceScope;

type Closing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A resource as a part of the service.
pub(crate) struct ResourcePart {
    identity: Identity,
    shared: Arc<Shared>,
    close: Mutex<Option<Box<dyn FnOnce() -> Closing + Send>>>,
    /// Less than the whole close budget, if so chosen.
    limit: Mutex<Option<Duration>>,
    closing: Mutex<Option<Running>>,
    life: Arc<Life>,
    scope: Arc<ResourceScope>,
}

/// A resource that is being closed.
struct Running {
    by: Option<Instant>,
    abort: AbortHandle,
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
            closing: Mutex::new(None),
            life: Arc::default(),
            scope: Arc::new(ResourceScope { shared: Arc::clone(shared), name: name.to_owned() }),
        }
    }

    pub(super) fn limit(&self, time: Duration) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
    }
}

impl ResourcePart {
    fn runs(&self) -> Runs {
        Runs::of(Arc::as_ptr(&self.scope), 0)
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
        let lifecycle = Lifecycle::new(Arc::clone(&self.scope) as _, 0);
        let running = self.shared.runtime().spawn(async move {
            // `close` itself runs here, not on the supervisor thread: it is the user's.
            let closing = AssertUnwindSafe(async move { close().await }).catch_unwind();
            let (state, detail) = match Within::new(lifecycle, closing).await {
                Ok(Ok(())) => (PartState::Done, None),
                Ok(Err(error)) => (PartState::Failed, Some(error.to_string())),
                Err(panic) => (PartState::Panicked, Some(crate::panic::message(&*panic))),
            };
            life.end(state, detail);
            shared.events().check();
        });
        let by = limit.and_then(|limit| Instant::now().checked_add(limit));
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Running { by, abort: running.abort_handle() });
    }

    fn is_done(&self) -> bool {
        self.life.has_ended()
    }

    fn abandon(&self) -> Vec<Stuck> {
        let stuck = self.life.abandon(&self.identity, StuckKind::Resource, "has not closed");
        vec![stuck.runs(self.runs())]
    }

    fn overdue(&self) -> Option<Stuck> {
        let overdue = self.life.overdue(&self.identity, StuckKind::Resource);
        overdue.map(|stuck| stuck.runs(self.runs()))
    }

    /// Ends its own time: here and not by a timer of the runtime, which a `close` that blocks may hold up.
    fn tick(&self, now: Instant) -> Option<Instant> {
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let Running { by, abort } = closing.as_ref()?;
        let by = (*by)?;
        if self.life.has_ended() {
            return None;
        }
        if now < by {
            return Some(by);
        }
        abort.abort();
        let limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_default();
        let detail = format!("did not close within its {}", Span(limit));
        self.life.end(PartState::Abandoned, Some(detail));
        self.shared.events().check();
        None
    }

    fn report(&self) -> Option<PartReport> {
        Some(self.life.report(&self.identity, None))
    }
}
