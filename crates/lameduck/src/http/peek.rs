//! What waits in a socket, without reading it.

use std::os::fd::BorrowedFd;

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
