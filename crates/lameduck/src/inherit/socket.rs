//! One inherited socket.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use socket2::SockRef;

/// A listening stream socket that was handed over to this process.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What it is called: as a rule like the server that is to accept from it.
    pub(crate) name: String,
    /// The socket, closed on exec.
    pub(crate) descriptor: OwnedFd,
    /// Whether it was made by another program, which holds it for longer than this process lives: it came from
    /// `LISTEN_FDS`, to this process or to the first of its predecessors.
    pub(crate) foreign: bool,
    /// The address as the server of a predecessor declared it; none for one from `LISTEN_FDS`.
    pub(crate) declared: Option<String>,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Its name and where it listens, for the log.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "`{}` ", self.name.escape_debug())?;
        }
        let Ok(local) = SockRef::from(&self.descriptor).local_addr() else {
            return f.write_str("(no address)");
        };
        match (local.as_socket(), local.as_pathname()) {
            (Some(address), _) => write!(f, "on {address}"),
            (None, Some(path)) => {
                write!(f, "on unix:{}", path.display().to_string().escape_debug())
            }
            (None, None) => f.write_str("on a Unix address without a path"),
        }
    }
}
