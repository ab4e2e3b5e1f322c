//! The queue between those who hand work over and the worker that finishes it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::Task;
use crate::part::PartId;

/// The sending side of a worker's queue, and what names the worker in `uses`.
///
/// Clones send into the same queue. A clone that is forgotten somewhere holds nothing open: the queue is
/// closed from the worker's side, once every source is done.
pub struct Worker<T> {
    sender: mpsc::Sender<T>,
    pub(super) id: PartId,
    pub(super) task: Arc<Task>,
}

impl<T> Clone for Worker<T> {
    fn clone(&self) -> Worker<T> {
        Worker { sender: self.sender.clone(), id: self.id.clone(), task: Arc::clone(&self.task) }
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("free", &self.sender.capacity()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Hands an item to the worker; waits while its queue is full.
    ///
    /// # Errors
    /// The worker has ended, or was told to: the item comes back.
    ///
    /// # Cancel safety
    /// If the future is dropped, the item is dropped with it and was not handed over.
    pub async fn send(&self, item: T) -> Result<(), Closed<T>> {
        self.sender.send(item).await.map_err(|error| Closed(error.0))
    }

    /// Hands an item to the worker if its queue has room now.
    ///
    /// # Errors
    /// The queue is full, or the worker has ended or was told to: the item comes back, and the error says which.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.sender.try_send(item).map_err(|error| match error {
            mpsc::error::TrySendError::Full(item) => TrySendError::Full(item),
            mpsc::error::TrySendError::Closed(item) => TrySendError::Closed(item),
        })
    }
}

/// The item that a worker did not take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closed<T>(pub T);

impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed")
    }
}

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the worker takes no more items")
    }
}

impl<T> std::error::Error for Closed<T> {}

/// The item that a worker did not take at once, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// Its queue is full for now.
    Full(T),
    /// It has ended, or was told to.
    Closed(T),
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Closed(_) => "Closed",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("the worker's queue is full"),
            Self::Closed(item) => Closed(item).fmt(f),
        }
    }
}

impl<T> std::error::Error for TrySendError<T> {}

/// Where the receiving side is while no run of the worker has it.
#[derive(Debug)]
pub(crate) struct Home<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    receiver: Option<mpsc::Receiver<T>>,
    closed: bool,
}

impl<T> Home<T> {
    /// The worker has ended: nothing comes back here.
    pub(super) fn close(&self) {
        let receiver = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.closed = true;
            state.receiver.take()
        };
        // Outside of the lock: the items are the user's.
        drop(receiver);
    }

    fn put_back(&self, receiver: mpsc::Receiver<T>) {
        let unwanted = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match state.closed {
                true => Some(receiver),
                false => state.receiver.replace(receiver),
            }
        };
        drop(unwanted);
    }
}

/// The receiving side: what the worker works off.
///
/// Dropped by a worker that fails and is restarted, it keeps what is in it for the next run.
#[derive(Debug)]
pub struct Queue<T> {
    /// Empty only while it drops.
    receiver: Option<mpsc::Receiver<T>>,
    home: Arc<Home<T>>,
    task: Arc<Task>,
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.take() {
            self.home.put_back(receiver);
        }
    }
}

/// The task waits for work as long as this lives.
struct Waiting<'a>(&'a Task);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.busy();
    }
}

impl<T> Queue<T> {
    /// Takes the queue for a run of the worker.
    pub(super) fn leave(home: &Arc<Home<T>>, task: &Arc<Task>) -> Option<Queue<T>> {
        let mut state = home.state.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = Some(state.receiver.take()?);
        Some(Queue { receiver, home: Arc::clone(home), task: Arc::clone(task) })
    }

    /// The next item; `None` once the queue was closed and is empty: then the worker returns.
    ///
    /// Waiting here breaks no promise to beat, and an item that comes is a beat.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<T> {
        let receiver = self.receiver.as_mut()?;
        self.task.idle();
        let _waiting = Waiting(&self.task);
        if !self.task.ending.is_cancelled() {
            tokio::select! {
                biased;
                () = self.task.ending.cancelled() => {}
                item = receiver.recv() => return item,
            }
        }
        // What is in the queue is still handed out; nothing more comes in.
        receiver.close();
        receiver.recv().await
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.receiver.as_ref().map_or(0, mpsc::Receiver::len)
    }

    /// Whether no item waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A queue with room for `capacity` items, that closes when the task is told to end.
pub(crate) fn channel<T>(
    capacity: usize,
    task: &Arc<Task>,
) -> (impl FnOnce(PartId) -> Worker<T>, Arc<Home<T>>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let state = Mutex::new(State { receiver: Some(receiver), closed: false });
    let task = Arc::clone(task);
    (move |id| Worker { sender, id, task }, Arc::new(Home { state }))
}
