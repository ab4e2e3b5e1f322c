//! A worker as a part of the service.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::lifecycle::{Lifecycle, Message, ServiceScope, Shared, Within};
use crate::part::{Identity, Life, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};

type Work = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// A worker as a part of the service.
pub(crate) struct WorkerPart {
    identity: Identity,
    shared: Arc<Shared>,
    ending: CancellationToken,
    work: Mutex<Option<Work>>,
    life: Arc<Life>,
    abort: Mutex<Option<AbortHandle>>,
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
            abort: Mutex::new(None),
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
        let work = Within::new(Lifecycle::new(scope, 0), AssertUnwindSafe(work).catch_unwind());
        self.life.begin();
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
            life.end(ended.0, ended.1);
            match failure {
                Some(message) => shared.events().send(Message::Failed { part: name, message }),
                None => shared.events().check(),
            }
        });
        *self.abort.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }

    fn stop(&self) {
        self.life.tell();
        self.ending.cancel();
    }

    fn is_done(&self) -> bool {
        self.life.has_ended() || !self.life.has_begun()
    }

    fn abandon(&self) -> Vec<Stuck> {
        if let Some(abort) = &*self.abort.lock().unwrap_or_else(PoisonError::into_inner) {
            abort.abort();
        }
        let doing = "has not finished its queue";
        vec![self.life.abandon(&self.identity, StuckKind::Worker, doing)]
    }

    fn report(&self) -> Option<PartReport> {
        Some(self.life.report(&self.identity, None))
    }
}
