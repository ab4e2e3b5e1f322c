//! A delay between clients and a server on loopback.
//!
//! Bytes, ends of stream and resets each arrive the one-way delay later, in order, without a limit on bandwidth: as
//! over a long wire. What it can't model is the handshake: a client's connect is answered at once, by our kernel, and
//! the connection to the server begins one delay later. ([`Link`](crate::Link) delays handshakes too.)
//!
//! A client whose server refuses is connected already, and can only be told over that connection: the relay sends it
//! one line that is no HTTP, and [`Client`](crate::Client) reads it as [`Failure::Refused`](crate::Failure::Refused),
//! which is what would have happened without a relay.

mod connection;
mod direction;
mod looping;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use socket2::{Domain, Socket, Type};

/// What a client is told whose server refused.
const REFUSED: &[u8] = b"lameduck-relay: refused\r\n";

/// A running relay; it stops on drop, and its connections end.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    open: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    /// Closing it wakes and ends the thread.
    stop: Option<OwnedFd>,
}

impl Relay {
    /// Relays from a port of 127.0.0.1 to `target`, `one_way` later in each direction.
    ///
    /// # Panics
    /// If there is no socket to be had.
    #[must_use]
    pub fn start(target: SocketAddr, one_way: Duration) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .expect("a port of loopback");
        listener.listen(4096).expect("a port to listen on");
        listener.set_nonblocking(true).expect("a socket that doesn't block");
        let addr =
            listener.local_addr().ok().and_then(|addr| addr.as_socket()).expect("an address");
        let (wake, stop) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        let thread = thread::spawn(move || looping::run(&listener, &wake, target, one_way, &count));
        Self { addr, open, thread: Some(thread), stop: Some(stop) }
    }

    /// Where clients connect to.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections are open in it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// True if these bytes are the relay's word for a server that refused.
pub(crate) fn says_refused(bytes: &[u8]) -> bool {
    bytes.starts_with(REFUSED)
}
