//! The queue between those who hand work over and the worker that finishes it.

use std::fmt;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::part::{Declared, PartId, sealed};

/// The sending side of a worker's queue, and what names the worker in `uses`.
///
/// Clones send into the same queue. A clone that is forgotten somewhere holds nothing open: the queue is
/// closed from the worker's side, once every source is done.
pub struct Worker<T> {
    sender: mpsc::Sender<T>,
    id: PartId,
}

impl<T> Clone for Worker<T> {
    fn clone(&self) -> Worker<T> {
        Worker { sender: self.sender.clone(), id: self.id.clone() }
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
    /// The queue is full, or the worker has ended or was told to: the item comes back.
    pub fn try_send(&self, item: T) -> Result<(), Closed<T>> {
        self.sender.try_send(item).map_err(|error| match error {
            mpsc::error::TrySendError::Full(item) | mpsc::error::TrySendError::Closed(item) => {
                Closed(item)
            }
        })
    }

    /// Says that this worker uses another part, which so stops after it.
    #[must_use]
    pub fn uses(self, used: &impl Declared) -> Worker<T> {
        self.id.uses(used.id());
        self
    }
}

impl<T> Declared for Worker<T> {}
impl<T> sealed::Sealed for Worker<T> {
    fn id(&self) -> &PartId {
        &self.id
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

/// The receiving side: what the worker works off.
#[derive(Debug)]
pub struct Queue<T> {
    receiver: mpsc::Receiver<T>,
    ending: CancellationToken,
}

impl<T> Queue<T> {
    /// The next item; `None` once the queue was closed and is empty: then the worker returns.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<T> {
        if !self.ending.is_cancelled() {
            tokio::select! {
                biased;
                () = self.ending.cancelled() => {}
                item = self.receiver.recv() => return item,
            }
        }
        // What is in the queue is still handed out; nothing more comes in.
        self.receiver.close();
        self.receiver.recv().await
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether no item waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

/// A queue with room for `capacity` items; `ending` closes it.
pub(crate) fn channel<T>(
    capacity: usize,
    ending: CancellationToken,
) -> (impl FnOnce(PartId) -> Worker<T>, Queue<T>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (move |id| Worker { sender, id }, Queue { receiver, ending })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> (mpsc::Sender<u32>, Queue<u32>, CancellationToken) {
        let ending = CancellationToken::new();
        let (sender, receiver) = mpsc::channel(4);
        (sender, Queue { receiver, ending: ending.clone() }, ending)
    }

    #[tokio::test]
    async fn what_was_handed_over_before_the_end_is_worked_off() {
        let (sender, mut queue, ending) = queue();
        sender.send(1).await.unwrap();
        sender.send(2).await.unwrap();
        ending.cancel();
        assert_eq!(queue.recv().await, Some(1));
        assert!(sender.send(3).await.is_err(), "closed from the receiving side");
        assert_eq!(queue.recv().await, Some(2));
        assert_eq!(queue.recv().await, None);
    }

    #[tokio::test]
    async fn a_forgotten_sender_does_not_hold_the_queue_open() {
        let (_forgotten, mut queue, ending) = queue();
        ending.cancel();
        assert_eq!(queue.recv().await, None);
    }
}
