//! What a setup gets for a task that it declared.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::policy::OnFailure;
use super::queue::Worker;
use super::task::Task;
use crate::part::{Declared, PartId, sealed};

/// A timer that a setup declared.
#[derive(Clone)]
pub struct Timer {
    id: PartId,
    task: Arc<Task>,
}

/// A consumer that a setup declared.
#[derive(Clone)]
pub struct Consumer {
    id: PartId,
    task: Arc<Task>,
}

impl Timer {
    pub(crate) fn new(id: PartId, task: Arc<Task>) -> Timer {
        Timer { id, task }
    }
}

impl Consumer {
    pub(crate) fn new(id: PartId, task: Arc<Task>) -> Consumer {
        Consumer { id, task }
    }

    /// How many messages it handles at once. Default 1: one after the other, in the order in which they come.
    pub fn concurrency(self, count: usize) -> Consumer {
        self.task.set(|settings| settings.concurrency = count.max(1));
        self
    }
}

/// What all three kinds of tasks have in common.
macro_rules! handle {
    ($name:ident $(<$item:ident>)?) => {
        impl $(<$item>)? $name $(<$item>)? {
            /// Says that this task uses another part, which so stops after it.
            pub fn uses(self, used: &impl Declared) -> Self {
                self.id.uses(used.id());
                self
            }

            /// Promises that, while it is at work, the task beats at least so often:
            /// [`Lifecycle::beat`](crate::Lifecycle::beat), or `progress`, or by taking up the next piece of work. One
            /// that does not is **hung**: a warning with its name and source line, `/tasks`, a metric. It is judged
            /// once a second, more often where the promise is shorter than four; never too early.
            ///
            /// Without a promise there is no verdict. A task that waits for work breaks none.
            pub fn beats_within(self, time: Duration) -> Self {
                self.task.set(|settings| settings.promise = Some(time));
                self
            }

            /// `/livez` says 503 while this task is hung, so that the platform restarts the service; only until the
            /// drain begins, since the exit is bounded anyhow. Needs a promise.
            pub fn fails_livez(self) -> Self {
                self.task.set(|settings| settings.fails_livez = true);
                self
            }

            /// What an error or a panic of the task does. Default: it brings the service down in order.
            pub fn on_failure(self, does: OnFailure) -> Self {
                self.task.set(|settings| settings.on_failure = does);
                self
            }
        }

        impl $(<$item>)? Declared for $name $(<$item>)? {}
        impl $(<$item>)? sealed::Sealed for $name $(<$item>)? {
            fn id(&self) -> &PartId {
                &self.id
            }
        }
    };
}

handle!(Timer);
handle!(Consumer);
handle!(Worker<T>);

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timer").field(&self.task).finish()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Consumer").field(&self.task).finish()
    }
}
