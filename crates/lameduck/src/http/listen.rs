//! Binding the sockets that a service listens on.
//!
//! A listener is bound here, or inherited as a descriptor; [`close`](super::close) ends it without
//! losing a connection. Binding must never take an address that another process serves, and must
//! never leave a listener that the loss-free close cannot use where the kernel allows it.

mod address;
mod error;
mod socket_file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpStream, UnixStream};

pub(crate) use self::address::Address;
pub(crate) use self::error::{BindError, Problem};
pub(crate) use self::socket_file::SocketFile;

/// How many connections may wait to be accepted; the kernel caps it by `net.core.somaxconn`
/// (listen(2)), 4,096 where nobody changed it.
const BACKLOG: i32 = 4096;

/// A bound and listening socket: non-blocking, closed on exec, not yet known to a runtime.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A TCP listener.
    Tcp {
        /// The socket.
        socket: TcpListener,
        /// Whether this process alone holds it, so that closing may have the kernel drop SYNs.
        exclusive: bool,
    },
    /// A Unix stream listener.
    Unix {
        /// The socket.
        socket: UnixListener,
        /// Its file, unless it has none.
        file: Option<SocketFile>,
        /// Whether this process alone holds it, so that closing may remove the file and refuse
        /// new connections.
        exclusive: bool,
    },
}

impl Listener {
    /// Binds a listener that this process alone holds.
    ///
    /// A name is resolved, which may block; its IPv4 addresses come first, and the first address
    /// that exists on this machine is taken. An IPv6 wildcard takes IPv4 connections too, unless
    /// the machine says otherwise (`net.ipv6.bindv6only`).
    ///
    /// # Errors
    /// Names the address, what was wrong, and what would be right.
    pub(crate) fn bind(address: &Address) -> Result<Self, BindError> {
        match address {
            Address::Ip(at) => Self::bind_ip(address, *at),
            Address::Name { host, port } => {
                let fail = |problem| Err(BindError { address: address.clone(), problem });
                let mut found: Vec<SocketAddr> = match (host.as_str(), *port).to_socket_addrs() {
                    Ok(found) => found.collect(),
                    Err(error) => return fail(Problem::Unresolved(error)),
                };
                found.sort_by_key(SocketAddr::is_ipv6);
                let mut last = None;
                for at in found {
                    match Self::bind_ip(address, at) {
                        Err(error) if error.is_elsewhere() => last = Some(error),
                        decided => return decided,
                    }
                }
                match last {
                    Some(error) => Err(error),
                    None => fail(Problem::Unresolved(io::ErrorKind::NotFound.into())),
                }
            }
            Address::Unix(path) => {
                let (socket, file) = socket_file::bind(address, path)?;
                Ok(Self::Unix { socket, file: Some(file), exclusive: true })
            }
        }
    }

    fn bind_ip(address: &Address, at: SocketAddr) -> Result<Self, BindError> {
        match bind_tcp(at) {
            Ok(socket) => Ok(Self::Tcp { socket, exclusive: true }),
            Err(error) => Err(BindError::ip(address, at.port(), error)),
        }
    }

    /// Takes over a listening socket that another process bound. `exclusive` says that this process
    /// alone holds it: its predecessor has exited, or the user said so.
    ///
    /// # Errors
    /// The descriptor is no listening TCP or Unix stream socket; `name` says which one it was.
    pub(crate) fn inherited(
        descriptor: OwnedFd,
        exclusive: bool,
        name: &Address,
    ) -> Result<Self, BindError> {
        let fail = |problem| BindError { address: name.clone(), problem };
        let other = |error: io::Error| fail(Problem::Other(error));
        let socket = Socket::from(descriptor);
        if socket.r#type().ok() != Some(Type::STREAM) || !is_listening(&socket) {
            return Err(fail(Problem::NotListening));
        }
        socket.set_nonblocking(true).map_err(other)?;
        socket.set_cloexec(true).map_err(other)?;
        let local = socket.local_addr().map_err(other)?;
        if local.as_socket().is_some() {
            // As `bind_tcp` has it. Whoever made the socket may not allow it, and it works without.
            let _ = socket.set_tcp_nodelay(true);
            let _ = socket.set_tcp_keepalive(&keepalive());
            Ok(Self::Tcp { socket: socket.into(), exclusive })
        } else if local.is_unix() {
            let file = local.as_pathname().and_then(|path| SocketFile::at(path).ok());
            Ok(Self::Unix { socket: socket.into(), file, exclusive })
        } else {
            Err(fail(Problem::NotListening))
        }
    }

    /// The same listener, whose file is somebody else's: it is not removed, not even where this process alone holds
    /// the socket.
    pub(crate) fn without_file(mut self) -> Self {
        match &mut self {
            Self::Tcp { .. } => {}
            Self::Unix { file, .. } => *file = None,
        }
        self
    }

    /// Where it listens: with the port that the kernel chose, where it was 0.
    ///
    /// # Errors
    /// What `getsockname` answers.
    pub(crate) fn local_addr(&self) -> io::Result<Local> {
        match self {
            Self::Tcp { socket, .. } => socket.local_addr().map(Local::Tcp),
            Self::Unix { socket, .. } => {
                let address = socket.local_addr()?;
                Ok(Local::Unix(address.as_pathname().map(ToOwned::to_owned)))
            }
        }
    }

    /// Registers the listener with the runtime of the calling task.
    ///
    /// # Errors
    /// What the registration answers.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn start(self) -> io::Result<Incoming> {
        Ok(match self {
            Self::Tcp { socket, exclusive } => {
                Incoming::Tcp { listener: tokio::net::TcpListener::from_std(socket)?, exclusive }
            }
            Self::Unix { socket, file, exclusive } => Incoming::Unix {
                listener: tokio::net::UnixListener::from_std(socket)?,
                file,
                exclusive,
            },
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp { socket, .. } => socket.as_fd(),
            Self::Unix { socket, .. } => socket.as_fd(),
        }
    }
}

