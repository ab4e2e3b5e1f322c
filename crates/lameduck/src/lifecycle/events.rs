//! What tasks tell the supervisor thread. Sending never waits.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::{fmt, io};

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Message {
    /// The setup returned and its parts are in order.
    Started,
    /// The setup failed: why.
    StartFailed(String),
    /// Nothing of the setup is left: it returned, or was dropped.
    SetupOver,
    /// A reload that a SIGHUP began is over.
    Reloaded,
    /// A stop was begun from code: why.
    Stop { reason: String },
    /// A part failed and brings the service down.
    Failed { part: String, message: String },
    /// A line for the log. A subscriber may block whoever logs, and that must not be the runtime's thread that
    /// accepts, nor the main thread before the supervisor is there.
    Say(tracing::Level, String),
    /// A part may have ended: look.
    Check,
    /// A restart was begun from code.
    #[cfg(feature = "restart")]
    Restart,
    /// A hand-over between two processes has come so far.
    #[cfg(feature = "restart")]
    HandOver(HandOver),
}

/// How far a hand-over between predecessor and successor has come.
#[cfg(feature = "restart")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandOver {
    /// In the predecessor: parts have been told something that their next tick carries out.
    Told,
    /// In the predecessor: this process serves from now on.
    Committed { successor: u32 },
    /// In the predecessor: the successor, this process, has served since this time, and all is given.
    Given { successor: u32, since: std::time::Instant },
    /// In the predecessor: there is no successor, and this process serves as before.
    Failed,
    /// In the successor: take new work now, but for timers and consumers.
    Commit,
    /// In the successor: timers and consumers may run.
    Background,
    /// In the successor: the predecessor passes on nothing more.
    Free,
    /// In the successor: the predecessor is gone, and nobody else holds the sockets.
    Alone,
    /// In the successor: the predecessor does not want it.
    CalledOff,
}

/// The sending half.
pub(crate) struct Events {
    sender: mpsc::Sender<Message>,
    wake: UnixStream,
}

impl Events {
    /// A sender and the inbox that it fills.
    ///
    /// # Errors
    /// No descriptor is left for the pair that wakes the thread.
    pub(crate) fn channel() -> io::Result<(Events, Inbox)> {
        let (sender, receiver) = mpsc::channel();
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok((Events { sender, wake }, Inbox { receiver, woken }))
    }

    pub(crate) fn send(&self, message: Message) {
        // Both fail only when the supervisor is gone (nobody is left to tell) or its pipe is full (it is
        // about to wake).
        let _ = self.sender.send(message);
        let _ = (&self.wake).write(&[1]);
    }

    /// Has a line logged.
    pub(crate) fn say(&self, level: tracing::Level, text: impl Into<String>) {
        self.send(Message::Say(level, text.into()));
    }

    /// Asks the supervisor to look whether parts have ended.
    pub(crate) fn check(&self) {
        self.send(Message::Check);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// The receiving half: the supervisor waits on its descriptor.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Message>,
    woken: UnixStream,
}

impl Inbox {
    /// What has come since the last call.
    pub(crate) fn take(&self) -> Vec<Message> {
        let mut buffer = [0; 64];
        while matches!((&self.woken).read(&mut buffer), Ok(n) if n == buffer.len()) {}
        self.receiver.try_iter().collect()
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
