//! A load over HTTP/1.1 by one thread: every connection sends its next request when it has its answer. On epoll and
//! little else, so that it costs less than what it loads.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::Failure;
use crate::summary::percentile;

pub(crate) const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
pub(crate) const LAST_REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: close\r\n\r\n";

/// Connections at a time.
pub(crate) const CONNECTIONS: usize = 64;

const WARM_UP: Duration = Duration::from_millis(200);
const MEASURED: Duration = Duration::from_secs(1);

/// Whether these bytes are the whole answer to [`REQUEST`]; an error if they can't become it.
pub(crate) fn is_whole(bytes: &[u8]) -> Result<bool, Failure> {
    const START: &[u8] = b"HTTP/1.1 200 ";
    let same = bytes.iter().zip(START).all(|(one, other)| one == other);
    if !same {
        return Err(format!("no 200: {}", String::from_utf8_lossy(bytes)).into());
    }
    Ok(bytes.ends_with(b"\r\n\r\nOK"))
}

/// How long connections live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Kept,
    /// One request, which says `Connection: close`: the server closes first, and the next connection follows.
    OneRequest,
}

/// What a load saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) p99_micros: f64,
    /// All requests that were answered, those of the warm-up too.
    pub(crate) requests: usize,
}

struct Connection {
    stream: TcpStream,
    began: Instant,
    answer: Vec<u8>,
    answered: bool,
}

/// Loads `server` for [`MEASURED`] after [`WARM_UP`].
pub(crate) fn run(server: SocketAddr, life: Life) -> Result<Rate, Failure> {
    let mut load = Load::new(server, life)?;
    load.until(Instant::now() + WARM_UP)?;
    let warm_up = load.latencies.len();
    load.latencies.clear();
    let began = Instant::now();
    load.until(began + MEASURED)?;
    let seconds = began.elapsed().as_secs_f64();
    let count = load.latencies.len();
    let p99 = percentile(&mut load.latencies, 0.99);
    Ok(Rate {
        per_second: count as f64 / seconds,
        p99_micros: p99 as f64 / 1e3,
        requests: warm_up + count,
    })
}

struct Load {
    server: SocketAddr,
    life: Life,
    epoll: std::os::fd::OwnedFd,
    connections: Vec<Connection>,
    /// Of each request, from the connect or the sending to its last byte, in nanoseconds.
    latencies: Vec<u64>,
}

impl Load {
    fn new(server: SocketAddr, life: Life) -> Result<Load, Failure> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut load = Load { server, life, epoll, connections: Vec::new(), latencies: Vec::new() };
        for place in 0..CONNECTIONS {
            let connection = load.open(place)?;
            load.connections.push(connection);
        }
        Ok(load)
    }

    /// On loopback a connect is over when it returns, also without blocking.
    fn open(&self, place: usize) -> Result<Connection, Failure> {
        let began = Instant::now();
        let mut stream = TcpStream::connect(self.server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&self.epoll, &stream, EventData::new_u64(place as u64), EventFlags::IN)?;
        stream.write_all(self.request())?;
        Ok(Connection { stream, began, answer: Vec::with_capacity(512), answered: false })
    }

    fn request(&self) -> &'static [u8] {
        match self.life {
            Life::Kept => REQUEST,
            Life::OneRequest => LAST_REQUEST,
        }
    }

    fn until(&mut self, end: Instant) -> Result<(), Failure> {
        let mut events: Vec<Event> = Vec::with_capacity(CONNECTIONS);
        let mut last = Instant::now();
        while Instant::now() < end {
            events.clear();
            let limit = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&limit))?;
            if !events.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > Duration::from_secs(10) {
                return Err("no answer for 10 s".into());
            }
            for event in &events {
                let data = event.data;
                self.read(data.u64() as usize)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, place: usize) -> Result<(), Failure> {
        let request = self.request();
        let connection = &mut self.connections[place];
        let mut bytes = [0; 1024];
        let count = match connection.stream.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if count == 0 {
            if !connection.answered {
                return Err("the server closed before its answer was whole".into());
            }
            self.connections[place] = self.open(place)?;
            return Ok(());
        }
        connection.answer.extend_from_slice(&bytes[..count]);
        if is_whole(&connection.answer)? {
            self.latencies.push(connection.began.elapsed().as_nanos() as u64);
            connection.answer.clear();
            connection.answered = true;
            if self.life == Life::Kept {
                connection.began = Instant::now();
                connection.stream.write_all(request)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_wrong_with_its_first_strange_one() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK";
        for length in 0..answer.len() {
            assert!(matches!(is_whole(&answer[..length]), Ok(false)), "{length}");
        }
        assert!(matches!(is_whole(answer), Ok(true)));
        assert!(is_whole(b"HTTP/1.1 503 ").is_err());
    }
}
