//! A delay between clients and a server on loopback.
//!
//! Bytes, ends of stream and resets each arrive the one-way delay later, in order, as over a long wire. What it can't
//! model is the handshake: a client's connect is answered at once, by our kernel, and the connection to the server
//! begins one delay later. A client whose server refuses then sees its connection end, and asks
//! [`was_refused`](Relay::was_refused) why.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How many pieces of at most 16 KiB may be under way in one direction before its sender counts as blocked.
const WINDOW: usize = 256;

type Refused = Arc<Mutex<HashSet<SocketAddr>>>;

/// A running relay. Dropping it ends it and its connections.
#[derive(Debug)]
pub(crate) struct Relay {
    addr: SocketAddr,
    refused: Refused,
    _tasks: JoinSet<()>,
}

/// What arrives one delay later.
#[derive(Debug)]
enum Item {
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

impl Relay {
    /// Relays from a port of 127.0.0.1 to `target`, `one_way` later in each direction.
    pub(crate) fn start(target: SocketAddr, one_way: Duration) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(4096)?;
        let addr = listener.local_addr()?;
        let refused = Refused::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, one_way, Arc::clone(&refused)));
        Ok(Self { addr, refused, _tasks: tasks })
    }

    /// Where clients connect to.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether the server refused the connection that the client at that address made.
    pub(crate) fn was_refused(&self, client: SocketAddr) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(&client)
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, one_way: Duration, refused: Refused) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((client, peer)) => {
                    connections.spawn(relay(client, peer, target, one_way, Arc::clone(&refused)));
                }
                // Short of descriptors: those that end give some back.
                Err(_) => sleep_until(Instant::now() + Duration::from_millis(10)).await,
            },
        }
    }
}

async fn relay(
    client: TcpStream,
    peer: SocketAddr,
    target: SocketAddr,
    one_way: Duration,
    refused: Refused,
) {
    let _ = client.set_nodelay(true);
    // Its SYN is under way.
    sleep_until(Instant::now() + one_way).await;
    let server = match TcpStream::connect(target).await {
        Ok(server) => server,
        Err(error) => {
            if error.kind() == ErrorKind::ConnectionRefused {
                refused.lock().unwrap_or_else(PoisonError::into_inner).insert(peer);
            } else {
                // It was taken, and reset before we heard of it: that is no refusal.
                let _ = client.set_zero_linger();
            }
            sleep_until(Instant::now() + one_way).await;
            return;
        }
    };
    let _ = server.set_nodelay(true);
    let there = pump(&client, &server, one_way);
    let back = pump(&server, &client, one_way);
    tokio::pin!(there, back);
    // A reset ends both directions at once; an end of stream only its own.
    let (mut there_open, mut back_open) = (true, true);
    while there_open || back_open {
        tokio::select! {
            reset = &mut there, if there_open => { if reset { return } there_open = false; }
            reset = &mut back, if back_open => { if reset { return } back_open = false; }
        }
    }
}

/// Carries one direction to its end; true if that was a reset, which is then set to be passed on by closing.
async fn pump(from: &TcpStream, to: &TcpStream, delay: Duration) -> bool {
    let (sender, receiver) = mpsc::channel(WINDOW);
    let (_, reset) = tokio::join!(take(from, sender, delay), deliver(to, receiver));
    if reset {
        let _ = to.set_zero_linger();
    }
    reset
}

async fn take(from: &TcpStream, sender: mpsc::Sender<(Instant, Item)>, delay: Duration) {
    loop {
        let Ok(()) = from.readable().await else { return };
        let mut block = vec![0; 16 * 1024];
        let item = match from.try_read(&mut block) {
            Ok(0) => Item::Fin,
            Ok(n) => {
                block.truncate(n);
                Item::Bytes(block)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                continue;
            }
            Err(_) => Item::Reset,
        };
        let last = !matches!(item, Item::Bytes(_));
        if sender.send((Instant::now() + delay, item)).await.is_err() || last {
            return;
        }
    }
}

async fn deliver(to: &TcpStream, mut receiver: mpsc::Receiver<(Instant, Item)>) -> bool {
    while let Some((due, item)) = receiver.recv().await {
        sleep_until(due).await;
        match item {
            Item::Bytes(bytes) => {
                // A side that is gone takes anything; that it is gone comes back by the other direction.
                write_all(to, &bytes).await;
            }
            Item::Fin => {
                let _ = shutdown(to, Shutdown::Write);
                return false;
            }
            Item::Reset => return true,
        }
    }
    false
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let Ok(()) = to.writable().await else { return };
        match to.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
