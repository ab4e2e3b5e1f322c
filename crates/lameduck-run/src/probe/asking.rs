//! Asking again and again, without ever waiting.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::{Domain, Socket, Type};

use super::seat::{Seat, seat};
use super::url::{Target, Url, UrlError};

/// How long is waited between two questions.
const AGAIN: Duration = Duration::from_millis(50);
/// How long may pass until somebody has accepted a connection, where it matters who.
const ACCEPT: Duration = Duration::from_millis(500);
/// How many connections another process may have from us at a time.
const PARKED: usize = 8;
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);
/// How often is looked who has the connection.
const LOOK: Duration = Duration::from_millis(5);
/// More than a status line needs.
const HEAD: usize = 1024;

/// The question put to one child.
#[derive(Debug)]
pub(crate) struct Probe {
    target: Target,
    addresses: Vec<SocketAddr>,
    /// The child that has to be the one who answers, where there are two.
    child: Option<i32>,
    tries: usize,
    state: State,
    /// Connections that another process has accepted. They are kept for a moment: one that serves a connection at a
    /// time leaves the next one to the new child then.
    parked: Vec<TcpStream>,
    /// What the last question came to, for the message when time is over.
    last: String,
}

#[derive(Debug)]
enum State {
    Pause {
        until: Instant,
    },
    Connecting {
        socket: Socket,
        by: Instant,
    },
    /// Half of the request is sent. Who will answer is not known yet.
    Seating {
        stream: TcpStream,
        by: Instant,
        look_at: Instant,
    },
    Reading {
        stream: TcpStream,
        by: Instant,
        head: Vec<u8>,
    },
}

impl Probe {
    /// A name is looked up, which may block. `child`: the one that has to answer, where another may.
    pub(crate) fn new(
        url: &Url,
        port: u16,
        child: Option<i32>,
        now: Instant,
    ) -> Result<Self, UrlError> {
        let target = url.target(port)?;
        let addresses = target.addresses();
        let (state, last) = (State::Pause { until: now }, "was not asked".to_owned());
        Ok(Self { target, addresses, child, tries: 0, parked: Vec::new(), state, last })
    }

