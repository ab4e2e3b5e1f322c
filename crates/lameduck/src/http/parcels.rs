//! Connections that leave for a successor, and those that come from a predecessor.
//!
//! Must never give a connection away in the middle of a request or a response, nor close one that cannot be given: it
//! is served on where it is.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};
use tokio::net::{TcpStream, UnixStream};
use tracing::Level;

use super::listen::Accepted;
use crate::connections::{Fate, Membership, Peer};
use crate::parcel::Parcel;

/// Makes a connection's I/O a socket that no runtime knows.
pub(super) type Release<I> = fn(I) -> io::Result<OwnedFd>;

/// Gives a connection to the successor. Gives it back if there is none any more.
pub(super) fn give<I>(
    io: I,
    release: Release<I>,
    read_ahead: Bytes,
    spoken: bool,
    membership: Membership,
) -> Result<(), (I, Bytes, Membership)> {
    let record = membership.record();
    let mut kept = Some((io, read_ahead));
    let idle = record.idle();
    let mut lost = None;
    record.server().give(|| {
        let (io, read_ahead) = kept.take()?;
        match release(io) {
            Ok(socket) => {
                record.set_fate(Fate::PassedOn);
                Some(Parcel { socket, read_ahead, spoken, idle })
            }
            Err(error) => {
                lost = Some(error);
                record.set_fate(Fate::Cut);
                None
            }
        }
    });
    if let Some(error) = lost {
        let text = format!("a connection was lost on its way to the successor: {error}");
        // Not from here, and not under the lock: a subscriber may block.
        record.server().shared().events().say(Level::WARN, text);
    }
    match kept {
        None => Ok(()),
        Some((io, read_ahead)) => Err((io, read_ahead, membership)),
    }
}

/// What an adopted descriptor turns out to be.
pub(super) enum Arrival {
    Socket(Accepted, Peer),
    /// A connection that ended on its way.
    Ended,
}

/// Finds out what the descriptor is without changing anything.
fn look(socket: &OwnedFd) -> Option<AddressFamily> {
    let stream = sockopt::socket_type(socket).ok()? == SocketType::STREAM;
    let listens = sockopt::socket_acceptconn(socket).ok()?;
    (stream && !listens).then(|| sockopt::socket_domain(socket).ok()).flatten()
}

/// Makes a stream of this runtime of an adopted socket; to be called within it. `Err`: it stays as it was. What goes wrong
/// is told to `say`.
pub(super) fn unpack(socket: OwnedFd, say: impl FnOnce(String)) -> Result<Arrival, OwnedFd> {
    let Some(family) = look(&socket) else { return Err(socket) };
    let seen = rustix::net::getpeername(&socket);
    if seen == Err(Errno::NOTCONN) {
        // A reset connection has no peer any more, but still the port that it had here.
        let had = socket2::SockRef::from(&socket).local_addr().ok().and_then(|at| at.as_socket());
        return if had.is_some_and(|at| at.port() != 0) { Ok(Arrival::Ended) } else { Err(socket) };
    }
    let flags = rustix::io::fcntl_getfd(socket.as_fd());
    let prepared = flags
        .and_then(|flags| rustix::io::fcntl_setfd(&socket, flags | rustix::io::FdFlags::CLOEXEC))
        .and_then(|()| rustix::io::ioctl_fionbio(&socket, true));
    if seen.is_err() || prepared.is_err() {
        return Err(socket);
    }
    let stream = match family {
        AddressFamily::INET | AddressFamily::INET6 => {
            let stream = std::net::TcpStream::from(socket);
            match stream.peer_addr() {
                Ok(peer) => TcpStream::from_std(stream)
                    .map(|stream| Arrival::Socket(Accepted::Tcp(stream, peer), Peer::Tcp(peer))),
                Err(_) => return Ok(Arrival::Ended),
            }
        }
        AddressFamily::UNIX => UnixStream::from_std(socket.into())
            .map(|stream| Arrival::Socket(Accepted::Unix(stream), Peer::Unix)),
        _ => return Err(socket),
    };
    Ok(stream.unwrap_or_else(|error| {
        say(format!("a connection of the predecessor was lost: {error}"));
        Arrival::Ended
    }))
}

#[cfg(test)]
mod tests;
