//! The sink: a full socket in the listener's reuseport group, to which every new SYN goes and is
//! dropped in silence, while handshakes under way stay with the listener and complete there.
//!
//! Must only be opened beside a listener that this process alone holds: another process that shares
//! it would be deaf. Must be dropped after the listener is closed, never before: the next SYN would
//! go to the listener.
//!
//! Which rule of the kernel each step rests on:
//! - A second socket may bind an address if both have SO_REUSEPORT on and belong to one user; it
//!   may be turned on after the bind (socket(7)). Connections that the listener accepted before stand
//!   in the way unless both have SO_REUSEADDR.
//! - A listening socket whose accept queue holds more than its backlog answers no SYN
//!   (`tcp_conn_request`), so a backlog of 0 and one connection will do. The client tries again after
//!   a second and is refused then, before it has sent a byte of its request.
//! - A packet whose time to live is below IP_MINTTL is dropped before all that (ip(7)): a second
//!   lock, which holds while the sink is not full yet. Alone it would not do for clients on the same
//!   link, some of which send with 255.
//!
//! While SO_REUSEPORT is on, for as long as the sink is open, another process of the same user could
//! bind the port too. The dropped SYNs count in the machine's statistics as `TCPMinTTLDrop`.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use socket2::{Domain, SockRef, Socket, Type};

use super::program;
use crate::sys;

/// The time to live that only a neighbour's packets can arrive with.
const MOST_HOPS: u8 = 255;

/// The longest that the filler may take to arrive, on this very machine.
const FILLING: Duration = Duration::from_millis(100);

/// A full sink. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Sink {
    socket: Socket,
    filler: Socket,
}

/// Why there is no sink: the step that failed, and how.
#[derive(Debug)]
pub(super) struct Refusal {
    step: &'static str,
    error: io::Error,
}

impl Refusal {
    /// Whether descriptors have run out: it may do later.
    pub(super) fn is_passing(&self) -> bool {
        super::is_shortage(&self.error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.error)
    }
}

/// Names the step that an error comes from.
fn step<T>(step: &'static str, result: io::Result<T>) -> Result<T, Refusal> {
    result.map_err(|error| Refusal { step, error })
}

impl Sink {
    /// Opens a sink beside `listener`, which listens at `local`. From its return on no new
    /// connection reaches the listener.
    ///
    /// Connections that the sink took before its program stood go into `strays`, to be served. There
    /// are some only if the listener was bound without a program, and if their client is on the same
    /// link and sends with the highest time to live.
    ///
    /// Blocks, for 100 ms at most.
    ///
    /// # Errors
    /// The step that was refused. Everything is then as before.
    pub(super) fn open(
        listener: BorrowedFd<'_>,
        local: SocketAddr,
        strays: &mut Vec<Socket>,
    ) -> Result<Self, Refusal> {
        let listener = SockRef::from(&listener);
        if step("its SO_REUSEPORT cannot be read", listener.reuse_port())? {
            let error = io::Error::from(Errno::BUSY);
            return Err(Refusal { step: "it was in a reuseport group already", error });
        }
        // Whatever needs a descriptor comes first: without one nothing has been touched.
        let socket =
            step("no socket", Socket::new(Domain::for_address(local), Type::STREAM, None))?;
        let filler = Filler::bound(local)?;
        step("no SO_REUSEPORT", listener.set_reuse_port(true))?;
        match fill(socket, filler, local, strays) {
            Ok(sink) => Ok(sink),
            Err(refusal) => {
                // The sink is closed by now, so nothing else is in the group.
                let _unchanged = listener.set_reuse_port(false);
                Err(refusal)
            }
        }
    }

    /// Moves what lies in the sink into `strays`, except for its own filler. The sink is no longer
    /// full then: for when the listener is about to close.
    pub(super) fn empty_into(&self, strays: &mut Vec<Socket>) {
        let own = self.filler.local_addr().ok().and_then(|address| address.as_socket());
        while let Ok((socket, peer)) = self.socket.accept() {
            let peer = peer.as_socket();
            if peer.map(canonical) != own.map(canonical) {
                strays.push(socket);
            }
        }
    }
}

