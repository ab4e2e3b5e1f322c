//! The last piece of a connection's last response goes out together with the end of the stream: one packet instead of two,
//! and one wake-up of the peer. It is with the kernel at once, which sends it when the stream ends, when it is pushed, or by
//! itself when a timer of 200 ms or more runs out (tcp(7), `TCP_CORK`): whatever becomes of this process, the piece gets out.
//! Never may the socket be closed before one of these: bytes of the peer that nobody has read would have it dropped.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use crate::connections::{Record, state};
use crate::sys::gather;

/// Whether what is written now is the last of a response behind which nothing follows.
#[inline]
pub(super) fn is_last(flags: u32) -> bool {
    const BUSY: u32 = state::REQUEST | state::UPGRADED | state::HTTP2;
    flags & (state::LAST | BUSY) == state::LAST
}

/// Sends the last piece of the last response; how much of it. `None`: it is too large for that to matter, or it could not
/// be sent: write it as any other.
#[inline(never)]
pub(super) fn send_last(record: &Record, bufs: &[IoSlice<'_>]) -> Option<usize> {
    if !record.is_plain() {
        return None;
    }
    gather(bufs, |piece| record.remote().with(|fd| send(fd, piece)))??
}

/// Sends what waits for the end of the stream, which does not come yet.
#[cold]
pub(super) fn push(record: &Record) {
    record.state.clear(state::LAST);
    // Pushes even where it is on already (tcp(7), `TCP_NODELAY`). On a Unix socket nothing waits.
    record.remote().with(|fd| rustix::net::sockopt::set_tcp_nodelay(fd, true).ok());
}

#[cfg(target_os = "linux")]
fn send(fd: BorrowedFd<'_>, piece: &[u8]) -> Option<usize> {
    use rustix::net::{SendFlags, send};
    send(fd, piece, SendFlags::MORE | SendFlags::DONTWAIT | SendFlags::NOSIGNAL).ok()
}

#[cfg(not(target_os = "linux"))]
fn send(_fd: BorrowedFd<'_>, _piece: &[u8]) -> Option<usize> {
    None
}
