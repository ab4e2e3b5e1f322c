//! How a client reaches the server: straight, or through the relay that delays.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::outcome::Outcome;
use crate::relay::Relay;

/// How long a connect may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Where to connect to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    addr: SocketAddr,
    relay: Option<Arc<Relay>>,
    receive_buffer: Option<u32>,
}

impl Dial {
    /// Straight to the server.
    pub(crate) fn direct(addr: SocketAddr) -> Self {
        Self { addr, relay: None, receive_buffer: None }
    }

    /// Through a relay.
    pub(crate) fn through(relay: Relay) -> Self {
        Self { addr: relay.addr(), relay: Some(Arc::new(relay)), receive_buffer: None }
    }

    /// With a receive buffer of that many bytes, so that little is under way to a client that doesn't read.
    pub(crate) fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    pub(super) async fn stream(&self) -> std::io::Result<TcpStream> {
        let socket = if self.addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let connected = timeout(CONNECT, socket.connect(self.addr)).await;
        let stream = connected.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        // Without it Nagle's algorithm would hold back the second of two small sends for a round trip.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Whether the server behind the relay refused the connection that comes from there.
    pub(super) fn was_refused(&self, from: Option<SocketAddr>) -> bool {
        match (&self.relay, from) {
            (Some(relay), Some(from)) => relay.was_refused(from),
            _ => false,
        }
    }
}

/// What a connect has come to that failed. One that the kernel had completed and that was reset before we looked is no
/// refusal: to the client the server had taken it.
pub(super) fn outcome(error: &Error) -> Outcome {
    let own = [ErrorKind::AddrNotAvailable, ErrorKind::PermissionDenied, ErrorKind::OutOfMemory];
    let no_descriptor = error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
    if no_descriptor || own.contains(&error.kind()) {
        Outcome::Bad
    } else if error.kind() == ErrorKind::ConnectionReset {
        Outcome::Lost
    } else {
        Outcome::Refused
    }
}
