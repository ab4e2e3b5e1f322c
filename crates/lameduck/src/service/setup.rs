//! What a setup declares the parts of a service with.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;

#[cfg(feature = "http1")]
use super::sockets::Sockets;
use crate::Error;
#[cfg(feature = "http1")]
use crate::budget::Budget;
use crate::lifecycle::{Lifecycle, ServiceScope, Shared};
use crate::part::{PartId, Tier};
use crate::resource::{Close, Resource, ResourcePart};
use crate::task::{
    self, BlockingPart, Consumer, Kind, Outcome as TaskOutcome, Queue, ShieldsPart, Task, TaskPart,
    Timer, Worker,
};

/// What a setup declares the parts of a service with. What its methods return are owned handles, so that one
/// can be moved into what uses it.
///
/// Declaring begins nothing but listening: workers and servers start once the setup has returned `Ok`, each
/// after what it uses. A declaration that fails (an address in use) fails the start when the setup returns.
#[derive(Debug)]
pub struct Setup {
    pub(super) shared: Arc<Shared>,
    #[cfg(feature = "http1")]
    pub(super) budget: Budget,
    #[cfg(feature = "http1")]
    pub(super) sockets: Sockets,
    /// The first thing that went wrong in a declaration.
    pub(super) failed: Option<Error>,
    shields: PartId,
}

impl Setup {
    pub(super) fn new(
        shared: &Arc<Shared>,
        #[cfg(feature = "http1")] budget: Budget,
        #[cfg(feature = "http1")] sockets: Sockets,
        place: &'static Location<'static>,
    ) -> Setup {
        let shields = shared.registry().add(Arc::new(ShieldsPart::new(shared, place)));
        for tier in [Tier::Source, Tier::Worker, Tier::Resource] {
            drop(shared.registry().add(Arc::new(BlockingPart::new(shared, tier, place))));
        }
        Setup {
            shared: Arc::clone(shared),
            #[cfg(feature = "http1")]
            budget,
            #[cfg(feature = "http1")]
            sockets,
            failed: None,
            shields,
        }
    }

    /// The handle to the service as a whole: for what is neither a request nor a worker.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        Lifecycle::new(Arc::new(ServiceScope(Arc::clone(&self.shared))), 0)
    }

    /// Declares a timer: a source that runs something once a period, the first time when the service is ready. Runs
    /// never overlap, and ticks that were missed while one took longer are skipped.
    ///
    /// Once the drain has begun no run starts; one in progress ends, until the drain deadline. A run that may take
    /// long looks at [`Lifecycle::is_draining`] where it can stop, and says by `note` or `progress` where it did.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn declare(shop: &mut lameduck::Setup) {
    /// let settle = async || Ok::<_, lameduck::Error>(());
    /// shop.every("settle", Duration::from_secs(60), settle).beats_within(Duration::from_secs(30));
    /// # }
    /// ```
    #[track_caller]
    pub fn every<R, F>(&mut self, name: &str, period: Duration, run: R) -> Timer
    where
        R: FnMut() -> F + Send + 'static,
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let task = Task::new(name, Kind::Timer, Location::caller(), &self.shared);
        let part = TaskPart::new(&task, task::timer(Arc::clone(&task), period, run));
        Timer::new(self.shared.registry().add(Arc::new(part)), task)
    }

    /// Declares a consumer: a source over a stream of messages. `handle` gets each, one after the other unless
    /// [`Consumer::concurrency`] says otherwise; each is handled on a task of its own.
    ///
    /// Once the drain has begun the stream is not asked for more and is dropped, and what is in hand ends, until the
    /// drain deadline. So acknowledge a message at the end of `handle`. A stream that ends is a consumer that is done;
    /// an error in it is an item, for `handle` to judge. A stream that panics ends the consumer whatever its policy.
    #[track_caller]
    pub fn consume<S, H, F>(&mut self, name: &str, messages: S, handle: H) -> Consumer
    where
        S: Stream + Send + 'static,
        S::Item: Send + 'static,
        H: FnMut(S::Item) -> F + Send + 'static,
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let task = Task::new(name, Kind::Consumer, Location::caller(), &self.shared);
        let part = TaskPart::new(&task, task::consumer(Arc::clone(&task), messages, handle));
        Consumer::new(self.shared.registry().add(Arc::new(part)), task)
    }

    /// Declares a worker: a task that finishes work which others hand to it. `work` gets the queue, the caller
    /// the handle that sends into it; `capacity` is how many items may wait (at least 1). `work` is called when the
    /// service is ready, and again only where [`Worker::on_failure`] says so.
    ///
    /// In the stop the queue is closed once every source and shield is done; the worker then works off what is
    /// left, gets `None`, and returns. A worker that returns an error or panics brings the service down, unless it
    /// was given another policy.
    #[track_caller]
    pub fn worker<T, F, W>(&mut self, name: &str, capacity: usize, work: W) -> Worker<T>
    where
        T: Send + 'static,
        W: FnMut(Queue<T>) -> F + Send + 'static,
        F: Future<Output: TaskOutcome> + Send + 'static,
    {
        let task = Task::new(name, Kind::Worker, Location::caller(), &self.shared);
        let (handle, home) = task::channel(capacity, &task);
        let part = TaskPart::new(&task, task::worker(Arc::clone(&task), home, work));
        let id = self.shared.registry().add(Arc::new(part));
        // A shield may still hand work to any worker.
        self.shields.uses(&id);
        handle(id)
    }

    /// Declares a resource: something that the others use, and that closes when none of its users is left.
    #[track_caller]
    pub fn resource<R: Close>(&mut self, name: &str, resource: R) -> Resource<R> {
        self.resource_with(name, resource, Close::close)
    }

    /// Declares a resource that `close` closes.
    #[track_caller]
    pub fn resource_with<R, C, F>(&mut self, name: &str, resource: R, close: C) -> Resource<R>
    where
        R: Clone + Send + Sync + 'static,
        C: FnOnce(R) -> F + Send + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let value = resource.clone();
        let part = ResourcePart::new(name, Location::caller(), &self.shared, || close(value));
        let part = Arc::new(part);
        let id = self.shared.registry().add(Arc::clone(&part) as _);
        Resource::new(resource, id, part)
    }

    /// Calls this on SIGHUP, on a thread of its own, in the place of what [`Service`](crate::Service) chose: for what
    /// the setup itself has opened. Of several the last one counts. Only `run` takes signals.
    pub fn on_hangup(&mut self, reload: impl Fn() + Send + Sync + 'static) {
        self.shared.set_reload(Arc::new(reload));
    }

    /// What went wrong in a declaration.
    pub(super) fn result(&mut self) -> Result<(), Error> {
        self.failed.take().map_or(Ok(()), Err)
    }
}
