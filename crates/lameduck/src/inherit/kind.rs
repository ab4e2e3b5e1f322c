//! What a descriptor is: whether a server can accept from it.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, fstat};
use socket2::{Domain, SockRef, Type};

/// Says in words why a server cannot accept from `descriptor`, and what would be right; nothing where it can.
pub(super) fn unfit(descriptor: BorrowedFd<'_>) -> Option<String> {
    let unit = |what: &str, right: &str| Some(format!("{what}; {right}"));
    match fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Socket) => {}
        Ok(_) => return unit("is no socket", LISTEN_STREAM),
        Err(error) => return unit(&format!("cannot be looked at ({error})"), LISTEN_STREAM),
    }
    let socket = SockRef::from(&descriptor);
    match socket.r#type() {
        Ok(Type::STREAM) => {}
        Ok(Type::DGRAM) => return unit("is a datagram socket", LISTEN_STREAM),
        Ok(_) | Err(_) => return unit("is no stream socket", LISTEN_STREAM),
    }
    match socket.local_addr().map(|local| local.domain()) {
        Ok(Domain::IPV4 | Domain::IPV6 | Domain::UNIX) => {}
        Ok(_) | Err(_) => return unit("is neither a TCP nor a Unix socket", LISTEN_STREAM),
    }
    if socket.peer_addr().is_ok() {
        return unit("is a connection", "pass on the listening socket instead (`Accept=no`)");
    }
    if !is_listening(&socket) {
        return unit("is a socket that does not listen", "call listen(2) on it, then pass it on");
    }
    None
}

const LISTEN_STREAM: &str =
    "pass on a TCP or Unix stream socket that listens (`ListenStream=` in a socket unit)";

/// Whether it listens. Where the system cannot be asked it is taken for granted.
fn is_listening(socket: &SockRef<'_>) -> bool {
    #[cfg(target_os = "linux")]
    return !matches!(socket.is_listener(), Ok(false));
    #[cfg(not(target_os = "linux"))]
    return true;
}

/// The words for a descriptor that did not come through exec. Whether it is closed or is one that this process has
/// opened meanwhile is chance.
pub(super) const NOT_PASSED: &str = "was not passed on; pass on as many descriptors, from 3 on, as LISTEN_FDS says, and \
                                     let nothing but lameduck take them";
