//! What waits in a socket, without reading it, and whether anybody is left at its other end.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};

/// What waits in a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    Bytes,
    /// The peer's end of stream, or an error.
    End,
}

/// Looks without waiting (`MSG_PEEK | MSG_DONTWAIT`, recv(2)).
pub(super) fn peek(fd: BorrowedFd<'_>) -> Seen {
    let mut byte = [0; 1];
    match recv(fd, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((0, _)) => Seen::End,
        Ok(_) => Seen::Bytes,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Seen::Nothing,
        Err(_) => Seen::End,
    }
}

/// Whether the connection is over in both directions: reset, timed out, or (a Unix socket) closed by the peer. A
/// TCP peer that ended its half may have closed, or wait for its answer; it is not gone.
pub(super) fn is_gone(fd: BorrowedFd<'_>) -> bool {
    // These two are reported without being asked for (poll(2)).
    let gone = PollFlags::ERR | PollFlags::HUP;
    let mut asked = [PollFd::from_borrowed_fd(fd, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut asked, Some(&now)), Ok(1..)) && asked[0].revents().intersects(gone)
}
