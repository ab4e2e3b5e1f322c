//! Why a listener could not be bound, in one line that says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Address;

/// Why a listener could not be bound: one line that names the address and what would be right.
#[derive(Debug)]
pub(crate) struct BindError {
    /// Where it was to listen.
    pub(crate) address: Address,
    /// What stood in the way.
    pub(crate) problem: Problem,
}

/// What stood in the way of a bind.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Another socket is bound there (`EADDRINUSE`).
    InUse,
    /// A port that the kernel keeps for the privileged (`EACCES`): every one below `first`.
    PrivilegedPort {
        /// The first port that anybody may bind (`net.ipv4.ip_unprivileged_port_start`).
        first: u16,
    },
    /// The machine has no such address (`EADDRNOTAVAIL`).
    NotHere,
    /// The kernel does not speak the address's protocol (`EAFNOSUPPORT`), as with IPv6 turned off.
    NoProtocol,
    /// The name could not be resolved.
    Unresolved(io::Error),
    /// Something other than a socket lies at the path.
    NotASocket,
    /// Somebody serves the socket at the path.
    Served,
    /// The folder that is to hold the socket does not exist.
    NoFolder(PathBuf),
    /// This user may not write in the folder, or not reach the socket that lies there.
    Forbidden(PathBuf),
    /// What was inherited is not a listening stream socket.
    NotListening,
    /// Anything else.
    Other(io::Error),
}

impl BindError {
    /// The problem that `error` stands for, where it came from a bind to an IP address.
    pub(super) fn ip(address: &Address, port: u16, error: io::Error) -> Self {
        let problem = match Errno::from_io_error(&error) {
            Some(Errno::ADDRINUSE) => Problem::InUse,
            Some(Errno::ADDRNOTAVAIL) => Problem::NotHere,
            Some(Errno::AFNOSUPPORT) => Problem::NoProtocol,
            Some(Errno::ACCESS) => match first_unprivileged_port() {
                first if port < first => Problem::PrivilegedPort { first },
                _ => Problem::Other(error),
            },
            _ => Problem::Other(error),
        };
        Self { address: address.clone(), problem }
    }

    /// The problem that `error` stands for, where it came from making a socket at `path`.
    pub(super) fn unix(address: &Address, path: &Path, error: io::Error) -> Self {
        let folder = || match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let problem = match Errno::from_io_error(&error) {
            Some(Errno::ADDRINUSE) => Problem::Served,
            Some(Errno::NOENT) => Problem::NoFolder(folder()),
            Some(Errno::ACCESS | Errno::PERM) => Problem::Forbidden(folder()),
            _ => Problem::Other(error),
        };
        Self { address: address.clone(), problem }
    }

    /// Whether another address of the same name may still do: this one does not exist here. Any
    /// other problem ends the search, or a service could start on `[::1]` while the clients of
    /// `127.0.0.1` reach somebody else.
    pub(super) fn is_elsewhere(&self) -> bool {
        match self.problem {
            Problem::NotHere | Problem::NoProtocol => true,
            Problem::InUse
            | Problem::PrivilegedPort { .. }
            | Problem::Unresolved(_)
            | Problem::NotASocket
            | Problem::Served
            | Problem::NoFolder(_)
            | Problem::Forbidden(_)
            | Problem::NotListening
            | Problem::Other(_) => false,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path may hold anything, and an error is one line.
        write!(f, "cannot listen on {}: ", self.address.to_string().escape_debug())?;
        match &self.problem {
            Problem::InUse => {
                f.write_str("the address is in use; stop what holds it, or choose another port")
            }
            Problem::PrivilegedPort { first } => write!(
                f,
                "permission denied; ports below {first} need CAP_NET_BIND_SERVICE, choose a port \
                 of {first} or above"
            ),
            Problem::NotHere => f.write_str(
                "this machine has no such address; choose one of its own, or 0.0.0.0 or [::] for \
                 all of them",
            ),
            Problem::NoProtocol => f.write_str(
                "this machine does not speak that protocol; choose an address of the other one, \
                 such as 0.0.0.0 instead of [::]",
            ),
            Problem::Unresolved(error) => write!(
                f,
                "the name cannot be resolved ({error}); check its spelling, or write an IP address"
            ),
            Problem::NotASocket => f.write_str(
                "a file that is no socket lies at this path; remove it, or choose another path",
            ),
            Problem::Served => {
                f.write_str("another process serves this socket; stop it, or choose another path")
            }
            Problem::NoFolder(folder) => write!(
                f,
                "the folder {} does not exist; create it, or choose another path",
                folder.display().to_string().escape_debug()
            ),
            Problem::Forbidden(folder) => write!(
                f,
                "permission denied; give this user the right to write in {}, or choose another path",
                folder.display().to_string().escape_debug()
            ),
            Problem::NotListening => f.write_str(
                "the descriptor handed over is no listening TCP or Unix stream socket; check what \
                 passes it on",
            ),
            Problem::Other(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Unresolved(error) | Problem::Other(error) => Some(error),
            Problem::InUse
            | Problem::PrivilegedPort { .. }
            | Problem::NotHere
            | Problem::NoProtocol
            | Problem::NotASocket
            | Problem::Served
            | Problem::NoFolder(_)
            | Problem::Forbidden(_)
            | Problem::NotListening => None,
        }
    }
}

/// The first port that needs no privilege: 1024, unless the machine says otherwise.
fn first_unprivileged_port() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}
