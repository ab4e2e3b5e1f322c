//! How others reach a thread that sleeps in poll(2): a queue, and a socket that becomes readable.
//!
//! Nothing that was put into the queue is lost: once it is closed, whoever comes gets back what it brought.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

/// What waits; none once the queue is closed.
type Queue<T> = Arc<Mutex<Option<Vec<T>>>>;

/// Puts something into the queue. Never waits.
#[derive(Debug)]
pub(super) struct Rope<T> {
    queue: Queue<T>,
    wake: UnixStream,
}

/// What comes out of the queue.
#[derive(Debug)]
pub(super) struct Bell<T> {
    queue: Queue<T>,
    woken: UnixStream,
}

/// Both ends.
///
/// # Errors
/// No descriptor is left.
pub(super) fn bell<T>() -> io::Result<(Rope<T>, Bell<T>)> {
    let queue = Arc::new(Mutex::new(Some(Vec::new())));
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    Ok((Rope { queue: Arc::clone(&queue), wake }, Bell { queue, woken }))
}

impl<T> Rope<T> {
    /// Hands it over.
    ///
    /// # Errors
    /// The queue is closed: what was to be handed over.
    pub(super) fn pull(&self, what: T) -> Result<(), T> {
        match &mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.push(what),
            None => return Err(what),
        }
        // It fails where the socket is full, and then the thread is about to wake.
        let _ = (&self.wake).write(&[1]);
        Ok(())
    }
}

impl<T> Bell<T> {
    /// What has come since the last call.
    pub(super) fn take(&self) -> Vec<T> {
        let mut buffer = [0; 64];
        while matches!((&self.woken).read(&mut buffer), Ok(n) if n == buffer.len()) {}
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes nothing any more: what had come until now.
    pub(super) fn close(&self) -> Vec<T> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl<T> AsFd for Bell<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::bell;

    #[test]
    fn what_comes_after_the_end_is_given_back() {
        let (rope, bell) = bell().expect("descriptors");
        rope.pull(1).expect("open");
        rope.pull(2).expect("open");
        assert_eq!(bell.take(), [1, 2]);
        rope.pull(3).expect("open");
        assert_eq!(bell.close(), [3]);
        assert_eq!(rope.pull(4), Err(4));
        assert_eq!(bell.take(), Vec::<i32>::new());
    }
}
