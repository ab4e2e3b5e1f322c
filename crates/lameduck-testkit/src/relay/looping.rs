//! The relay's one thread: it polls all sockets, and wakes when the next item is due.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use super::connection::{Connection, Side};

pub(super) fn run(
    listener: &Socket,
    stop: &OwnedFd,
    target: SocketAddr,
    delay: Duration,
    open: &AtomicUsize,
) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
        let mut owners = Vec::new();
        for (index, connection) in connections.iter().enumerate() {
            for side in Side::BOTH {
                if let Some((socket, flags)) = connection.interest(side) {
                    fds.push(PollFd::new(socket, flags));
                    owners.push((index, side));
                }
            }
        }
        let wait = connections
            .iter()
            .filter_map(Connection::due)
            .min()
            .map(|due| due.saturating_duration_since(Instant::now()))
            .map(|wait| Timespec {
                tv_sec: wait.as_secs() as i64,
                tv_nsec: i64::from(wait.subsec_nanos()),
            });
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the relay's poll failed: {error}"),
        }
        let called: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        if !called[0].is_empty() {
            return;
        }
        let now = Instant::now();
        for (&flags, &(index, side)) in called[2..].iter().zip(&owners) {
            if !flags.is_empty() {
                connections[index].ready(side, flags, now);
            }
        }
        while let Ok((client, _)) = listener.accept() {
            connections.push(Connection::new(client, target, delay));
        }
        for connection in &mut connections {
            connection.advance(Instant::now());
        }
        connections.retain(|connection| !connection.is_over());
        open.store(connections.len(), Ordering::Relaxed);
    }
}
