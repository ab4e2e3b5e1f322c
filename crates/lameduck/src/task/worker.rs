//! A worker as a part of the service.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::lifecycle::{CURRENT, Lifecycle, Message, ServiceScope, Shared};
use crate::part::{Identity, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};

type Work = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// A worker as a part of the service.
pub(crate) struct WorkerPart {
    identity: Identity,
    shared: Arc<Shared>,
    ending: CancellationToken,
    work: Mutex<Option<Work>>,
    life: Arc<Mutex<Life>>,
}

#[derive(Debug, Default)]
struct Life {
    since: Option<Instant>,
    told: Option<Instant>,
    ended: Option<(PartState, Option<String>)>,
    took: Option<Duration>,
    abort: Option<AbortHandle>,
    abandoned: bool,
}

fn locked(life: &Mutex<Life>) -> std::sync::MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerPart {
    /// A worker that does `work` from the start of the service on; `ending` tells it to end.
    pub(crate) fn new<F>(
        name: &str,
        place: &'static Location<'static>,
        shared: &Arc<Shared>,
        ending: CancellationToken,
        work: F,
    ) -> WorkerPart
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let work: Work = Box::pin(async move { work.await.error() });
        WorkerPart {
            identity: Identity { name: name.to_owned(), tier: Tier::Worker, place },
            shared: Arc::clone(shared),
            ending,
            work: Mutex::new(Some(work)),
            life: Arc::default(),
        }
    }
}

impl Part for WorkerPart {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn start(&self) {
        let Some(work) = self.work.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let (shared, life) = (Arc::clone(&self.shared), Arc::clone(&self.life));
        let name = self.identity.name.clone();
        let scope = Arc::new(ServiceScope(Arc::clone(&shared)));
        let work = CURRENT.scope(Lifecycle::new(scope, 0), AssertUnwindSafe(work).catch_unwind());
        let mut started = locked(&self.life);
        started.since = Some(Instant::now());
        let task = self.shared.runtime().spawn(async move {
            let ended = match work.await {
                Ok(None) => (PartState::Done, None),
                Ok(Some(error)) => (PartState::Failed, Some(error)),
                Err(panic) => (PartState::Panicked, Some(crate::panic::message(&*panic))),
            };
            let failure = match &ended {
                (PartState::Failed, Some(message)) => Some(message.clone()),
                (PartState::Panicked, Some(message)) => Some(format!("panicked: {message}")),
                _ => None,
            };
            {
                let mut life = locked(&life);
                life.took = life.told.map(|told| told.elapsed());
                life.ended = Some(ended);
            }
            match failure {
                Some(message) => shared.events().send(Message::Failed { part: name, message }),
                None => shared.events().check(),
            }
        });
        started.abort = Some(task.abort_handle());
    }

    fn stop(&self) {
        locked(&self.life).told = Some(Instant::now());
        self.ending.cancel();
    }

    fn is_done(&self) -> bool {
        let life = locked(&self.life);
        life.ended.is_some() || life.since.is_none()
    }

    fn abandon(&self) -> Vec<Stuck> {
        let mut life = locked(&self.life);
        life.abandoned = true;
        if let Some(abort) = &life.abort {
            abort.abort();
        }
        vec![Stuck {
            kind: StuckKind::Worker,
            name: self.identity.name.clone(),
            place: self.identity.place.to_string(),
            age: life.told.or(life.since).map(|at| at.elapsed()).unwrap_or_default(),
            doing: "did not finish its queue".to_owned(),
        }]
    }

    fn report(&self) -> PartReport {
        let life = locked(&self.life);
        let (state, detail) = match &life.ended {
            Some((state, detail)) => (*state, detail.clone()),
            None if life.abandoned => (PartState::Abandoned, None),
            None if life.since.is_none() => (PartState::Starting, None),
            None if life.told.is_some() => (PartState::Finishing, None),
            None => (PartState::Running, None),
        };
        PartReport {
            name: self.identity.name.clone(),
            tier: "worker",
            place: self.identity.place.to_string(),
            state,
            took: life.took,
            detail,
        }
    }
}
