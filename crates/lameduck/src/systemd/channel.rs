//! The datagram socket of the service manager.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// A way to the service manager. Sending never waits.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Channel {
    /// A way to the socket at this path, or of the abstract name after `@`. Nobody needs to listen there yet.
    ///
    /// # Errors
    /// The name is too long, abstract names do not exist on this system, or there is no descriptor left.
    pub(super) fn open(at: &OsStr) -> io::Result<Channel> {
        let manager = match at.as_bytes() {
            [b'@', name @ ..] => abstract_name(name)?,
            _ => SocketAddr::from_pathname(Path::new(at))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Channel { socket, manager })
    }

    /// # Errors
    /// What `sendto` answers; `WouldBlock` where the manager has not read the earlier ones yet.
    pub(super) fn send(&self, text: &str) -> io::Result<()> {
        // std sends with MSG_NOSIGNAL.
        self.socket.send_to_addr(text.as_bytes(), &self.manager).map(drop)
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
