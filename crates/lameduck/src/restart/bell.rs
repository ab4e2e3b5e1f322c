//! How others reach a thread that sleeps in poll(2): a queue, and a socket that becomes readable.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

/// Puts something into the queue. Never waits.
#[derive(Debug)]
pub(super) struct Rope<T> {
    sender: mpsc::Sender<T>,
    wake: UnixStream,
}

/// What comes out of the queue.
#[derive(Debug)]
pub(super) struct Bell<T> {
    receiver: mpsc::Receiver<T>,
    woken: UnixStream,
}

/// Both ends.
///
/// # Errors
/// No descriptor is left.
pub(super) fn bell<T>() -> io::Result<(Rope<T>, Bell<T>)> {
    let (sender, receiver) = mpsc::channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    Ok((Rope { sender, wake }, Bell { receiver, woken }))
}

impl<T> Rope<T> {
    /// Says whether anybody will take it.
    pub(super) fn pull(&self, what: T) -> Result<(), T> {
        self.sender.send(what).map_err(|refused| refused.0)?;
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
        self.receiver.try_iter().collect()
    }
}

impl<T> AsFd for Bell<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