/// Where a listener listens, for logs and for those who asked for port 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket; none for an inherited one without a file.
    Unix(Option<std::path::PathBuf>),
}

impl Local {
    /// The IP address and port, of a TCP listener.
    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix:(no path)"),
        }
    }
}

/// A listener that the runtime knows: connections can be accepted from it.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// TCP connections.
    Tcp {
        /// The socket.
        listener: tokio::net::TcpListener,
        /// As in [`Listener::Tcp`].
        exclusive: bool,
    },
    /// Unix stream connections.
    Unix {
        /// The socket.
        listener: tokio::net::UnixListener,
        /// As in [`Listener::Unix`].
        file: Option<SocketFile>,
        /// As in [`Listener::Unix`].
        exclusive: bool,
    },
}

impl Incoming {
    /// Says whether this process alone holds the socket from now on: not while a successor has a
    /// duplicate of it, and again once the predecessor that it came from has exited.
    #[cfg(any(test, feature = "restart"))]
    pub(crate) fn set_exclusive(&mut self, alone: bool) {
        match self {
            Self::Tcp { exclusive, .. } | Self::Unix { exclusive, .. } => *exclusive = alone,
        }
    }

    /// Waits for the next connection. Dropping the future loses none.
    ///
    /// # Errors
    /// What `accept4` answers: EMFILE and ENFILE want a pause, most others concern one connection
    /// only (accept(2)).
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp { listener, .. } => {
                listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer))
            }
            Self::Unix { listener, .. } => {
                listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
            }
        }
    }
}

impl AsFd for Incoming {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp { listener, .. } => listener.as_fd(),
            Self::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

/// A connection just accepted, with its peer. A TCP connection has `TCP_NODELAY` from its listener, where
/// that is one of ours.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// A TCP connection.
    Tcp(TcpStream, SocketAddr),
    /// A Unix stream connection.
    Unix(UnixStream),
}

/// Whether the socket `descriptor` listens where `address` says. A name is resolved, which may block.
pub(crate) fn listens_at(descriptor: BorrowedFd<'_>, address: &Address) -> bool {
    let Ok(local) = SockRef::from(&descriptor).local_addr() else { return false };
    let at = |wanted: SocketAddr| {
        local.as_socket().is_some_and(|at| (at.ip(), at.port()) == (wanted.ip(), wanted.port()))
    };
    match address {
        Address::Ip(wanted) => at(*wanted),
        Address::Name { host, port } => {
            (host.as_str(), *port).to_socket_addrs().is_ok_and(|mut found| found.any(at))
        }
        Address::Unix(wanted) => {
            let same = |path| std::path::absolute(path).ok() == std::path::absolute(wanted).ok();
            local.as_pathname().is_some_and(same)
        }
    }
}

/// Binds a listening TCP socket, prepared for the sink that closes it.
fn bind_tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the TIME_WAIT of its predecessor's connections, and the sink
    // cannot join a listener that was bound without it while connections are open.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it, which saves a system call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive())?;
    #[cfg(target_os = "linux")]
    prepare_for_sink(&socket)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// How the kernel finds out that a peer has vanished, power or network and all, while nothing is on its way to it
/// (tcp(7)): asks after 15 s of silence, every 15 s, and gives up after the fourth. That is also how a client that
/// has closed is told from one that waits behind a half-closed connection: its kernel answers the question with
/// a reset, once it has forgotten the connection (a minute on Linux). Accepted sockets inherit it.
fn keepalive() -> socket2::TcpKeepalive {
    const ASK: std::time::Duration = std::time::Duration::from_secs(15);
    socket2::TcpKeepalive::new().with_time(ASK).with_interval(ASK).with_retries(4)
}

/// Makes the listener the first of a reuseport group that sends all to it, and leaves SO_REUSEPORT
/// off: its address stays its own, and a sink that joins later finds the program in place.
///
/// The kernel makes the group when a program is attached to a socket that is not bound yet, and asks
/// for SO_REUSEPORT then only. Where attaching is refused, as by some seccomp profiles, the listener
/// is bound without, and `close` finds out for itself.
#[cfg(target_os = "linux")]
fn prepare_for_sink(socket: &Socket) -> io::Result<()> {
    if socket.set_reuse_port(true).is_ok() {
        let _refused =
            crate::sys::attach_reuseport_program(socket.as_fd(), super::close::LISTENER_TAKES_ALL);
        socket.set_reuse_port(false)?;
    }
    Ok(())
}

/// Whether `socket` listens. Where the system cannot be asked it is taken for granted.
fn is_listening(socket: &Socket) -> bool {
    #[cfg(target_os = "linux")]
    return socket.is_listener().unwrap_or(true);
    #[cfg(not(target_os = "linux"))]
    return socket.local_addr().is_ok();
}
