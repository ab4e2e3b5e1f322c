//! A task as a part of the service: the same for all three kinds.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::task::AbortHandle;
use tracing::Level;

use super::Task;
use super::failure::{Ended, Failure};
use crate::lifecycle::{Lifecycle, Message, Within};
#[cfg(feature = "admin")]
use crate::part::TaskView;
use crate::part::{Identity, Part, Tier};
use crate::report::{PartReport, PartState, Stuck, StuckKind};
use crate::threads::Runs;

type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// A task as a part of the service.
pub(crate) struct TaskPart {
    task: Arc<Task>,
    work: Mutex<Option<Running>>,
    abort: Mutex<Option<AbortHandle>>,
}

impl TaskPart {
    /// A task that does `work` from the start of the service on. Nothing of the user's runs before that.
    pub(crate) fn new(
        task: &Arc<Task>,
        work: impl Future<Output = Ended> + Send + 'static,
    ) -> TaskPart {
        TaskPart {
            task: Arc::clone(task),
            work: Mutex::new(Some(Box::pin(work))),
            abort: Mutex::new(None),
        }
    }
}

impl Part for TaskPart {
    fn identity(&self) -> &Identity {
        &self.task.identity
    }

    fn start(&self) {
        let Some(work) = self.work.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let task = Arc::clone(&self.task);
        let lifecycle = Lifecycle::new(Arc::clone(&task) as _, 0);
        let work = Within::new(lifecycle, AssertUnwindSafe(work).catch_unwind());
        task.life.begin();
        task.busy();
        let running = self.task.shared.runtime().spawn(async move {
            // A panic of what the user gave is caught where it runs; this one is of its drop.
            let ended = work.await.unwrap_or_else(|panic| Err(Failure::panic(&*panic)));
            let failure = ended.as_ref().err().map(Failure::to_string);
            task.end(ended);
            let events = task.shared.events();
            let part = task.identity.name.clone();
            match failure {
                Some(message) if !task.is_ignored() => {
                    events.send(Message::Failed { part, message });
                }
                Some(message) => {
                    let place = task.identity.place;
                    events.say(Level::WARN, format!("`{part}` ({place}) has ended: {message}"));
                }
                None => {}
            }
            events.check();
        });
        *self.abort.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.abort_handle());
    }

    fn stop(&self) {
        self.task.life.tell();
        self.task.ending.cancel();
    }

    fn is_done(&self) -> bool {
        self.task.life.has_ended() || !self.task.life.has_begun()
    }

    fn abandon(&self) -> Vec<Stuck> {
        if let Some(abort) = &*self.abort.lock().unwrap_or_else(PoisonError::into_inner) {
            abort.abort();
        }
        let kind = match self.task.identity.tier {
            Tier::Source => StuckKind::Source,
            Tier::Worker | Tier::Resource => StuckKind::Worker,
        };
        let doing = self.task.doing(Instant::now());
        let stuck = self.task.life.abandon(&self.task.identity, kind, &doing);
        vec![stuck.runs(Runs::of(Arc::as_ptr(&self.task), 0))]
    }

    fn tick(&self, now: Instant) -> Option<Instant> {
        self.task.look(now)
    }

    #[cfg(feature = "restart")]
    fn pause(&self) {
        if self.task.identity.tier == Tier::Source {
            self.task.gate.shut();
        }
    }

    #[cfg(feature = "restart")]
    fn is_at_rest(&self) -> bool {
        self.task.identity.tier != Tier::Source || self.is_done() || self.task.gate.is_at_rest()
    }

    #[cfg(feature = "restart")]
    fn resume(&self) {
        self.task.gate.open();
    }

    fn report(&self) -> Option<PartReport> {
        Some(self.task.life.report(&self.task.identity, self.task.detail()))
    }

    fn failed(&self) -> bool {
        let state = self.task.life.state();
        matches!(state, PartState::Failed | PartState::Panicked) && !self.task.is_ignored()
    }

    #[cfg(feature = "admin")]
    fn tasks(&self) -> Vec<TaskView> {
        vec![self.task.view(Instant::now())]
    }
}
