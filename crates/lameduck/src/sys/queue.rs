//! What a socket still owes its peer.

use std::os::fd::{AsRawFd, BorrowedFd};

/// How many bytes the kernel holds that the peer has not acknowledged (`TIOCOUTQ`, tcp(7)); an end of stream on
/// its way counts as one. 0 where the kernel does not say.
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed, so it is open; the request writes one `c_int` to its argument.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if answer == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}
