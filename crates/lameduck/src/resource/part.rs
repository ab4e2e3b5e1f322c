//! A resource as a part of the service.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::Error;
use crate::budget::Span;
use crate::lifecycle::Shared;
use crate::part::{Identity, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};

type Closing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A resource as a part of the service.
pub(crate) struct ResourcePart {
    identity: Identity,
    shared: Arc<Shared>,
    close: Mutex<Option<Box<dyn FnOnce() -> Closing + Send>>>,
    life: Arc<Mutex<Life>>,
}

#[derive(Debug, Default)]
struct Life {
    limit: Option<Duration>,
    told: Option<Instant>,
    ended: Option<(PartState, Option<String>)>,
    took: Option<Duration>,
    /// Left behind at its own limit.
    overdue: bool,
}

fn locked(life: &Mutex<Life>) -> std::sync::MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
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
            life: Arc::default(),
        }
    }

    pub(super) fn limit(&self, time: Duration) {
        locked(&self.life).limit = Some(time);
    }

    fn stuck(&self, age: Duration, doing: &str) -> Stuck {
        Stuck {
            kind: StuckKind::Resource,
            name: self.identity.name.clone(),
            place: self.identity.place.to_string(),
            age,
            doing: doing.to_owned(),
        }
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
        let limit = {
            let mut life = locked(&self.life);
            life.told = Some(Instant::now());
            life.limit
        };
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
            {
                let mut life = locked(&life);
                life.took = life.told.map(|told| told.elapsed());
                // The tier's deadline may have come first: then it was named there.
                if life.ended.is_none() {
                    life.overdue = ended.0 == PartState::Abandoned;
                    life.ended = Some(ended);
                }
            }
            shared.events().check();
        }));
    }

    fn is_done(&self) -> bool {
        locked(&self.life).ended.is_some()
    }

    fn abandon(&self) -> Vec<Stuck> {
        let mut life = locked(&self.life);
        life.ended.get_or_insert((PartState::Abandoned, None));
        let age = life.told.map(|told| told.elapsed()).unwrap_or_default();
        vec![self.stuck(age, "closing")]
    }

    fn overdue(&self) -> Option<Stuck> {
        let life = locked(&self.life);
        let doing = life.ended.as_ref().and_then(|(_, detail)| detail.as_deref());
        let age = life.took.unwrap_or_default();
        life.overdue.then(|| self.stuck(age, doing.unwrap_or("closing")))
    }

    fn report(&self) -> PartReport {
        let life = locked(&self.life);
        let (state, detail) = match &life.ended {
            Some((state, detail)) => (*state, detail.clone()),
            None if life.told.is_some() => (PartState::Finishing, None),
            None => (PartState::Running, None),
        };
        PartReport {
            name: self.identity.name.clone(),
            tier: "resource",
            place: self.identity.place.to_string(),
            state,
            took: life.took,
            detail,
        }
    }
}