    /// What the last question came to.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// What to poll for.
    pub(crate) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.state {
            State::Connecting { socket, .. } => Some((socket.as_fd(), PollFlags::OUT)),
            State::Reading { stream, .. } => Some((stream.as_fd(), PollFlags::IN)),
            State::Pause { .. } | State::Seating { .. } => None,
        }
    }

    /// When to come back in any case.
    pub(crate) fn wake_at(&self) -> Instant {
        match &self.state {
            State::Pause { until } => *until,
            State::Seating { by, look_at, .. } => *look_at.min(by),
            State::Connecting { by, .. } | State::Reading { by, .. } => *by,
        }
    }

    /// Goes on as far as it can; true once the answer was 2xx.
    pub(crate) fn advance(&mut self, now: Instant) -> bool {
        loop {
            let pause = State::Pause { until: now + AGAIN };
            match std::mem::replace(&mut self.state, pause) {
                State::Pause { until } if now < until => self.state = State::Pause { until },
                State::Pause { .. } => {
                    if self.begin(now) {
                        continue;
                    }
                }
                State::Connecting { by, .. } | State::Reading { by, .. } if now >= by => {
                    self.parked.clear();
                    "did not answer within 2 s".clone_into(&mut self.last);
                }
                State::Seating { by, .. } if now >= by => {
                    self.parked.clear();
                    "was not accepted by the new child".clone_into(&mut self.last);
                }
                State::Connecting { socket, by } => match connected(&socket) {
                    Ok(true) => {
                        if self.ask(socket.into(), by, now) {
                            continue;
                        }
                    }
                    Ok(false) => self.state = State::Connecting { socket, by },
                    Err(error) => self.last = format!("cannot be reached: {error}"),
                },
                State::Seating { stream, by, look_at } if now < look_at => {
                    self.state = State::Seating { stream, by, look_at };
                }
                State::Seating { stream, by, .. } => {
                    if self.look(stream, by, now) {
                        continue;
                    }
                }
                State::Reading { stream, by, head } => return self.read(stream, by, head),
            }
            return false;
        }
    }

    /// True if it is to be gone on with.
    fn begin(&mut self, now: Instant) -> bool {
        let Some(address) = self.addresses.get(self.tries % self.addresses.len().max(1)) else {
            self.last = format!("has no address: {} cannot be resolved", self.target.host);
            return false;
        };
        self.tries += 1;
        let begun = Socket::new(Domain::for_address(*address), Type::STREAM, None)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .and_then(|socket| match socket.connect(&(*address).into()) {
                Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => Err(error),
                _ => Ok(socket),
            });
        match begun {
            Ok(socket) => self.state = State::Connecting { socket, by: now + ANSWER },
            Err(error) => self.last = format!("cannot be reached: {error}"),
        }
        matches!(self.state, State::Connecting { .. })
    }

    /// The connection is there. True if it is to be gone on with.
    fn ask(&mut self, stream: TcpStream, by: Instant, now: Instant) -> bool {
        let Target { authority, path, .. } = &self.target;
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: lameduck-run\r\n");
        if !self.write(&stream, &head) {
            return false;
        }
        if self.child.is_some() {
            self.state = State::Seating { stream, by: now + ACCEPT, look_at: now };
            return true;
        }
        self.finish(stream, by)
    }

    /// Sends the rest of the request.
    fn finish(&mut self, stream: TcpStream, by: Instant) -> bool {
        if self.write(&stream, "Connection: close\r\n\r\n") {
            self.state = State::Reading { stream, by, head: Vec::new() };
            return true;
        }
        false
    }

    /// So few bytes fit into any new connection.
    fn write(&mut self, mut stream: &TcpStream, text: &str) -> bool {
        match stream.write_all(text.as_bytes()) {
            Ok(()) => true,
            Err(error) => {
                self.last = format!("broke off: {error}");
                false
            }
        }
    }

    fn look(&mut self, stream: TcpStream, by: Instant, now: Instant) -> bool {
        let ends = stream.local_addr().and_then(|ours| Ok((ours, stream.peer_addr()?)));
        let (Ok((ours, theirs)), Some(child)) = (ends, self.child) else {
            "broke off".clone_into(&mut self.last);
            return false;
        };
        match seat(ours, theirs, child) {
            Seat::Queued => {
                // With tens of thousands of connections a look takes its time.
                let took = now.elapsed();
                let look_at = now + took + LOOK.max(took * 10);
                self.state = State::Seating { stream, by, look_at };
                false
            }
            Seat::Child | Seat::Elsewhere => {
                self.parked.clear();
                self.finish(stream, now + ANSWER)
            }
            Seat::Other => {
                "was accepted by another process than the new child".clone_into(&mut self.last);
                self.parked.push(stream);
                if self.parked.len() < PARKED {
                    self.state = State::Pause { until: now };
                    return true;
                }
                self.parked.clear();
                false
            }
        }
    }

    fn read(&mut self, mut stream: TcpStream, by: Instant, mut head: Vec<u8>) -> bool {
        let mut bytes = [0; HEAD];
        match stream.read(&mut bytes) {
            Ok(0) => "ended the connection without an answer".clone_into(&mut self.last),
            Ok(count) => {
                head.extend_from_slice(&bytes[..count]);
                match status(&head) {
                    Some(status @ 200..=299) => {
                        self.last = format!("answered {status}");
                        return true;
                    }
                    Some(status) => self.last = format!("answered {status}"),
                    None if head.len() > HEAD || head.contains(&b'\n') => {
                        "answered something that is not HTTP".clone_into(&mut self.last);
                    }
                    None => self.state = State::Reading { stream, by, head },
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.state = State::Reading { stream, by, head };
            }
            Err(error) => self.last = format!("broke off: {error}"),
        }
        false
    }
}

/// EINPROGRESS: what a connect that does not wait answers.
const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// `Ok(false)`: not yet.
fn connected(socket: &Socket) -> std::io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// The status of a response, once its first line is whole.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next().filter(|line| line.len() < head.len())?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_is_read_once_its_line_is_whole() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503\r\nRetry-After: 1\r\n", Some(503)),
            ("HTTP/1.1 200 OK", None),
            ("SSH-2.0-x\r\n", None),
            ("HTTP/1.1 2\u{e9}0 OK\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }
}