/// The address with an IPv4 address in IPv6 clothes undressed.
fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// A connection of our own to fill the sink with, bound but not connected.
struct Filler {
    socket: Socket,
    /// Where it reaches the sink.
    target: SocketAddr,
    port: u16,
}

impl Filler {
    /// Chooses a port, so that the program can know it before the first packet is sent.
    fn bound(local: SocketAddr) -> Result<Self, Refusal> {
        let mut target = local;
        if local.ip().is_unspecified() {
            target.set_ip(if local.is_ipv6() && has_ipv6_loopback() {
                Ipv6Addr::LOCALHOST.into()
            } else if local.is_ipv6() {
                Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
            } else {
                Ipv4Addr::LOCALHOST.into()
            });
        }
        let any: IpAddr = if target.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let bound = || {
            let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            if target.is_ipv6() {
                socket.set_unicast_hops_v6(MOST_HOPS.into())?;
                // An address such as ::ffff:127.0.0.1 is reached by IPv4.
                let _no_ipv4 = socket.set_ttl_v4(MOST_HOPS.into());
            } else {
                socket.set_ttl_v4(MOST_HOPS.into())?;
            }
            socket.bind(&SocketAddr::new(any, 0).into())?;
            let port = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
            Ok((socket, port))
        };
        let (socket, port) = step("no socket to fill it with", bound())?;
        Ok(Self { socket, target, port })
    }
}

/// Whether ::1 exists: on some machines IPv6 is on, but not on the loopback interface.
fn has_ipv6_loopback() -> bool {
    std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Has `socket` join the group at `local`, full.
fn fill(
    socket: Socket,
    filler: Filler,
    local: SocketAddr,
    strays: &mut Vec<Socket>,
) -> Result<Sink, Refusal> {
    let attach = |program: &[sys::Instruction]| {
        step("no program", sys::attach_reuseport_program(socket.as_fd(), program))
    };
    let joined = || {
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        if local.is_ipv6() {
            sys::set_min_hops_v6(socket.as_fd(), MOST_HOPS)?;
            // Where the socket takes IPv4 peers too.
            let _no_ipv4 = sys::set_min_ttl_v4(socket.as_fd(), MOST_HOPS);
        } else {
            sys::set_min_ttl_v4(socket.as_fd(), MOST_HOPS)?;
        }
        socket.bind(&local.into())?;
        // Some room, for strays that come before the program stands.
        socket.listen(8)
    };
    step("the sink may not join it", joined())?;
    let filled = (|| {
        attach(program::LISTENER_TAKES_ALL)?;
        take_all(&socket, strays);
        attach(&program::sink_takes_port(filler.port))?;
        step("the sink's backlog cannot be set", socket.listen(0))?;
        step("the sink cannot be reached", connect(&filler))?;
        step("the sink cannot be filled", wait_for_one(&socket))?;
        attach(&program::sink_takes_syns())
    })();
    if let Err(refusal) = filled {
        // The listener must be first again before the sink goes.
        let _was_refused_before = attach(program::LISTENER_TAKES_ALL);
        return Err(refusal);
    }
    Ok(Sink { socket, filler: filler.socket })
}

/// Accepts all that waits in `socket`.
fn take_all(socket: &Socket, strays: &mut Vec<Socket>) {
    while let Ok((stray, _)) = socket.accept() {
        strays.push(stray);
    }
}

/// Begins the filler's handshake, which on one machine is done before the call returns.
fn connect(filler: &Filler) -> io::Result<()> {
    match filler.socket.connect(&filler.target.into()) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        done => done,
    }
}

/// Waits until a connection lies in the accept queue of `socket`.
fn wait_for_one(socket: &Socket) -> io::Result<()> {
    let patience = Timespec::try_from(FILLING).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut events = [PollFd::new(socket, PollFlags::IN)];
    match retry_on_intr(|| poll(&mut events, Some(&patience)))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}
