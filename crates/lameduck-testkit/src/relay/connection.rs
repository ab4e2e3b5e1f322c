//! One relayed connection: two sockets and the two directions between them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::{Domain, Socket, Type};

use super::REFUSED;
use super::direction::{Direction, Item};

/// Which of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client = 0,
    Server = 1,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How the connection to the server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    /// The client's SYN is under way until then.
    Due(Instant),
    Connecting,
    Connected,
}

#[derive(Debug)]
pub(super) struct Connection {
    /// By [`Side`]; `None` before it was connected, and once it is of no more use.
    sockets: [Option<Socket>; 2],
    /// By the [`Side`] it comes from.
    from: [Direction; 2],
    /// By [`Side`]: it doesn't take more now, so wait until it does.
    full: [bool; 2],
    upstream: Upstream,
    target: SocketAddr,
}

impl Connection {
    pub(super) fn new(client: Socket, target: SocketAddr, delay: Duration) -> Self {
        let _ = client.set_nonblocking(true);
        let _ = client.set_tcp_nodelay(true);
        Self {
            sockets: [Some(client), None],
            from: [Direction::new(delay), Direction::new(delay)],
            full: [false; 2],
            upstream: Upstream::Due(Instant::now() + delay),
            target,
        }
    }

    /// True once neither side has anything left to do.
    pub(super) fn is_over(&self) -> bool {
        self.sockets.iter().all(Option::is_none)
            && self.from.iter().all(|from| from.due().is_none())
    }

    /// What to wait for on that side's socket, if it has one. Errors are always reported, so a socket without any
    /// use left must not be offered (its hang-up would be reported for ever): [`settle`](Self::settle) drops it.
    pub(super) fn interest(&self, side: Side) -> Option<(&Socket, PollFlags)> {
        let socket = self.sockets[side as usize].as_ref()?;
        let mut flags = PollFlags::empty();
        if side == Side::Server && self.upstream != Upstream::Connected {
            return Some((socket, PollFlags::OUT));
        }
        if self.from[side as usize].has_room() {
            flags |= PollFlags::IN;
        }
        if self.full[side as usize] {
            flags |= PollFlags::OUT;
        }
        Some((socket, flags))
    }

    /// When something is to be done without a socket's call.
    pub(super) fn due(&self) -> Option<Instant> {
        if let Upstream::Due(due) = self.upstream {
            // What the client sent meanwhile was sent later, and waits behind this.
            return Some(due);
        }
        let receives = |side: Side| side == Side::Client || self.upstream == Upstream::Connected;
        Side::BOTH
            .into_iter()
            .filter(|&side| !self.full[side as usize] && receives(side))
            .filter_map(|side| self.from[side.other() as usize].due())
            .min()
    }

    /// A socket called.
    pub(super) fn ready(&mut self, side: Side, flags: PollFlags, now: Instant) {
        if side == Side::Server && self.upstream == Upstream::Connecting {
            self.connected(now);
            return;
        }
        if flags.contains(PollFlags::OUT) {
            self.full[side as usize] = false;
        }
        if self.from[side as usize].has_room() {
            self.read(side, now);
        } else if flags.intersects(PollFlags::ERR | PollFlags::HUP) {
            // It ended its stream before, or is held back: what comes now is a reset.
            self.was_reset(side, now);
        }
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        if let Upstream::Due(due) = self.upstream
            && due <= now
        {
            self.connect(now);
        }
        for side in Side::BOTH {
            if side == Side::Client || self.upstream == Upstream::Connected {
                self.deliver(side, now);
            }
        }
        self.settle();
    }

    fn connect(&mut self, now: Instant) {
        self.upstream = Upstream::Connecting;
        let Ok(socket) = Socket::new(Domain::for_address(self.target), Type::STREAM, None) else {
            return self.refused(now);
        };
        let _ = socket.set_nonblocking(true);
        let _ = socket.set_tcp_nodelay(true);
        let result = socket.connect(&self.target.into());
        self.sockets[Side::Server as usize] = Some(socket);
        match result {
            Ok(()) => self.upstream = Upstream::Connected,
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(_) => self.refused(now),
        }
    }

    fn connected(&mut self, now: Instant) {
        let socket = self.sockets[Side::Server as usize].as_ref();
        match socket.map(Socket::take_error) {
            Some(Ok(None)) => self.upstream = Upstream::Connected,
            _ => self.refused(now),
        }
    }

    /// Tells the client, and swallows what it sent.
    fn refused(&mut self, now: Instant) {
        self.upstream = Upstream::Connected;
        self.sockets[Side::Server as usize] = None;
        let from_server = &mut self.from[Side::Server as usize];
        from_server.push(now, Item::Bytes(REFUSED.to_vec()));
        from_server.push(now, Item::Fin);
        from_server.ended = true;
    }

    fn read(&mut self, side: Side, now: Instant) {
        let Some(socket) = self.sockets[side as usize].as_mut() else { return };
        let mut block = [0; 64 * 1024];
        let from = &mut self.from[side as usize];
        while from.has_room() {
            match socket.read(&mut block) {
                Ok(0) => {
                    from.push(now, Item::Fin);
                    from.ended = true;
                }
                Ok(n) => from.push(now, Item::Bytes(block[..n].to_vec())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.was_reset(side, now),
            }
        }
    }

    fn was_reset(&mut self, side: Side, now: Instant) {
        self.sockets[side as usize] = None;
        let from = &mut self.from[side as usize];
        from.push(now, Item::Reset);
        from.ended = true;
    }

    /// Delivers what is due to that side.
    fn deliver(&mut self, side: Side, now: Instant) {
        while !self.full[side as usize] {
            let Some(item) = self.from[side.other() as usize].next(now) else { return };
            // A socket that is gone takes anything.
            let Some(socket) = self.sockets[side as usize].as_mut() else { continue };
            match item {
                Item::Bytes(bytes) => match socket.write(&bytes) {
                    Ok(n) if n == bytes.len() => {}
                    Ok(n) => self.from[side.other() as usize].put_back(now, bytes[n..].to_vec()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {
                        self.from[side.other() as usize].put_back(now, bytes);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.full[side as usize] = true;
                        self.from[side.other() as usize].put_back(now, bytes);
                    }
                    // Read what it sent before its end, if anything, and only then the reset.
                    Err(_) => {
                        self.read(side, now);
                        if !self.from[side as usize].ended {
                            self.was_reset(side, now);
                        }
                    }
                },
                Item::Fin => {
                    let _ = socket.shutdown(Shutdown::Write);
                    self.from[side.other() as usize].closed = true;
                }
                Item::Reset => {
                    let _ = socket.set_linger(Some(Duration::ZERO));
                    self.sockets[side as usize] = None;
                    // Nothing that it sends concerns anybody any more.
                    self.from[side as usize] = Direction::new(Duration::ZERO);
                    self.from[side as usize].ended = true;
                }
            }
        }
    }

    /// Drops a socket that was read to its end and was told the end.
    fn settle(&mut self) {
        for side in Side::BOTH {
            if self.from[side as usize].ended && self.from[side.other() as usize].closed {
                self.sockets[side as usize] = None;
            }
        }
    }
}
